// The nearest entry of every row: each lane remembers the first of its largest products and where
// that was, as a float, which is exact below 2^24; at the end the lanes are compared.
#pragma once
#include "common/lanes_tail.h"

static inline void find_nearest(uint32_t *nearest, float *largest_products, const float *logits,
                                size_t stride, size_t rows, size_t n, const float *factors) {
    static const float lane[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    for (size_t r = 0; r < rows; r++) {
        const float *row = logits + r * stride;
        f32x16 best = splat(-INFINITY), place = splat(0), here = load(lane);
        for (size_t t = 0; t < n; t += 16) {
            const f32x16 all = mul(load_up_to(row + t, n - t), load_up_to(factors + t, n - t));
            const f32x16 product = keep_below(n - t, all, -INFINITY);
            place = select_less(best, product, here, place);
            best = select_less(best, product, product, best);
            here = add(here, splat(16));
        }
        float products[16], places[16];
        store(products, best);
        store(places, place);
        int first = 0;
        for (int i = 1; i < 16; i++)
            if (products[i] > products[first] ||
                (products[i] == products[first] && places[i] < places[first]))
                first = i;
        nearest[r] = (uint32_t)places[first];
        largest_products[r] = products[first] + 0.0f;
    }
}
