// Natural logarithms of a vector: the one polynomial that all kernels share. Attention takes one
// for every entry that stands for several tokens.
#include "common/arithmetic.h"
#include "dispatch/variants.h"

#pragma STDC FP_CONTRACT OFF

void kv_logarithms_scalar(float *results, const float *x, size_t count) {
    for (size_t i = 0; i < count; i++) results[i] = kv_log(x[i]);
}
