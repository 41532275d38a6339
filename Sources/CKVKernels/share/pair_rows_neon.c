// Dots and weighted sums of pairs of rows: the lanes body on NEON.
#include "dispatch/target.h"
#include "dispatch/variants.h"

#if defined(__aarch64__)
#include <arm_neon.h>
#pragma STDC FP_CONTRACT OFF

KV_TARGET_BEGIN(KV_NEON)
#include "common/lanes_neon.h"
#include "share/pair_rows_lanes.h"

void kv_add_pair_dots_neon(float *xx, float *yy, float *xy, const float *x, size_t x_stride,
                           const float *y, size_t y_stride, size_t count, size_t dim) {
    add_pair_dots(xx, yy, xy, x, x_stride, y, y_stride, count, dim);
}

void kv_blend_rows_neon(float *blends, const float *x, size_t x_stride, const float *x_weights,
                        const float *y, size_t y_stride, const float *y_weights, size_t count,
                        size_t dim) {
    blend_rows(blends, x, x_stride, x_weights, y, y_stride, y_weights, count, dim);
}

KV_TARGET_END
#endif
