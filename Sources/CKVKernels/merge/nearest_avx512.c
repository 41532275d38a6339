// The nearest entry of every row: the lanes body on AVX-512.
#include "dispatch/target.h"
#include "dispatch/variants.h"

#if defined(__x86_64__)
#include <immintrin.h>
#pragma STDC FP_CONTRACT OFF

KV_TARGET_BEGIN(KV_AVX512)
#include "common/lanes_avx512.h"
#include "merge/nearest_lanes.h"

void kv_find_nearest_avx512(uint32_t *nearest, float *largest, const float *logits, size_t stride,
                            size_t rows, size_t n, const float *factors) {
    find_nearest(nearest, largest, logits, stride, rows, n, factors);
}

KV_TARGET_END
#endif
