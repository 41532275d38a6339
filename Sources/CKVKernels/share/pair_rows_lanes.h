// Pairs of rows, one of each of two layers: their dots, and weighted sums of them.
#pragma once
#include "common/lanes_tail.h"

// Beyond the end one factor of each product is -0, as in tree_dot.
static inline void add_pair_dots(float *xx, float *yy, float *xy, const float *x, size_t x_stride,
                                 const float *y, size_t y_stride, size_t count, size_t dim) {
    for (size_t i = 0; i < count; i++) {
        const float *const a = x + i * x_stride, *const b = y + i * y_stride;
        f32x16 aa = splat(0), bb = splat(0), ab = splat(0);
        size_t c = 0;
        for (; c + 16 <= dim; c += 16) {
            const f32x16 va = load(a + c), vb = load(b + c);
            aa = fused(va, va, aa);
            bb = fused(vb, vb, bb);
            ab = fused(va, vb, ab);
        }
        if (c < dim) {
            const f32x16 fa = load_factor_first(a + c, dim - c), vb = load_first(b + c, dim - c);
            aa = fused(fa, load_first(a + c, dim - c), aa);
            bb = fused(load_factor_first(b + c, dim - c), vb, bb);
            ab = fused(fa, vb, ab);
        }
        xx[i] = xx[i] + tree_sum(aa);
        yy[i] = yy[i] + tree_sum(bb);
        xy[i] = xy[i] + tree_sum(ab);
    }
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
