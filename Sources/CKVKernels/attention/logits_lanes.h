// The vector form of logit.h, 16 entries at a time; the same on every level.
#pragma once
#include "common/lanes_tail.h"

static inline f32x16 soft_capped(f32x16 x, float cap) {
    const f32x16 y = divide(x, splat(cap));
    const f32x16 e = exponential(mul(splat(2), magnitude(y)));
    const f32x16 tanh = sub(splat(1), divide(splat(2), add(e, splat(1))));
    return mul(splat(cap), with_sign(tanh, y));
}

/// Raw dots to logits, in place; returns the largest of them and `top`.
static inline float fold_logits(float *row, size_t n, size_t visible, float scale, float softcap,
                                kv_entry_vectors vectors, float top) {
    f32x16 highest = splat(top);
    for (size_t t = 0; t < n; t += 16) {
        const size_t left = n - t;
        f32x16 x = mul(load_up_to(row + t, left), splat(scale));
        if (vectors.key_scale) x = mul(x, load_up_to(vectors.key_scale + t, left));
        if (softcap > 0) x = soft_capped(x, softcap);
        if (vectors.logit_bias) x = add(x, load_up_to(vectors.logit_bias + t, left));
        x = keep_below(visible > t ? visible - t : 0, x, -INFINITY);
        highest = maximum(x, highest);
        store_up_to(row + t, x, left);
    }
    return largest(highest);
}

static inline void finish_logits(float *logits, size_t logits_stride, size_t rows, size_t n,
                                 const uint32_t *visible, float scale, float softcap,
                                 const kv_entry_vectors *vectors) {
    const kv_entry_vectors present = vectors ? *vectors : (kv_entry_vectors){0};
    for (size_t r = 0; r < rows; r++)
        fold_logits(logits + r * logits_stride, n, visible[r] < n ? visible[r] : n, scale, softcap,
                    present, -INFINITY);
}
