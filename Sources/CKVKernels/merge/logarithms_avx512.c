// Logarithms of a vector: the lanes body on AVX-512.
#include "dispatch/target.h"
#include "dispatch/variants.h"

#if defined(__x86_64__)
#include <immintrin.h>
#pragma STDC FP_CONTRACT OFF

KV_TARGET_BEGIN(KV_AVX512)
#include "common/lanes_avx512.h"
#include "merge/logarithms_lanes.h"

void kv_logarithms_avx512(float *results, const float *x, size_t count) {
    logarithms(results, x, count);
}

KV_TARGET_END
#endif
