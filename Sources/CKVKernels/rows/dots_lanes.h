// Norms of rows and dots of neighbours: one tree sum per row.
#pragma once

// Beyond the end one factor is -0 and the other +0: their product leaves a lane's bits, the sign of
// a zero too.
static inline float tree_dot(const float *a, const float *b, size_t n) {
    f32x16 sum = splat(0);
    size_t i = 0;
    for (; i + 16 <= n; i += 16) sum = fused(load(a + i), load(b + i), sum);
    if (i < n) sum = fused(load_factor_first(a + i, n - i), load_first(b + i, n - i), sum);
    return tree_sum(sum);
}

static inline void norm_rows(float *norms, const float *rows, size_t stride, size_t count,
                             size_t dim) {
    for (size_t i = 0; i < count; i++) {
        const float *row = rows + i * stride;
        norms[i] = sqrtf(tree_dot(row, row, dim));
    }
}

static inline void dot_adjacent(float *dots, const float *rows, size_t stride, size_t count,
                                size_t dim) {
    for (size_t i = 0; i + 1 < count; i++)
        dots[i] = tree_dot(rows + i * stride, rows + (i + 1) * stride, dim);
}
