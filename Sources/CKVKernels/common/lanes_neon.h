// f32x16 on NEON: four registers. The same names as in the other lanes_*.h.
#pragma once
#include "common/arithmetic.h"

typedef struct { float32x4_t v[4]; } f32x16;

#define KV_LANES2(name, op) \
    static inline f32x16 name(f32x16 a, f32x16 b) { f32x16 r; for (int i = 0; i < 4; i++) r.v[i] = op(a.v[i], b.v[i]); return r; }
#define KV_LANES1(name, op) \
    static inline f32x16 name(f32x16 a) { f32x16 r; for (int i = 0; i < 4; i++) r.v[i] = op(a.v[i]); return r; }

static inline f32x16 splat(float x) { const float32x4_t s = vdupq_n_f32(x); return (f32x16){{s, s, s, s}}; }
static inline f32x16 load(const float *p) { return (f32x16){{vld1q_f32(p), vld1q_f32(p + 4), vld1q_f32(p + 8), vld1q_f32(p + 12)}}; }
static inline void store(float *p, f32x16 x) { for (int i = 0; i < 4; i++) vst1q_f32(p + 4 * i, x.v[i]); }
/// The first n < 16 elements, the other lanes +0; nothing beyond them is touched.
static inline f32x16 load_first(const float *p, size_t n) {
    float padded[16] = {0};
    memcpy(padded, p, n * sizeof *p);
    return load(padded);
}
static inline void store_first(float *p, f32x16 x, size_t n) {
    float all[16];
    store(all, x);
    memcpy(p, all, n * sizeof *p);
}

static inline f32x16 load_f16(const uint16_t *p) {
    f32x16 r;
    for (int i = 0; i < 4; i++) r.v[i] = vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p + 4 * i)));
    return r;
}
static inline f32x16 load_f16_first(const uint16_t *p, size_t n) {
    uint16_t padded[16] = {0};
    memcpy(padded, p, n * sizeof *p);
    return load_f16(padded);
}
static inline f32x16 load_bf16(const uint16_t *p) {
    f32x16 r;
    for (int i = 0; i < 4; i++) r.v[i] = vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p + 4 * i), 16));
    return r;
}
static inline f32x16 load_bf16_first(const uint16_t *p, size_t n) {
    uint16_t padded[16] = {0};
    memcpy(padded, p, n * sizeof *p);
    return load_bf16(padded);
}
static inline void store_f16(uint16_t *p, f32x16 x) { for (int i = 0; i < 4; i++) vst1_u16(p + 4 * i, vreinterpret_u16_f16(vcvt_f16_f32(x.v[i]))); }

// x86's rule for max and min: the second operand when they are equal or either is NaN.
static inline float32x4_t max_x86(float32x4_t a, float32x4_t b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }
static inline float32x4_t min_x86(float32x4_t a, float32x4_t b) { return vbslq_f32(vcltq_f32(a, b), a, b); }
KV_LANES2(add, vaddq_f32)
KV_LANES2(sub, vsubq_f32)
KV_LANES2(mul, vmulq_f32)
KV_LANES2(divide, vdivq_f32)
KV_LANES2(maximum, max_x86)
KV_LANES2(minimum, min_x86)
KV_LANES1(magnitude, vabsq_f32)
KV_LANES1(nearest, vrndnq_f32)
static inline f32x16 fused(f32x16 a, f32x16 b, f32x16 c) {
    f32x16 r;
    for (int i = 0; i < 4; i++) r.v[i] = vfmaq_f32(c.v[i], a.v[i], b.v[i]);
    return r;
}
/// a < b ? x : y per lane.
static inline f32x16 select_less(f32x16 a, f32x16 b, f32x16 x, f32x16 y) {
    f32x16 r;
    for (int i = 0; i < 4; i++) r.v[i] = vbslq_f32(vcltq_f32(a.v[i], b.v[i]), x.v[i], y.v[i]);
    return r;
}
/// The magnitude of a with the sign of b.
static inline f32x16 with_sign(f32x16 a, f32x16 b) {
    f32x16 r;
    for (int i = 0; i < 4; i++) r.v[i] = vbslq_f32(vdupq_n_u32(0x80000000), b.v[i], a.v[i]);
    return r;
}
/// One bit per lane, lane 0 lowest. Comparisons with NaN are false, so not_at_most is true for it.
static inline uint32_t lane_bits(uint32x4_t mask) {
    const uint32x4_t weight = {1, 2, 4, 8};
    return vaddvq_u32(vandq_u32(mask, weight));
}
#define KV_LANE_BITS(name, compare) \
    static inline uint32_t name(f32x16 a, f32x16 b) { uint32_t r = 0; for (int i = 0; i < 4; i++) r |= lane_bits(compare(a.v[i], b.v[i])) << 4 * i; return r; }
static inline uint32x4_t not_at_most(float32x4_t a, float32x4_t b) { return vmvnq_u32(vcleq_f32(a, b)); }
KV_LANE_BITS(bits_greater, vcgtq_f32)
KV_LANE_BITS(bits_equal, vceqq_f32)
KV_LANE_BITS(bits_not_at_most, not_at_most)

static inline float tree_sum(f32x16 x) {
    const float32x4_t low = vaddq_f32(x.v[0], x.v[2]), high = vaddq_f32(x.v[1], x.v[3]);
    const float32x4_t t4 = vaddq_f32(low, high);
    const float32x2_t t2 = vadd_f32(vget_low_f32(t4), vget_high_f32(t4));
    return vget_lane_f32(t2, 0) + vget_lane_f32(t2, 1);
}
static inline float largest(f32x16 x) {
    return vmaxvq_f32(vmaxq_f32(vmaxq_f32(x.v[0], x.v[1]), vmaxq_f32(x.v[2], x.v[3])));
}

