// Pairs of rows, one of each of two layers: their dots, and weighted sums of them. Rows of several
// heads are taken piece by piece, so dots are added to what the pieces before gave.
#include "common/arithmetic.h"
#include "dispatch/variants.h"

#pragma STDC FP_CONTRACT OFF

void kv_add_pair_dots_scalar(float *xx, float *yy, float *xy, const float *x, size_t x_stride,
                             const float *y, size_t y_stride, size_t count, size_t dim) {
    for (size_t i = 0; i < count; i++) {
        const float *const a = x + i * x_stride, *const b = y + i * y_stride;
        xx[i] = xx[i] + kv_tree_dot(a, a, dim);
        yy[i] = yy[i] + kv_tree_dot(b, b, dim);
        xy[i] = xy[i] + kv_tree_dot(a, b, dim);
    }
}

void kv_blend_rows_scalar(float *blends, const float *x, size_t x_stride, const float *x_weights,
                          const float *y, size_t y_stride, const float *y_weights, size_t count,
                          size_t dim) {
    for (size_t i = 0; i < count; i++)
        for (size_t c = 0; c < dim; c++)
            blends[i * dim + c] =
                kv_fma(x_weights[i], x[i * x_stride + c], y_weights[i] * y[i * y_stride + c]);
}
