// i32x16 on AVX-512, and the integer dots of fixed-point rows with codes. The same names as in the other
// integers_*.h; include after lanes_avx512.h in a target region.
// VPDPBUSD multiplies 64 unsigned codes with signed bytes: one pass with the high bytes of the rows, one
// with the low ones, each below 2^22 in magnitude, joined as 256 * high + low.
#pragma once
#include "quantize/fixed_rows.h"

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

/// dots[r] lane l = sum of row r's elements times the codes of lane l.
KV_INLINED void dots(i32x16 *dots, const int rows, const int bits, const fixed_row *x,
                     coded_lanes codes) {
    const __mmask16 lanes = lane_mask(codes.lanes);
    const __m512i nibble = _mm512_set1_epi8(15);
    __m512i high[4], low[4];
    for (int r = 0; r < rows; r++) high[r] = low[r] = _mm512_setzero_si512();
    size_t i = 0;
    for (size_t tile = 0; tile < codes.tiles; tile++) {
        const uint8_t *p = codes.first + tile * codes.tile_bytes;
        for (size_t v = 0; v < codes.vectors; v++, p += codes.vector_bytes) {
            const __m512i packed = _mm512_maskz_loadu_epi32(lanes, p);
            const __m512i a = bits == 8 ? packed : _mm512_and_si512(packed, nibble);
            for (int r = 0; r < rows; r++) {
                high[r] = _mm512_dpbusd_epi32(high[r], a, splat_integer(kv_load_i32(x[r].high + i)));
                low[r] = _mm512_dpbusd_epi32(low[r], a, splat_integer(kv_load_i32(x[r].low + i)));
            }
            i += 4;
            if (bits == 8) continue;
            const __m512i b = _mm512_and_si512(_mm512_srli_epi16(packed, 4), nibble);
            for (int r = 0; r < rows; r++) {
                high[r] = _mm512_dpbusd_epi32(high[r], b, splat_integer(kv_load_i32(x[r].high + i)));
                low[r] = _mm512_dpbusd_epi32(low[r], b, splat_integer(kv_load_i32(x[r].low + i)));
            }
            i += 4;
        }
    }
    for (int r = 0; r < rows; r++)
        dots[r] = _mm512_add_epi32(_mm512_slli_epi32(high[r], 8), low[r]);
}
