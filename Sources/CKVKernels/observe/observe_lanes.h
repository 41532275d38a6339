// The vector form of observe_scalar.c, 16 keys at a time; the same on every level. The exponential
// is taken twice, once for the sum and once for the probability: that costs less than keeping it.
#pragma once
#include "common/lanes_tail.h"

typedef struct {
    float scale, top, inverse, log_sum_exp, limit;
} row_summary;

static inline row_summary summarize(const float *row, size_t seen, float scale, float threshold) {
    f32x16 highest = splat(-INFINITY), sums = splat(0);
    for (size_t t = 0; t < seen; t += 16) {
        const f32x16 x = mul(load_up_to(row + t, seen - t), splat(scale));
        highest = maximum(keep_below(seen - t, x, -INFINITY), highest);
    }
    const float top = largest(highest);
    for (size_t t = 0; t < seen; t += 16) {
        const f32x16 x = mul(load_up_to(row + t, seen - t), splat(scale));
        sums = add(sums, keep_below(seen - t, exponential(sub(x, splat(top))), 0));
    }
    const float sum = tree_sum(sums);
    return (row_summary){scale, top, 1.0f / sum, top + kv_log(sum), threshold / (float)seen};
}

/// The probabilities of the n <= 16 keys from t on, in place and into the observation.
static inline void observe_lanes(kv_observation to, float *row, size_t t, size_t n, row_summary s,
                                 bool in_window) {
    const f32x16 x = mul(load_up_to(row + t, n), splat(s.scale));
    const f32x16 p = mul(exponential(sub(x, splat(s.top))), splat(s.inverse));
    store_up_to(row + t, p, n);
    if (to.sum) store_up_to(to.sum + t, add(load_up_to(to.sum + t, n), p), n);
    if (to.window_sum && in_window)
        store_up_to(to.window_sum + t, add(load_up_to(to.window_sum + t, n), p), n);
    if (to.sum_squares)
        store_up_to(to.sum_squares + t, fused(p, p, load_up_to(to.sum_squares + t, n)), n);
    if (to.entropy) {
        const f32x16 before = load_up_to(to.entropy + t, n);
        const f32x16 after = fused(p, sub(splat(s.log_sum_exp), x), before); // both signs turned
        store_up_to(to.entropy + t, select_less(splat(0), p, after, before), n);
    }
    if (to.below) {
        const f32x16 one = select_less(p, splat(s.limit), splat(1), splat(0));
        store_up_to(to.below + t, add(load_up_to(to.below + t, n), one), n);
    }
    if (to.maximum) store_up_to(to.maximum + t, maximum(p, load_up_to(to.maximum + t, n)), n);
}

static inline void observe(kv_observation observation, float *logits, size_t stride, size_t rows,
                           size_t keys, const uint32_t *visible, float scale, size_t window_start,
                           float threshold) {
    for (size_t r = 0; r < rows; r++) {
        float *row = logits + r * stride;
        const size_t seen = visible[r] < keys ? visible[r] : keys;
        const row_summary summary = summarize(row, seen, scale, threshold);
        for (size_t t = 0; t < seen; t += 16)
            observe_lanes(observation, row, t, seen - t < 16 ? seen - t : 16, summary,
                          r >= window_start);
        memset(row + seen, 0, (keys - seen) * sizeof *row);
    }
}