static inline f32x16 exponential(f32x16 x) {
    const f32x16 capped = minimum(x, splat(KV_EXP_HIGHEST));
    const f32x16 n = nearest(mul(capped, splat(KV_LOG2_E)));
    f32x16 r = fused(n, splat(-KV_LN2_HIGH), capped);
    r = fused(n, splat(-KV_LN2_LOW), r);
    f32x16 p = splat(KV_EXP_P0);
    p = fused(p, r, splat(KV_EXP_P1));
    p = fused(p, r, splat(KV_EXP_P2));
    p = fused(p, r, splat(KV_EXP_P3));
    p = fused(p, r, splat(KV_EXP_P4));
    p = fused(p, r, splat(KV_EXP_P5));
    p = add(fused(p, mul(r, r), r), splat(1));
    for (int i = 0; i < 4; i++) {
        const int32x4_t shifted = vshlq_n_s32(vcvtnq_s32_f32(n.v[i]), 23);
        const uint32x4_t scaled = vreinterpretq_u32_s32(vaddq_s32(vreinterpretq_s32_f32(p.v[i]), shifted));
        p.v[i] = vreinterpretq_f32_u32(vandq_u32(scaled, vcgeq_f32(x.v[i], vdupq_n_f32(KV_EXP_LOWEST))));
    }
    return p;
}

/// m of x = 2^e m, 0.5 <= m < 1, for positive normal floats.
static inline f32x16 split_power(f32x16 x, f32x16 *e) {
    f32x16 m;
    for (int i = 0; i < 4; i++) {
        const uint32x4_t bits = vreinterpretq_u32_f32(x.v[i]);
        const int32x4_t power = vreinterpretq_s32_u32(vshrq_n_u32(bits, 23));
        e->v[i] = vcvtq_f32_s32(vsubq_s32(power, vdupq_n_s32(126)));
        const uint32x4_t kept = vandq_u32(bits, vdupq_n_u32(0x007fffff));
        m.v[i] = vreinterpretq_f32_u32(vorrq_u32(kept, vdupq_n_u32(0x3f000000)));
    }
    return m;
}

/// The first n < 16 elements, the other lanes -0: multiplied by +0 they leave every sum its bits, -0 too.
static inline f32x16 load_factor_first(const float *p, size_t n) {
    float padded[16];
    store(padded, splat(-0.0f));
    memcpy(padded, p, n * sizeof *p);
    return load(padded);
}
static inline uint16x4_t round_bf16(float32x4_t v) {
    const uint32x4_t bits = vreinterpretq_u32_f32(v), high = vshrq_n_u32(bits, 16);
    const uint32x4_t half = vaddq_u32(vdupq_n_u32(0x7fff), vandq_u32(high, vdupq_n_u32(1)));
    const uint32x4_t nearest_even = vshrq_n_u32(vaddq_u32(bits, half), 16);
    const uint32x4_t quiet = vorrq_u32(high, vdupq_n_u32(0x40));
    return vmovn_u32(vbslq_u32(vceqq_f32(v, v), nearest_even, quiet));
}
static inline void store_bf16(uint16_t *p, f32x16 x) { for (int i = 0; i < 4; i++) vst1_u16(p + 4 * i, round_bf16(x.v[i])); }
static inline void store_f16_first(uint16_t *p, f32x16 x, size_t n) {
    uint16_t all[16];
    store_f16(all, x);
    memcpy(p, all, n * sizeof *p);
}
static inline void store_bf16_first(uint16_t *p, f32x16 x, size_t n) {
    uint16_t all[16];
    store_bf16(all, x);
    memcpy(p, all, n * sizeof *p);
}
static inline void copy_64_bytes(void *to, const void *from) {
    const uint8x16_t part[4] = {vld1q_u8(from), vld1q_u8((const uint8_t *)from + 16), vld1q_u8((const uint8_t *)from + 32), vld1q_u8((const uint8_t *)from + 48)};
    for (int i = 0; i < 4; i++) vst1q_u8((uint8_t *)to + 16 * i, part[i]);
}
/// The tree sums of four vectors.
static inline void store_tree_sums(float *p, const f32x16 *v) { for (int i = 0; i < 4; i++) p[i] = tree_sum(v[i]); }
/// Those of 4 x 4 vectors, four to a row of p.
static inline void store_tile_sums(float *p, size_t stride, const f32x16 *v) { for (int i = 0; i < 4; i++) store_tree_sums(p + i * stride, v + 4 * i); }
/// A hint; it never faults, so that it may point beyond the rows.
static inline void prefetch(const void *p) { __builtin_prefetch(p); }
/// swap_d: lane i receives lane i ^ d.
static inline float32x4_t swap_halves(float32x4_t v) { return vextq_f32(v, v, 2); }
KV_LANES1(swap_1, vrev64q_f32)
KV_LANES1(swap_2, swap_halves)
static inline f32x16 swap_4(f32x16 x) { return (f32x16){{x.v[1], x.v[0], x.v[3], x.v[2]}}; }
static inline f32x16 swap_8(f32x16 x) { return (f32x16){{x.v[2], x.v[3], x.v[0], x.v[1]}}; }
