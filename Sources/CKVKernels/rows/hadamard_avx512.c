// hadamard on AVX-512: the body is in hadamard_lanes.h.
#if defined(__x86_64__)
#include "dispatch/target.h"
#include "dispatch/variants.h"
#include <immintrin.h>

#pragma STDC FP_CONTRACT OFF
KV_TARGET_BEGIN(KV_AVX512)
#include "common/lanes_avx512.h"
#include "rows/hadamard_lanes.h"

void kv_hadamard_avx512(float *rotated, const float *rows, size_t stride, size_t count,
                        size_t dim) {
    hadamard(rotated, rows, stride, count, dim);
}

KV_TARGET_END
#endif
