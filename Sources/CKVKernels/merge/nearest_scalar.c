// The entry of every row whose logit, times the entry's factor, is largest: with raw dots and the
// reciprocal norms of the keys it is the key of highest cosine.
#include "common/arithmetic.h"
#include "dispatch/variants.h"

#pragma STDC FP_CONTRACT OFF

void kv_find_nearest_scalar(uint32_t *nearest, float *largest, const float *logits, size_t stride,
                            size_t rows, size_t n, const float *factors) {
    for (size_t r = 0; r < rows; r++) {
        float best = -INFINITY;
        uint32_t index = 0;
        for (size_t t = 0; t < n; t++) {
            const float product = logits[r * stride + t] * factors[t];
            if (product > best) {
                best = product;
                index = (uint32_t)t;
            }
        }
        nearest[r] = index;
        largest[r] = best + 0.0f; // of two zeros either may have come first
    }
}
