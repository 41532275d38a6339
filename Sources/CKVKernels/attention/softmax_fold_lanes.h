// The vector form of softmax_fold_scalar.c, 16 entries at a time; the same on every level.
#pragma once
#include "attention/logits_lanes.h"

enum { whole_block = 64 };

/// Logits to weights, in place; returns their tree sum before they are scaled.
static inline float fold_weights(float *row, size_t n, const float *value_scale, float top) {
    f32x16 sum = splat(0);
    for (size_t t = 0; t < n; t += 16) {
        const size_t left = n - t;
        f32x16 weight = exponential(sub(load_up_to(row + t, left), splat(top)));
        weight = keep_below(left, weight, 0);
        sum = add(sum, weight);
        if (value_scale) weight = mul(weight, load_up_to(value_scale + t, left));
        store_up_to(row + t, weight, left);
    }
    return tree_sum(sum);
}

/// A whole block whose logits are all at most `top`, which most blocks leave as it is: no weight
/// then waits for a reduction. False, with nothing done, when one is above.
static inline bool fold_below(float *row, logit_terms terms, float top, float *sum) {
    f32x16 x[whole_block / 16], total = splat(0);
    uint32_t above = 0;
#pragma unroll
    for (size_t i = 0; i < whole_block / 16; i++) {
        x[i] = logits_at(row, 16 * i, 16, terms);
        above |= bits_greater(x[i], splat(top));
    }
    if (above) return false;
#pragma unroll
    for (size_t i = 0; i < whole_block / 16; i++) {
        f32x16 weight = exponential(sub(x[i], splat(top)));
        total = add(total, weight);
        if (terms.vectors.value_scale)
            weight = mul(weight, load(terms.vectors.value_scale + 16 * i));
        store(row + 16 * i, weight);
    }
    *sum += tree_sum(total);
    return true;
}

static inline void softmax_fold(float *logits, size_t logits_stride, size_t rows, size_t n,
                                const uint32_t *visible, logit_terms terms, float *tops,
                                float *sums, float *rescale) {
    for (size_t r = 0; r < rows; r++) {
        float *row = logits + r * logits_stride;
        const size_t seen = visible[r] < n ? visible[r] : n;
        if (seen == whole_block && n == seen && fold_below(row, terms, tops[r], sums + r)) {
            rescale[r] = 1;
            continue;
        }
        float top = fold_logits(row, n, seen, terms, tops[r]);
        if (top == -INFINITY) {
            memset(row, 0, n * sizeof *row);
            rescale[r] = 1;
            continue;
        }
        top += 0.0f; // -0 becomes +0
        const float sum = fold_weights(row, n, terms.vectors.value_scale, top);
        rescale[r] = kv_exp(tops[r] - top);
        sums[r] = kv_fma(sums[r], rescale[r], sum);
        tops[r] = top;
    }
}
