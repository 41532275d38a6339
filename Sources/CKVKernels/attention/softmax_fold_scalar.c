// Online softmax of one block of raw dots, in place: logits in, weights out, and the running
// maximum and sum of every query row moved along.
//
// No -infinity meets another: a row whose maximum is still -infinity has seen only holes and
// returns early. Every exponent is at most 0, so a sum of n weights is at most n. The maximum is
// written as +0 where it is a zero, since which zero a reduction finds first depends on its order.
// A NaN logit counts as a hole.
#include "attention/logit.h"
#include "dispatch/variants.h"

#pragma STDC FP_CONTRACT OFF

void kv_softmax_fold_scalar(float *logits, size_t logits_stride, size_t rows, size_t n,
                            const uint32_t *visible, float scale, float softcap,
                            const kv_entry_vectors *vectors, float *maximum, float *sum,
                            float *rescale) {
    for (size_t r = 0; r < rows; r++) {
        float *row = logits + r * logits_stride;

        float top = maximum[r];
        for (size_t t = 0; t < n; t++) {
            row[t] = t < visible[r] ? kv_logit(row[t], t, scale, softcap, vectors) : -INFINITY;
            top = kv_max(row[t], top);
        }
        if (top == -INFINITY) {
            for (size_t t = 0; t < n; t++) row[t] = 0;
            rescale[r] = 1;
            continue;
        }
        top += 0.0f; // -0 becomes +0

        float lane[16] = {0};
        for (size_t t = 0; t < n; t++) {
            const float weight = kv_exp(row[t] - top);
            lane[t % 16] += weight;
            row[t] = vectors && vectors->value_scale ? weight * vectors->value_scale[t] : weight;
        }
        rescale[r] = kv_exp(maximum[r] - top);
        sum[r] = kv_fma(sum[r], rescale[r], kv_tree(lane));
        maximum[r] = top;
    }
}
