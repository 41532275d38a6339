// The nearest entry of every row: the lanes body on AVX2.
#include "dispatch/target.h"
#include "dispatch/variants.h"

#if defined(__x86_64__)
#include <immintrin.h>
#pragma STDC FP_CONTRACT OFF

KV_TARGET_BEGIN(KV_AVX2)
#include "common/lanes_avx2.h"
#include "merge/nearest_lanes.h"

void kv_find_nearest_avx2(uint32_t *nearest, float *largest, const float *logits, size_t stride,
                          size_t rows, size_t n, const float *factors) {
    find_nearest(nearest, largest, logits, stride, rows, n, factors);
}

KV_TARGET_END
#endif
