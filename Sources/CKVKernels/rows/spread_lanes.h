// The vector form of spread_scalar.c, 16 channels at a time; the same on every level.
#pragma once
#include "common/lanes_tail.h"

static inline void channel_ranges(float *minimum_at, float *maximum_at, const float *rows,
                                  size_t stride, size_t count, size_t dim) {
    for (size_t c = 0; c < dim; c += 16) {
        f32x16 low = load_up_to(rows + c, dim - c), high = low;
        for (size_t i = 1; i < count; i++) {
            const f32x16 x = load_up_to(rows + i * stride + c, dim - c);
            low = minimum(x, low);
            high = maximum(x, high);
        }
        store_up_to(minimum_at + c, low, dim - c);
        store_up_to(maximum_at + c, high, dim - c);
    }
}

/// The scaled channels from c on; 0 beyond the row's end.
static inline f32x16 scaled(const float *row, const float *offset, const float *factor, size_t c,
                            size_t n) {
    const f32x16 x = sub(load_up_to(row + c, n), load_up_to(offset + c, n));
    return mul(x, load_up_to(factor + c, n));
}

static inline void spread_rows(float *spreads, const float *rows, size_t stride, size_t count,
                               size_t dim, const float *offset, const float *factor) {
    for (size_t i = 0; i < count; i++) {
        const float *row = rows + i * stride;
        f32x16 sums = splat(0), squares = splat(0);
        for (size_t c = 0; c < dim; c += 16)
            sums = add(sums, scaled(row, offset, factor, c, dim - c));
        const float mean = tree_sum(sums) / (float)dim;
        for (size_t c = 0; c < dim; c += 16) {
            const f32x16 x = sub(scaled(row, offset, factor, c, dim - c), splat(mean));
            const f32x16 apart = keep_below(dim - c, x, 0);
            squares = fused(apart, apart, squares);
        }
        spreads[i] = dim > 1 ? sqrtf(tree_sum(squares) / (float)(dim - 1)) : 0;
    }
}
