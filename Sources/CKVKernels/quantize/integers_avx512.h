// i32x16 on AVX-512, and the integer dots of fixed-point rows with codes. The same names as in the
// other integers_*.h; include after lanes_avx512.h in a target region. VPDPBUSD multiplies 64
// unsigned codes with signed bytes: one pass with the high bytes of the rows, one with the low
// ones, each below 2^22 in magnitude, joined as 256 * high + low.
#pragma once
#include "quantize/coded_lanes.h"

typedef __m512i i32x16;

static inline i32x16 splat_integer(int32_t x) { return _mm512_set1_epi32(x); }
static inline i32x16 add_integers(i32x16 a, i32x16 b) { return _mm512_add_epi32(a, b); }
static inline i32x16 subtract(i32x16 a, i32x16 b) { return _mm512_sub_epi32(a, b); }
static inline int32_t total(i32x16 a) { return _mm512_reduce_add_epi32(a); }
/// To the nearest integer, ties to even.
static inline i32x16 to_integers(f32x16 x) { return _mm512_cvtps_epi32(x); }
static inline f32x16 to_floats(i32x16 x) { return _mm512_cvtepi32_ps(x); }

static inline i32x16 load_bytes(const uint8_t *p) {
    return _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)p));
}
static inline void store_bytes(uint8_t *p, i32x16 x) {
    _mm_storeu_si128((__m128i *)p, _mm512_cvtepi32_epi8(x));
}
/// 16 integers as words, and as x = 256 * high + low.
static inline void store_fixed(uint8_t *words, uint8_t *high, uint8_t *low, i32x16 x) {
    _mm256_storeu_si256((__m256i *)words, _mm512_cvtepi32_epi16(x));
    store_bytes(high, _mm512_srai_epi32(_mm512_add_epi32(x, _mm512_set1_epi32(128)), 8));
    store_bytes(low, x);
}

/// half[i] += bit i.
static inline void add_bits(uint16_t half[16], uint32_t bits) {
    const __m256i all = _mm256_loadu_si256((const __m256i *)half), one = _mm256_set1_epi16(1);
    _mm256_storeu_si256((__m256i *)half, _mm256_mask_add_epi16(all, (__mmask16)bits, all, one));
}

/// A vector whose largest is the largest magnitude of four.
static inline f32x16 largest_magnitudes(const f32x16 x[4]) {
    enum { magnitudes = 0x0b }; // the larger of both magnitudes, without a sign
    return _mm512_range_ps(_mm512_range_ps(x[0], x[1], magnitudes),
                           _mm512_range_ps(x[2], x[3], magnitudes), magnitudes);
}

