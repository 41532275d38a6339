// Norms of rows and dots of neighbours: one tree sum per row.
#include "common/arithmetic.h"
#include "dispatch/variants.h"

void kv_norm_rows_scalar(float *norms, const float *rows, size_t stride, size_t count, size_t dim) {
    for (size_t i = 0; i < count; i++) {
        const float *row = rows + i * stride;
        norms[i] = sqrtf(kv_tree_dot(row, row, dim));
    }
}

void kv_dot_adjacent_scalar(float *dots, const float *rows, size_t stride, size_t count,
                            size_t dim) {
    for (size_t i = 0; i + 1 < count; i++)
        dots[i] = kv_tree_dot(rows + i * stride, rows + (i + 1) * stride, dim);
}
