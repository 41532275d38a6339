// Weighted sums of neighbouring rows: chunks of a row stay in registers over the rows of one sum.
#pragma once
#include "common/lanes_tail.h"

enum { mix_chunks = 4 };

static inline void mix_chunk(float *sum, const float *rows, size_t stride, const float *weights,
                             size_t n, size_t width) {
    f32x16 total = splat(0);
    for (size_t i = 0; i < n; i++)
        total = fused(splat(weights[i]), load_up_to(rows + i * stride, width), total);
    store_up_to(sum, total, width);
}

static inline void mix_rows(float *sums, const float *rows, size_t stride, const float *weights,
                            const uint32_t *ends, size_t count, size_t dim) {
    for (size_t e = 0, first = 0; e < count; first = ends[e++]) {
        const float *const w = weights + first, *const from = rows + first * stride;
        float *const sum = sums + e * dim;
        const size_t n = ends[e] - first;
        size_t c = 0;
        for (; c + 16 * mix_chunks <= dim; c += 16 * mix_chunks) {
            f32x16 total[mix_chunks];
#pragma unroll
            for (int k = 0; k < mix_chunks; k++) total[k] = splat(0);
            for (size_t i = 0; i < n; i++) {
                const f32x16 weight = splat(w[i]);
#pragma unroll
                for (int k = 0; k < mix_chunks; k++)
                    total[k] = fused(weight, load(from + i * stride + c + 16 * k), total[k]);
            }
#pragma unroll
            for (int k = 0; k < mix_chunks; k++) store(sum + c + 16 * k, total[k]);
        }
        for (; c < dim; c += 16) mix_chunk(sum + c, from + c, stride, w, n, dim - c);
    }
}
