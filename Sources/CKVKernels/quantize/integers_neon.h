// i32x16 on NEON, and the integer dots of fixed-point rows with codes. The same names as in the other
// integers_*.h; include after lanes_neon.h.
// LD4 takes the quads of 16 lanes apart, so that a widening multiply by one word of the row adds to lanes.
#pragma once
#include "quantize/fixed_rows.h"

typedef struct {
    int32x4_t v[4];
} i32x16;

static inline i32x16 splat_integer(int32_t x) {
    const int32x4_t s = vdupq_n_s32(x);
    return (i32x16){{s, s, s, s}};
}
static inline i32x16 add_integers(i32x16 x, i32x16 y) {
    for (int i = 0; i < 4; i++) x.v[i] = vaddq_s32(x.v[i], y.v[i]);
    return x;
}
static inline i32x16 subtract(i32x16 x, i32x16 y) {
    for (int i = 0; i < 4; i++) x.v[i] = vsubq_s32(x.v[i], y.v[i]);
    return x;
}
static inline int32_t total(i32x16 x) {
    return vaddvq_s32(vaddq_s32(vaddq_s32(x.v[0], x.v[1]), vaddq_s32(x.v[2], x.v[3])));
}
/// To the nearest integer, ties to even.
static inline i32x16 to_integers(f32x16 x) {
    i32x16 r;
    for (int i = 0; i < 4; i++) r.v[i] = vcvtnq_s32_f32(x.v[i]);
    return r;
}
static inline f32x16 to_floats(i32x16 x) {
    f32x16 r;
    for (int i = 0; i < 4; i++) r.v[i] = vcvtq_f32_s32(x.v[i]);
    return r;
}

static inline i32x16 load_bytes(const uint8_t *p) {
    i32x16 r;
    for (int i = 0; i < 2; i++) {
        const uint16x8_t words = vmovl_u8(vld1_u8(p + 8 * i));
        r.v[2 * i] = vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(words)));
        r.v[2 * i + 1] = vreinterpretq_s32_u32(vmovl_u16(vget_high_u16(words)));
    }
    return r;
}
/// Words 8i ..< 8i + 8; they fit.
static inline int16x8_t narrowed(i32x16 x, int i) {
    return vcombine_s16(vmovn_s32(x.v[2 * i]), vmovn_s32(x.v[2 * i + 1]));
}
static inline void store_bytes(uint8_t *p, i32x16 x) {
    for (int i = 0; i < 2; i++) vst1_u8(p + 8 * i, vmovn_u16(vreinterpretq_u16_s16(narrowed(x, i))));
}
/// 16 integers as words, and as x = 256 * high + low.
static inline void store_fixed(uint8_t *words, uint8_t *high, uint8_t *low, i32x16 x) {
    for (int i = 0; i < 2; i++) {
        const int16x8_t word = narrowed(x, i);
        const int16x8_t rounded = vaddq_s16(word, vdupq_n_s16(128));
        vst1q_u8(words + 16 * i, vreinterpretq_u8_s16(word));
        vst1_u8(high + 8 * i, vreinterpret_u8_s8(vshrn_n_s16(rounded, 8)));
        vst1_u8(low + 8 * i, vmovn_u16(vreinterpretq_u16_s16(word)));
    }
}

/// The codes of 16 lanes, one vector per place in the quad; only the first `lanes` are read.
static inline uint8x16x4_t load_quads(const uint8_t *p, size_t lanes) {
    if (lanes == 16) return vld4q_u8(p);
    uint8_t padded[64] = {0};
    memcpy(padded, p, 4 * lanes);
    return vld4q_u8(padded);
}

/// Adds the codes of 16 lanes times element i of every row.
KV_INLINED void add_code(i32x16 *sum, const int rows, const fixed_row *x, size_t i, uint8x16_t codes) {
    const int16x8_t a = vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(codes)));
    const int16x8_t b = vreinterpretq_s16_u16(vmovl_u8(vget_high_u8(codes)));
    for (int r = 0; r < rows; r++) {
        const int16_t word = kv_load_i16(x[r].words + 2 * i);
        sum[r].v[0] = vmlal_n_s16(sum[r].v[0], vget_low_s16(a), word);
        sum[r].v[1] = vmlal_n_s16(sum[r].v[1], vget_high_s16(a), word);
        sum[r].v[2] = vmlal_n_s16(sum[r].v[2], vget_low_s16(b), word);
        sum[r].v[3] = vmlal_n_s16(sum[r].v[3], vget_high_s16(b), word);
    }
}

/// dots[r] lane l = sum of row r's elements times the codes of lane l.
KV_INLINED void dots(i32x16 *dots, const int rows, const int bits, const fixed_row *x,
                     coded_lanes codes) {
    for (int r = 0; r < rows; r++) dots[r] = splat_integer(0);
    size_t i = 0;
    for (size_t tile = 0; tile < codes.tiles; tile++) {
        const uint8_t *p = codes.first + tile * codes.tile_bytes;
        for (size_t v = 0; v < codes.vectors; v++, p += codes.vector_bytes) {
            const uint8x16x4_t quads = load_quads(p, codes.lanes);
            for (size_t c = 0; c < 4; c++, i++)
                add_code(dots, rows, x, i,
                         bits == 8 ? quads.val[c] : vandq_u8(quads.val[c], vdupq_n_u8(15)));
            if (bits == 8) continue;
            for (size_t c = 0; c < 4; c++, i++)
                add_code(dots, rows, x, i, vshrq_n_u8(quads.val[c], 4));
        }
    }
}
