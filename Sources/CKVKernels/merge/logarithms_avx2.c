// Logarithms of a vector: the lanes body on AVX2.
#include "dispatch/target.h"
#include "dispatch/variants.h"

#if defined(__x86_64__)
#include <immintrin.h>
#pragma STDC FP_CONTRACT OFF

KV_TARGET_BEGIN(KV_AVX2)
#include "common/lanes_avx2.h"
#include "merge/logarithms_lanes.h"

void kv_logarithms_avx2(float *results, const float *x, size_t count) {
    logarithms(results, x, count);
}

KV_TARGET_END
#endif
