// Squared distances of rows to one row: a tree sum of squared differences each, so that a row is at
// distance +0 from itself, exactly.
#include "common/arithmetic.h"
#include "dispatch/variants.h"

#pragma STDC FP_CONTRACT OFF

void kv_squared_distances_scalar(float *distances, const float *rows, size_t stride, size_t count,
                                 const float *row, size_t dim) {
    for (size_t i = 0; i < count; i++) {
        float lane[16] = {0};
        for (size_t c = 0; c < dim; c++) {
            const float difference = rows[i * stride + c] - row[c];
            lane[c % 16] = kv_fma(difference, difference, lane[c % 16]);
        }
        distances[i] = kv_tree(lane);
    }
}
