// Attention probabilities of a block of query rows, in place over their raw dots, and what they say
// about each key: reductions over the rows, added to what earlier blocks found. Every reduction
// takes the rows in ascending order, so blocks of any height give the same bits.
//
// The largest term of a row's sum is exp(0) = 1, so the reciprocal and the logarithm are safe. A
// row sees at most `keys` keys, and touches the reductions of those alone.
#include "common/arithmetic.h"
#include "dispatch/variants.h"

#pragma STDC FP_CONTRACT OFF

void kv_observe_scalar(kv_observation observation, float *logits, size_t stride, size_t rows,
                       size_t keys, const uint32_t *visible, float scale, size_t window_start,
                       float threshold) {
    for (size_t r = 0; r < rows; r++) {
        float *row = logits + r * stride;
        const size_t seen = visible[r] < keys ? visible[r] : keys;

        float top = -INFINITY;
        for (size_t t = 0; t < seen; t++) top = kv_max(row[t] * scale, top);
        float lane[16] = {0};
        for (size_t t = 0; t < seen; t++) lane[t % 16] += kv_exp(row[t] * scale - top);
        const float sum = kv_tree(lane);
        const float inverse = 1.0f / sum, log_sum_exp = top + kv_log(sum);
        const float limit = threshold / (float)seen;

        for (size_t t = 0; t < seen; t++) {
            const float x = row[t] * scale, p = kv_exp(x - top) * inverse;
            row[t] = p;
            if (observation.sum) observation.sum[t] += p;
            if (observation.window_sum && r >= window_start) observation.window_sum[t] += p;
            if (observation.sum_squares)
                observation.sum_squares[t] = kv_fma(p, p, observation.sum_squares[t]);
            if (observation.entropy && p > 0)
                observation.entropy[t] = kv_fma(-p, x - log_sum_exp, observation.entropy[t]);
            if (observation.below && p < limit) observation.below[t] += 1;
            if (observation.maximum) observation.maximum[t] = kv_max(p, observation.maximum[t]);
        }
        for (size_t t = seen; t < keys; t++) row[t] = 0;
    }
}
