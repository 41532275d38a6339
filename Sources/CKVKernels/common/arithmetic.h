// The scalar arithmetic that every kernel is defined by. Vector variants hold the same operations
// per lane.
#pragma once
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#pragma STDC FP_CONTRACT OFF

static inline uint32_t kv_bits(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline float kv_float(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline float kv_fma(float a, float b, float c) { return __builtin_fmaf(a, b, c); }

// x86's max: the second operand when they are equal or either is NaN.
static inline float kv_max(float a, float b) { return a > b ? a : b; }

/// The fixed tree over 16 lanes that ends every reduction.
static inline float kv_tree(const float lane[16]) {
    float t[8];
    for (int i = 0; i < 8; i++) t[i] = lane[i] + lane[i + 8];
    for (int i = 0; i < 4; i++) t[i] += t[i + 4];
    for (int i = 0; i < 2; i++) t[i] += t[i + 2];
    return t[0] + t[1];
}

/// Tree sum of a[i] * b[i].
static inline float kv_tree_dot(const float *a, const float *b, size_t n) {
    float lane[16] = {0};
    for (size_t i = 0; i < n; i++) lane[i % 16] = kv_fma(a[i], b[i], lane[i % 16]);
    return kv_tree(lane);
}

static inline float kv_from_f16(uint16_t half) {
    const uint32_t sign = (uint32_t)(half & 0x8000) << 16;
    const uint32_t exponent = half >> 10 & 31, mantissa = half & 0x3ff;
    if (exponent == 31)
        return kv_float(sign | 0x7f800000 | mantissa << 13 | (mantissa ? 1u << 22 : 0));
    if (exponent) return kv_float(sign | (exponent + 112) << 23 | mantissa << 13);
    const float tiny = (float)mantissa * 0x1p-24f; // exact: subnormal halves are normal floats
    return sign ? -tiny : tiny;
}

/// To nearest, ties to even; overflows to infinity.
static inline uint16_t kv_to_f16(float x) {
    const uint32_t bits = kv_bits(x), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
    if (magnitude > 0x7f800000) return (uint16_t)(sign | 0x7e00 | (magnitude >> 13 & 0x1ff));
    if (magnitude >= 0x477ff000) return (uint16_t)(sign | 0x7c00);
    if (magnitude < 0x38800000) // below the normals: one addition rounds to the grid of 2^-24
        return (uint16_t)(sign | (kv_bits(kv_float(magnitude) + 0.5f) - 0x3f000000));
    return (uint16_t)(sign | ((magnitude - 0x38000000 + 0xfff + (magnitude >> 13 & 1)) >> 13));
}

/// The smallest f16 that is not below x, x >= 0 and finite.
static inline uint16_t kv_to_f16_up(float x) {
    const uint16_t half = kv_to_f16(x);
    return kv_from_f16(half) < x ? (uint16_t)(half + 1) : half;
}

/// The largest f16 that is not above x, |x| <= 65504.
static inline uint16_t kv_to_f16_down(float x) {
    const uint16_t half = kv_to_f16(x);
    if (!(kv_from_f16(half) > x)) return half;
    if (half == 0) return 0x8001; // below +0 comes the smallest negative half
    return half & 0x8000 ? (uint16_t)(half + 1) : (uint16_t)(half - 1);
}

static inline float kv_from_bf16(uint16_t half) { return kv_float((uint32_t)half << 16); }

static inline uint16_t kv_to_bf16(float x) {
    const uint32_t bits = kv_bits(x);
    if ((bits & 0x7fffffff) > 0x7f800000) return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

// exp: x = n ln 2 + r with |r| <= ln 2 / 2, a polynomial of degree 7 in r, scaled by 2^n.
// Within 1.01 ulp on -87 ... 88; 0 below, where the result would leave the normal floats, and for
// NaN; x above 88 counts as 88.
#define KV_EXP_LOWEST  -87.0f
#define KV_EXP_HIGHEST 88.0f
#define KV_LOG2_E      1.44269504088896341f
#define KV_LN2_HIGH    0.693359375f
#define KV_LN2_LOW     -2.12194440e-4f
#define KV_EXP_P0      1.9875691500e-4f
#define KV_EXP_P1      1.3981999507e-3f
#define KV_EXP_P2      8.3334519073e-3f
#define KV_EXP_P3      4.1665795894e-2f
#define KV_EXP_P4      1.6666665459e-1f
#define KV_EXP_P5      5.0000001201e-1f

static inline float kv_exp(float x) {
    if (!(x >= KV_EXP_LOWEST)) return 0;
    if (x > KV_EXP_HIGHEST) x = KV_EXP_HIGHEST;
    const float n = rintf(x * KV_LOG2_E);
    float r = kv_fma(n, -KV_LN2_HIGH, x);
    r = kv_fma(n, -KV_LN2_LOW, r);
    float p = KV_EXP_P0;
    p = kv_fma(p, r, KV_EXP_P1);
    p = kv_fma(p, r, KV_EXP_P2);
    p = kv_fma(p, r, KV_EXP_P3);
    p = kv_fma(p, r, KV_EXP_P4);
    p = kv_fma(p, r, KV_EXP_P5);
    p = kv_fma(p, r * r, r) + 1.0f;
    return kv_float(kv_bits(p) + ((uint32_t)(int32_t)n << 23));
}

/// 1 - 2 / (exp(2 |x|) + 1), with the sign of x: within 1.2e-7, absolute.
static inline float kv_tanh(float x) {
    const float t = 1.0f - 2.0f / (kv_exp(2.0f * fabsf(x)) + 1.0f);
    return copysignf(t, x);
}

// log (Cephes logf, fma'd): x = 2^e m, a polynomial in m - 1; within 1 ulp or 1e-7.
#define KV_SQRT_HALF 0.707106781186547524f
#define KV_LOG_P0    7.0376836292e-2f
#define KV_LOG_P1    -1.1514610310e-1f
#define KV_LOG_P2    1.1676998740e-1f
#define KV_LOG_P3    -1.2420140846e-1f
#define KV_LOG_P4    1.4249322787e-1f
#define KV_LOG_P5    -1.6668057665e-1f
#define KV_LOG_P6    2.0000714765e-1f
#define KV_LOG_P7    -2.4999993993e-1f
#define KV_LOG_P8    3.3333331174e-1f

/// Natural logarithm of a positive normal float; -infinity of 0.
static inline float kv_log(float x) {
    if (x == 0) return -INFINITY;
    uint32_t bits = kv_bits(x);
    float e = (float)((int32_t)(bits >> 23) - 126);
    float m = kv_float((bits & 0x007fffff) | 0x3f000000); // 0.5 ..< 1
    if (m < KV_SQRT_HALF) {
        e -= 1.0f;
        m = m + m - 1.0f;
    } else {
        m = m - 1.0f;
    }
    const float z = m * m;
    float p = KV_LOG_P0;
    p = kv_fma(p, m, KV_LOG_P1);
    p = kv_fma(p, m, KV_LOG_P2);
    p = kv_fma(p, m, KV_LOG_P3);
    p = kv_fma(p, m, KV_LOG_P4);
    p = kv_fma(p, m, KV_LOG_P5);
    p = kv_fma(p, m, KV_LOG_P6);
    p = kv_fma(p, m, KV_LOG_P7);
    p = kv_fma(p, m, KV_LOG_P8);
    p = p * m * z;
    p = kv_fma(e, KV_LN2_LOW, p);
    p = kv_fma(-0.5f, z, p);
    return kv_fma(e, KV_LN2_HIGH, m + p);
}

/// Arcus sine on 0 ... 0.5 (Cephes asinf, fma'd): within 2 ulp.
static inline float kv_asin_small(float x) {
    const float z = x * x;
    float p = 4.2163199048e-2f;
    p = kv_fma(p, z, 2.4181311049e-2f);
    p = kv_fma(p, z, 4.5470025998e-2f);
    p = kv_fma(p, z, 7.4953002686e-2f);
    p = kv_fma(p, z, 1.6666752422e-1f);
    return kv_fma(p * z, x, x);
}

/// The angle of a cosine, -1 ... 1: within 3e-7, absolute.
static inline float kv_acos(float x) {
    const float magnitude = fabsf(x), pi = 3.14159265358979f;
    const bool is_wide = magnitude > 0.5f;
    float angle = is_wide ? 2.0f * kv_asin_small(sqrtf(0.5f * (1.0f - magnitude)))
                          : 0.5f * pi - kv_asin_small(magnitude);
    return x < 0 ? pi - angle : angle;
}

/// Sine of an angle, 0 ... pi (Cephes sinf and cosf, fma'd): within 1.2e-7, absolute.
static inline float kv_sin(float x) {
    const float pi = 3.14159265358979f, pi_rest = -8.7422777e-8f; // their sum is pi
    if (x > 0.5f * pi) x = (pi - x) + pi_rest;
    if (x <= 0.25f * pi) {
        const float z = x * x;
        float p = -1.9515295891e-4f;
        p = kv_fma(p, z, 8.3321608736e-3f);
        p = kv_fma(p, z, -1.6666654611e-1f);
        return kv_fma(p * z, x, x);
    }
    const float rest = (0.5f * pi - x) + 0.5f * pi_rest, z = rest * rest;
    float p = 2.443315711809948e-5f;
    p = kv_fma(p, z, -1.388731625493765e-3f);
    p = kv_fma(p, z, 4.166664568298827e-2f);
    return kv_fma(p * z, z, kv_fma(-0.5f, z, 1.0f));
}
