// Natural logarithms of a vector, 16 at a time.
#pragma once
#include "common/lanes_tail.h"

static inline f32x16 logarithm(f32x16 x) {
    f32x16 e;
    const f32x16 half = split_power(x, &e); // 0.5 ..< 1
    const f32x16 root = splat(KV_SQRT_HALF), one = splat(1);
    e = select_less(half, root, sub(e, one), e);
    const f32x16 m = sub(select_less(half, root, add(half, half), half), one);
    const f32x16 z = mul(m, m);
    f32x16 p = splat(KV_LOG_P0);
    p = fused(p, m, splat(KV_LOG_P1));
    p = fused(p, m, splat(KV_LOG_P2));
    p = fused(p, m, splat(KV_LOG_P3));
    p = fused(p, m, splat(KV_LOG_P4));
    p = fused(p, m, splat(KV_LOG_P5));
    p = fused(p, m, splat(KV_LOG_P6));
    p = fused(p, m, splat(KV_LOG_P7));
    p = fused(p, m, splat(KV_LOG_P8));
    p = mul(mul(p, m), z);
    p = fused(e, splat(KV_LN2_LOW), p);
    p = fused(splat(-0.5f), z, p);
    const f32x16 result = fused(e, splat(KV_LN2_HIGH), add(m, p));
    return select_less(splat(0), x, result, splat(-INFINITY));
}

static inline void logarithms(float *results, const float *x, size_t count) {
    for (size_t i = 0; i < count; i += 16)
        store_up_to(results + i, logarithm(load_up_to(x + i, count - i)), count - i);
}
