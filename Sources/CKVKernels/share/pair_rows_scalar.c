// Pairs of rows, one of each of two layers: their dots, and weighted sums of them. Rows of several
// heads are taken piece by piece, so dots are added to what the pieces before gave.
#include "common/arithmetic.h"
#include "dispatch/variants.h"

#pragma STDC FP_CONTRACT OFF

void kv_add_dots_scalar(float *sums, const float *x, size_t x_stride, const float *y,
                        size_t y_stride, size_t count, size_t dim) {
    for (size_t i = 0; i < count; i++)
        sums[i] = sums[i] + kv_tree_dot(x + i * x_stride, y + i * y_stride, dim);
}

void kv_blend_rows_scalar(float *blends, const float *x, size_t x_stride, const float *x_weights,
                          const float *y, size_t y_stride, const float *y_weights, size_t count,
                          size_t dim) {
    for (size_t i = 0; i < count; i++)
        for (size_t c = 0; c < dim; c++)
            blends[i * dim + c] =
                kv_fma(x_weights[i], x[i * x_stride + c], y_weights[i] * y[i * y_stride + c]);
}
