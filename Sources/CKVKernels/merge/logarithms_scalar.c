// Natural logarithms of a vector, of which a merge takes few.
#include "common/arithmetic.h"
#include "dispatch/variants.h"

#pragma STDC FP_CONTRACT OFF

void kv_logarithms_scalar(float *results, const float *x, size_t count) {
    for (size_t i = 0; i < count; i++) results[i] = kv_log(x[i]);
}
