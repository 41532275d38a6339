// Squared distances of rows to one row, 16 elements at a time. Beyond the end both rows are +0,
// whose difference adds nothing to a sum of squares.
#pragma once
#include "common/lanes_tail.h"

static inline void squared_distances(float *distances, const float *rows, size_t stride,
                                     size_t count, const float *row, size_t dim) {
    for (size_t i = 0; i < count; i++) {
        const float *other = rows + i * stride;
        f32x16 sum = splat(0);
        for (size_t c = 0; c < dim; c += 16) {
            const f32x16 difference =
                sub(load_up_to(other + c, dim - c), load_up_to(row + c, dim - c));
            sum = fused(difference, difference, sum);
        }
        distances[i] = tree_sum(sum);
    }
}
