// Exponentials of a vector: the one polynomial that all kernels share, so that weights made of them
// are the same everywhere.
#include "common/arithmetic.h"
#include "dispatch/variants.h"

#pragma STDC FP_CONTRACT OFF

void kv_exponentials_scalar(float *results, const float *x, size_t count) {
    for (size_t i = 0; i < count; i++) results[i] = kv_exp(x[i]);
}
