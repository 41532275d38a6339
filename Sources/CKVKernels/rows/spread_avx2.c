// Channel ranges and spreads: the lanes body on AVX2.
#include "dispatch/target.h"
#include "dispatch/variants.h"

#if defined(__x86_64__)
#include <immintrin.h>
#pragma STDC FP_CONTRACT OFF

KV_TARGET_BEGIN(KV_AVX2)
#include "common/lanes_avx2.h"
#include "rows/spread_lanes.h"

void kv_channel_ranges_avx2(float *minimum, float *maximum, const float *rows, size_t stride,
                            size_t count, size_t dim) {
    channel_ranges(minimum, maximum, rows, stride, count, dim);
}

void kv_spread_rows_avx2(float *spreads, const float *rows, size_t stride, size_t count, size_t dim,
                         const float *offset, const float *factor) {
    spread_rows(spreads, rows, stride, count, dim, offset, factor);
}

KV_TARGET_END
#endif
