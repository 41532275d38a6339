// 16-bit fixed point of a row of floats, as queries and weights meet codes in exact integers.
#pragma once
#include "quantize/layout.h"

/// q[i] = rint(x[i] * (32512 / top)), top = max|x|; returns top, or 0 with zeros when it is below
/// 1e-30.
static inline float kv_fixed_point(int16_t *q, const float *x, size_t n) {
    float top = 0;
    for (size_t i = 0; i < n; i++) top = kv_max(fabsf(x[i]), top);
    const bool empty = !(top >= KV_FIXED_LEAST);
    for (size_t i = 0; i < n; i++) q[i] = empty ? 0 : (int16_t)rintf(x[i] * (KV_FIXED_PEAK / top));
    return empty ? 0 : top;
}

static inline int32_t kv_fixed_sum(const int16_t *q, size_t n) {
    int32_t sum = 0;
    for (size_t i = 0; i < n; i++) sum += q[i];
    return sum;
}
