// i32x16 on NEON, and the integer dots of fixed-point rows with codes. The same names as in the
// other integers_*.h; include after lanes_neon.h. LD4 takes the quads of 16 lanes apart, so that a
// widening multiply by one word of the row adds to lanes.
#pragma once
#include "quantize/coded_lanes.h"

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
    for (int i = 0; i < 2; i++)
        vst1_u8(p + 8 * i, vmovn_u16(vreinterpretq_u16_s16(narrowed(x, i))));
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

/// half[i] += bit i.
static inline void add_bits(uint16_t half[16], uint32_t bits) {
    for (int i = 0; i < 16; i++) half[i] = (uint16_t)(half[i] + (bits >> i & 1));
}

/// A vector whose largest is the largest magnitude of four.
static inline f32x16 largest_magnitudes(const f32x16 x[4]) {
    return maximum(maximum(magnitude(x[0]), magnitude(x[1])),
                   maximum(magnitude(x[2]), magnitude(x[3])));
}

/// Largest and total of each of `rows` vectors.
KV_INLINED void largest_each(float *largests, const f32x16 *x, const int rows) {
    for (int r = 0; r < rows; r++) largests[r] = largest(x[r]);
}
KV_INLINED void total_each(int32_t *totals, const i32x16 *x, const int rows) {
    for (int r = 0; r < rows; r++) totals[r] = total(x[r]);
}

/// Prepared rows, and rows of up to `padded` integers: their words.
static inline fixed_rows rows_of_prepared(const uint8_t *prepared, kv_prepared_layout layout) {
    return (fixed_rows){prepared + layout.words, layout.bytes, 0};
}
static inline fixed_rows rows_of_integers(const uint8_t *rows, size_t padded) {
    return (fixed_rows){rows, 2 * padded, 0};
}
/// 64 integers of such a row, from i on; returns a vector whose total is theirs.
static inline i32x16 store_fixed_block(uint8_t *row, size_t padded, size_t i, const i32x16 x[4]) {
    (void)padded;
    for (int k = 0; k < 8; k++)
        vst1q_u8(row + 2 * i + 16 * k, vreinterpretq_u8_s16(narrowed(x[k / 2], k % 2)));
    return add_integers(add_integers(x[0], x[1]), add_integers(x[2], x[3]));
}

/// The codes of 16 lanes, one vector per place in the quad; only the first `lanes` are read.
static inline uint8x16x4_t load_quads(const uint8_t *p, size_t lanes) {
    if (lanes == 16) return vld4q_u8(p);
    uint8_t padded[64] = {0};
    memcpy(padded, p, 4 * lanes);
    return vld4q_u8(padded);
}

/// Adds an element of every row, at `word`, times the codes of 16 lanes.
KV_INLINED void add_element(i32x16 *sums, const int rows, const uint8_t *word, size_t row_bytes,
                            uint8x16_t codes) {
    const int16x8_t a = vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(codes)));
    const int16x8_t b = vreinterpretq_s16_u16(vmovl_u8(vget_high_u8(codes)));
    for (int r = 0; r < rows; r++) {
        const int16_t x = kv_load_i16(word + (size_t)r * row_bytes);
        sums[r].v[0] = vmlal_n_s16(sums[r].v[0], vget_low_s16(a), x);
        sums[r].v[1] = vmlal_n_s16(sums[r].v[1], vget_high_s16(a), x);
        sums[r].v[2] = vmlal_n_s16(sums[r].v[2], vget_low_s16(b), x);
        sums[r].v[3] = vmlal_n_s16(sums[r].v[3], vget_high_s16(b), x);
    }
}

/// Element c of the quad at place `quad` of 16 lanes, as the byte that dots take.
KV_INLINED uint8x16_t codes_of(uint8x16_t vector, int c, const int quad, const int bits,
                               uint64_t thirds, bool coded, uint8x16_t levels) {
    if (bits == 8) return vector;
    const uint8_t lowest = (1 << kv_vector_bits(bits)) - 1;
    const int8x16_t places = vdupq_n_s8((int8_t)(-quad * kv_vector_bits(bits)));
    uint8x16_t codes = vandq_u8(vshlq_u8(vector, places), vdupq_n_u8(lowest));
    if (bits == 3) {
        // A byte holds two lanes: doubled, its bits part into those of even and of odd lanes.
        const uint8x16_t nibbles = vreinterpretq_u8_u64(vdupq_n_u64(thirds));
        const uint8x16_t twice = vzip1q_u8(nibbles, nibbles);
        const uint8x16_t bit = vreinterpretq_u8_u16(vdupq_n_u16((uint16_t)(0x1001 << c)));
        codes = vorrq_u8(codes, vandq_u8(vtstq_u8(twice, bit), vdupq_n_u8(4)));
    }
    return coded ? vqtbl1q_u8(levels, codes) : codes;
}

/// sums[column * rows + r] lane l += sum of row r's elements, from i on, times the codes of lane l.
KV_INLINED void add_dots(i32x16 *sums, const int rows, const int columns, const int bits,
                         fixed_rows fixed, size_t i, coded_lanes codes) {
    const bool coded = bits <= 4 && codes.levels;
    uint8x16_t levels = vdupq_n_u8(0);
    if (coded) levels = veorq_u8(vreinterpretq_u8_s8(vld1q_s8(codes.levels)), vdupq_n_u8(128));
    for (int column = 0; column < columns; column++, sums += rows) {
        const uint8_t *word = fixed.first + 2 * i;
        for (size_t tile = 0; tile < codes.tiles; tile++) {
            const uint8_t *p = codes.first + column * codes.column_bytes + tile * codes.tile_bytes;
            for (size_t v = 0; v < codes.vectors; v++, p += codes.vector_bytes) {
                prefetch_window(p);
                const uint8x16x4_t quads = load_quads(p, codes.lanes);
                for (int quad = 0; quad < (int)kv_vector_codes(bits) / 4; quad++) {
                    const uint64_t thirds = third_bits(bits, codes, column, tile, v, quad);
                    for (int c = 0; c < 4; c++, word += 2)
                        add_element(sums, rows, word, fixed.row_bytes,
                                    codes_of(quads.val[c], c, quad, bits, thirds, coded, levels));
                }
            }
        }
    }
}
