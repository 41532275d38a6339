// The vector form of logit.h, 16 entries at a time; the same on every level.
#pragma once
#include "common/lanes_tail.h"

/// What makes a logit of a raw dot.
typedef struct {
    float scale, softcap;
    kv_entry_vectors vectors;
} logit_terms;

static inline f32x16 soft_capped(f32x16 x, float cap) {
    const f32x16 y = divide(x, splat(cap));
    const f32x16 e = exponential(mul(splat(2), magnitude(y)));
    const f32x16 tanh = sub(splat(1), divide(splat(2), add(e, splat(1))));
    return mul(splat(cap), with_sign(tanh, y));
}

/// The logits of entries t ..< t + 16, of which `left` exist.
static inline __attribute__((always_inline)) f32x16 logits_at(const float *row, size_t t,
                                                              size_t left, logit_terms terms) {
    f32x16 x = mul(load_up_to(row + t, left), splat(terms.scale));
    if (terms.vectors.key_scale) x = mul(x, load_up_to(terms.vectors.key_scale + t, left));
    if (terms.softcap > 0) x = soft_capped(x, terms.softcap);
    if (terms.vectors.logit_bias) x = add(x, load_up_to(terms.vectors.logit_bias + t, left));
    return x;
}

/// Raw dots to logits, in place; returns the largest of them and `top`.
static inline float fold_logits(float *row, size_t n, size_t visible, logit_terms terms,
                                float top) {
    f32x16 highest = splat(top);
    for (size_t t = 0; t < n; t += 16) {
        f32x16 x = logits_at(row, t, n - t, terms);
        x = keep_below(visible > t ? visible - t : 0, x, -INFINITY);
        highest = maximum(x, highest);
        store_up_to(row + t, x, n - t);
    }
    return largest(highest);
}

static inline void finish_logits(float *logits, size_t logits_stride, size_t rows, size_t n,
                                 const uint32_t *visible, logit_terms terms) {
    for (size_t r = 0; r < rows; r++)
        fold_logits(logits + r * logits_stride, n, visible[r] < n ? visible[r] : n, terms,
                    -INFINITY);
}
