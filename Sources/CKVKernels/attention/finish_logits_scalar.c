// The first half of softmax_fold alone, for those who choose among logits before they weigh them.
#include "attention/logit.h"
#include "dispatch/variants.h"

#pragma STDC FP_CONTRACT OFF

void kv_finish_logits_scalar(float *logits, size_t logits_stride, size_t rows, size_t n,
                             const uint32_t *visible, float scale, float softcap,
                             const kv_entry_vectors *vectors) {
    for (size_t r = 0; r < rows; r++) {
        float *row = logits + r * logits_stride;
        for (size_t t = 0; t < n; t++)
            row[t] = t < visible[r] ? kv_logit(row[t], t, scale, softcap, vectors) : -INFINITY;
    }
}