/// Largest and total of each of `rows` vectors; four are reduced in one transposing tree.
KV_INLINED void largest_each(float *largests, const f32x16 *x, const int rows) {
    if (rows != 4) {
        for (int r = 0; r < rows; r++) largests[r] = largest(x[r]);
        return;
    }
    const __m512 a = _mm512_max_ps(_mm512_unpacklo_ps(x[0], x[1]), _mm512_unpackhi_ps(x[0], x[1]));
    const __m512 b = _mm512_max_ps(_mm512_unpacklo_ps(x[2], x[3]), _mm512_unpackhi_ps(x[2], x[3]));
    const __m512 c = _mm512_max_ps(_mm512_shuffle_ps(a, b, 0x44), _mm512_shuffle_ps(a, b, 0xee));
    const __m256 d = _mm256_max_ps(_mm512_castps512_ps256(c), _mm512_extractf32x8_ps(c, 1));
    _mm_storeu_ps(largests, _mm_max_ps(_mm256_castps256_ps128(d), _mm256_extractf128_ps(d, 1)));
}
KV_INLINED void total_each(int32_t *totals, const i32x16 *x, const int rows) {
    if (rows != 4) {
        for (int r = 0; r < rows; r++) totals[r] = total(x[r]);
        return;
    }
    const __m512i a =
        _mm512_add_epi32(_mm512_unpacklo_epi32(x[0], x[1]), _mm512_unpackhi_epi32(x[0], x[1]));
    const __m512i b =
        _mm512_add_epi32(_mm512_unpacklo_epi32(x[2], x[3]), _mm512_unpackhi_epi32(x[2], x[3]));
    const __m512i c = _mm512_add_epi32(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
    const __m256i d = _mm256_add_epi32(_mm512_castsi512_si256(c), _mm512_extracti64x4_epi64(c, 1));
    _mm_storeu_si128((__m128i *)totals,
                     _mm_add_epi32(_mm256_castsi256_si128(d), _mm256_extracti128_si256(d, 1)));
}

/// Prepared rows, and rows of up to `padded` integers: high bytes, then low ones.
static inline fixed_rows rows_of_prepared(const uint8_t *prepared, kv_prepared_layout layout) {
    return (fixed_rows){prepared + layout.high, layout.bytes, layout.low - layout.high};
}
static inline fixed_rows rows_of_integers(const uint8_t *rows, size_t padded) {
    return (fixed_rows){rows, 2 * padded, padded};
}
/// 64 integers of such a row, from i on; returns a vector whose total is theirs.
static inline i32x16 store_fixed_block(uint8_t *row, size_t padded, size_t i, const i32x16 x[4]) {
    // Words plus 128 have the high byte above; the low one below, but for its top bit. Bytes of a
    // lane are parted, and what packing has left is dword 4 q + k for quad q of integers x[k].
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const __m512i part =
        _mm512_broadcast_i32x4(_mm_setr_epi8(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15));
    const __m512i half = _mm512_set1_epi16(128);
    const __m512i words_a = _mm512_packs_epi32(x[0], x[1]),
                  words_b = _mm512_packs_epi32(x[2], x[3]);
    const __m512i a = _mm512_add_epi16(words_a, half), b = _mm512_add_epi16(words_b, half);
    const __m512i parted_a = _mm512_shuffle_epi8(a, part), parted_b = _mm512_shuffle_epi8(b, part);
    const __m512i highs = _mm512_unpackhi_epi64(parted_a, parted_b);
    const __m512i lows =
        _mm512_xor_si512(_mm512_unpacklo_epi64(parted_a, parted_b), _mm512_set1_epi8((char)128));
    _mm512_storeu_si512(row + i, _mm512_permutexvar_epi32(order, highs));
    _mm512_storeu_si512(row + padded + i, _mm512_permutexvar_epi32(order, lows));
    const __m512i one = _mm512_set1_epi16(1);
    return _mm512_dpwssd_epi32(_mm512_madd_epi16(words_a, one), words_b, one);
}

/// Adds a quad of every row, at `fixed`, times the codes of every column.
KV_INLINED void add_quad(__m512i *high, __m512i *low, const int rows, const int columns,
                         fixed_rows fixed, const __m512i *codes) {
    for (int r = 0; r < rows; r++) {
        const uint8_t *row = fixed.first + (size_t)r * fixed.row_bytes;
        const __m512i h = splat_integer(kv_load_i32(row));
        for (int c = 0; c < columns; c++)
            high[c * rows + r] = _mm512_dpbusd_epi32(high[c * rows + r], codes[c], h);
        const __m512i l = splat_integer(kv_load_i32(row + fixed.low));
        for (int c = 0; c < columns; c++)
            low[c * rows + r] = _mm512_dpbusd_epi32(low[c * rows + r], codes[c], l);
    }
}

/// The quad of codes of 16 lanes at place `quad` of a vector, as the bytes that dots take.
KV_INLINED __m512i quad_of(__m512i vector, const int quad, const int bits, uint64_t thirds,
                           bool coded, __m512i levels) {
    if (bits == 8) return vector;
    const __m512i lowest = _mm512_set1_epi8((1 << kv_vector_bits(bits)) - 1);
    __m512i codes = _mm512_srli_epi16(vector, (unsigned)(quad * kv_vector_bits(bits)));
    codes = _mm512_and_si512(codes, lowest);
    if (bits == 3) codes = _mm512_mask_add_epi8(codes, thirds, codes, _mm512_set1_epi8(4));
    return coded ? _mm512_shuffle_epi8(levels, codes) : codes;
}

/// sums[column * rows + r] lane l += sum of row r's elements, from i on, times the codes of lane l.
/// Two columns of 4 rows are 16 independent sums: what hides the latency.
KV_INLINED void add_dots(i32x16 *sums, const int rows, const int columns, const int bits,
                         fixed_rows fixed, size_t i, coded_lanes codes) {
    const __mmask16 lanes = columns > 1 ? 0xffff : lane_mask(codes.lanes);
    const bool coded = bits <= 4 && codes.levels;
    __m128i levels = _mm_setzero_si128();
    if (coded)
        levels =
            _mm_xor_si128(_mm_loadu_si128((const __m128i *)codes.levels), _mm_set1_epi8((char)128));
    const __m512i table = _mm512_broadcast_i32x4(levels);
    __m512i high[8];
    for (int k = 0; k < columns * rows; k++) high[k] = _mm512_setzero_si512();
    fixed.first += i;
    for (size_t tile = 0; tile < codes.tiles; tile++) {
        const uint8_t *p = codes.first + tile * codes.tile_bytes;
        for (size_t v = 0; v < codes.vectors; v++, p += codes.vector_bytes) {
            __m512i vector[2], quads[2];
            for (int c = 0; c < columns; c++) {
                prefetch_window(p + c * codes.column_bytes);
                vector[c] = _mm512_maskz_loadu_epi32(lanes, p + c * codes.column_bytes);
            }
            for (int quad = 0; quad < (int)kv_vector_codes(bits) / 4; quad++, fixed.first += 4) {
                for (int c = 0; c < columns; c++) {
                    const uint64_t thirds = third_bits(bits, codes, c, tile, v, quad);
                    quads[c] = quad_of(vector[c], quad, bits, thirds, coded, table);
                }
                add_quad(high, sums, rows, columns, fixed, quads);
            }
        }
    }
    for (int k = 0; k < columns * rows; k++)
        sums[k] = _mm512_add_epi32(sums[k], _mm512_slli_epi32(high[k], 8));
}
