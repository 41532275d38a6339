// The vector form of softmax_fold_scalar.c, 16 entries at a time; the same on every level.
#pragma once
#include "attention/logits_lanes.h"

/// Logits to weights, in place; returns their tree sum before they are scaled.
static inline float fold_weights(float *row, size_t n, kv_entry_vectors vectors, float top) {
    f32x16 sum = splat(0);
    for (size_t t = 0; t < n; t += 16) {
        const size_t left = n - t;
        f32x16 weight = exponential(sub(load_up_to(row + t, left), splat(top)));
        weight = keep_below(left, weight, 0);
        sum = add(sum, weight);
        if (vectors.value_scale) weight = mul(weight, load_up_to(vectors.value_scale + t, left));
        store_up_to(row + t, weight, left);
    }
    return tree_sum(sum);
}

// Two passes over the rows, not one: within a pass no row waits for another's reductions. Between
// them `rescale` holds the new maxima.
static inline void softmax_fold(float *logits, size_t logits_stride, size_t rows, size_t n,
                                const uint32_t *visible, float scale, float softcap,
                                const kv_entry_vectors *vectors, float *tops, float *sums,
                                float *rescale) {
    const kv_entry_vectors present = vectors ? *vectors : (kv_entry_vectors){0};
    for (size_t r = 0; r < rows; r++) {
        const size_t seen = visible[r] < n ? visible[r] : n;
        rescale[r] =
            fold_logits(logits + r * logits_stride, n, seen, scale, softcap, present, tops[r]);
    }
    for (size_t r = 0; r < rows; r++) {
        float *row = logits + r * logits_stride;
        if (rescale[r] == -INFINITY) {
            memset(row, 0, n * sizeof *row);
            rescale[r] = 1;
            continue;
        }
        const float top = rescale[r] + 0.0f; // -0 becomes +0
        const float sum = fold_weights(row, n, present, top);
        rescale[r] = kv_exp(tops[r] - top);
        sums[r] = kv_fma(sums[r], rescale[r], sum);
        tops[r] = top;
    }
}
