// Channel ranges and spreads: the lanes body on NEON.
#include "dispatch/target.h"
#include "dispatch/variants.h"

#if defined(__aarch64__)
#include <arm_neon.h>
#pragma STDC FP_CONTRACT OFF

KV_TARGET_BEGIN(KV_NEON)
#include "common/lanes_neon.h"
#include "rows/spread_lanes.h"

void kv_channel_ranges_neon(float *minimum, float *maximum, const float *rows, size_t stride,
                            size_t count, size_t dim) {
    channel_ranges(minimum, maximum, rows, stride, count, dim);
}

void kv_spread_rows_neon(float *spreads, const float *rows, size_t stride, size_t count, size_t dim,
                         const float *offset, const float *factor) {
    spread_rows(spreads, rows, stride, count, dim, offset, factor);
}

KV_TARGET_END
#endif
