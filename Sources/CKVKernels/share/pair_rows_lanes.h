// Pairs of rows, one of each of two layers: their dots, and weighted sums of them.
#pragma once
#include "common/lanes_tail.h"
#include "rows/dots_lanes.h"

static inline void add_dots(float *sums, const float *x, size_t x_stride, const float *y,
                            size_t y_stride, size_t count, size_t dim) {
    for (size_t i = 0; i < count; i++)
        sums[i] = sums[i] + tree_dot(x + i * x_stride, y + i * y_stride, dim);
}

static inline void blend_rows(float *blends, const float *x, size_t x_stride,
                              const float *x_weights, const float *y, size_t y_stride,
                              const float *y_weights, size_t count, size_t dim) {
    for (size_t i = 0; i < count; i++) {
        const float *const xs = x + i * x_stride, *const ys = y + i * y_stride;
        const f32x16 wx = splat(x_weights[i]), wy = splat(y_weights[i]);
        for (size_t c = 0; c < dim; c += 16) {
            const f32x16 low = mul(wy, load_up_to(ys + c, dim - c));
            store_up_to(blends + i * dim + c, fused(wx, load_up_to(xs + c, dim - c), low), dim - c);
        }
    }
}
