// The logit bias of entries that stand for several tokens: ln(votes).
#include "common/arithmetic.h"
#include "dispatch/variants.h"

void kv_log_counts_scalar(float *logarithms, const uint16_t *counts, size_t count) {
    for (size_t i = 0; i < count; i++)
        logarithms[i] = counts[i] > 0 ? kv_log((float)counts[i]) : -INFINITY;
}
