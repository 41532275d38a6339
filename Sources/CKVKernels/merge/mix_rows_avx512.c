// Weighted sums of neighbouring rows: the lanes body on AVX-512.
#include "dispatch/target.h"
#include "dispatch/variants.h"

#if defined(__x86_64__)
#include <immintrin.h>
#pragma STDC FP_CONTRACT OFF

KV_TARGET_BEGIN(KV_AVX512)
#include "common/lanes_avx512.h"
#include "merge/mix_rows_lanes.h"

void kv_mix_rows_avx512(float *sums, const float *rows, size_t stride, const float *weights,
                        const uint32_t *ends, size_t count, size_t dim) {
    mix_rows(sums, rows, stride, weights, ends, count, dim);
}

KV_TARGET_END
#endif
