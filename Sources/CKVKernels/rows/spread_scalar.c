// How far channels reach over some rows, and how far a row's channels lie apart (LagKV, section 3).
#include "common/arithmetic.h"
#include "dispatch/variants.h"

#pragma STDC FP_CONTRACT OFF

void kv_channel_ranges_scalar(float *minimum, float *maximum, const float *rows, size_t stride,
                              size_t count, size_t dim) {
    for (size_t c = 0; c < dim; c++) {
        float low = rows[c], high = rows[c];
        for (size_t i = 1; i < count; i++) {
            const float x = rows[i * stride + c];
            low = x < low ? x : low;
            high = x > high ? x : high;
        }
        minimum[c] = low;
        maximum[c] = high;
    }
}

void kv_spread_rows_scalar(float *spreads, const float *rows, size_t stride, size_t count,
                           size_t dim, const float *offset, const float *factor) {
    for (size_t i = 0; i < count; i++) {
        const float *row = rows + i * stride;
        float sums[16] = {0}, squares[16] = {0};
        for (size_t c = 0; c < dim; c++) sums[c % 16] += (row[c] - offset[c]) * factor[c];
        const float mean = kv_tree(sums) / (float)dim;
        for (size_t c = 0; c < dim; c++) {
            const float apart = (row[c] - offset[c]) * factor[c] - mean;
            squares[c % 16] = kv_fma(apart, apart, squares[c % 16]);
        }
        spreads[i] = dim > 1 ? sqrtf(kv_tree(squares) / (float)(dim - 1)) : 0;
    }
}
