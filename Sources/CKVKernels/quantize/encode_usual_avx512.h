// Whole tiles of the usual form (coded_lanes.h) of q8 and q4 on AVX-512, without rows of bytes in
// between: codes go from 32-bit lanes to the words of a tile.
#pragma once
#include "quantize/encode_quantized_lanes.h"

enum { usual_group = 32 };

/// The inverse scales of a tile, [groups][16 tokens]; the scales go to their place.
KV_INLINED void tile_inverses(const int bits, float (*inverses)[kv_tile], uint8_t *scales,
                              const float *rows, size_t stride, kv_quantizer quantizer) {
    for (size_t g = 0; g < quantizer.dim / usual_group; g++) {
        _Alignas(64) float high[kv_tile];
        for (size_t t = 0; t < kv_tile; t += 4) {
            f32x16 peak[4];
            for (size_t i = 0; i < 4; i++) {
                const float *group = rows + (t + i) * stride + g * usual_group;
                prefetch_window(group);
                prefetch_window(group + 16);
                peak[i] = maximum(magnitude(load(group)), magnitude(load(group + 16)));
            }
            largest_each(high + t, peak, 4);
        }
        const coder steps = step_coder(bits, scales + g * kv_tile * sizeof(uint16_t), 0, kv_tile,
                                       (extremes){splat(0), load(high)}, quantizer);
        store(inverses[g], steps.inverse);
    }
}

static inline __m512i rounded(const float *x, __m512 inverse) {
    return _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(x), inverse));
}

/// Stored codes of one group of two tokens: part k of the result has quads k and 4 + k of the first
/// token, then of the second.
KV_INLINED __m512i code_quads(const int bits, const float *group, size_t stride,
                              const float *inverses) {
    __m512i words[2];
    for (size_t i = 0; i < 2; i++, group += stride) {
        const __m512 inverse = _mm512_set1_ps(inverses[i]);
        words[i] = _mm512_packs_epi32(rounded(group, inverse), rounded(group + 16, inverse));
    }
    const int8_t peak = (int8_t)((1 << (bits - 1)) - 1), middle = (int8_t)(1 << (bits - 1));
    __m512i codes = _mm512_packs_epi16(words[0], words[1]);
    codes =
        _mm512_max_epi8(_mm512_min_epi8(codes, _mm512_set1_epi8(peak)), _mm512_set1_epi8(-peak));
    return _mm512_add_epi8(codes, _mm512_set1_epi8(middle));
}

/// Four words, one for each of four tokens, go to each of four vectors of the tile.
static inline void store_words(uint8_t *vector, __m512i words) {
    _mm_storeu_si128((__m128i *)vector, _mm512_castsi512_si128(words));
    _mm_storeu_si128((__m128i *)(vector + 64), _mm512_extracti32x4_epi32(words, 1));
    _mm_storeu_si128((__m128i *)(vector + 128), _mm512_extracti32x4_epi32(words, 2));
    _mm_storeu_si128((__m128i *)(vector + 192), _mm512_extracti32x4_epi32(words, 3));
}

/// The words of one group of keys, four tokens at a time.
KV_INLINED void encode_keys(const int bits, uint8_t *vectors, const float *group, size_t stride,
                            const float inverses[kv_tile]) {
    // Where code_quads of tokens 0, 1 and of tokens 2, 3 have quad q of token k:
    // k / 2 * 16 + q % 4 * 4 + k % 2 * 2 + q / 4.
    const __m512i first =
        _mm512_setr_epi32(0, 2, 16, 18, 4, 6, 20, 22, 8, 10, 24, 26, 12, 14, 28, 30);
    const __m512i even =
        _mm512_setr_epi32(0, 2, 16, 18, 8, 10, 24, 26, 1, 3, 17, 19, 9, 11, 25, 27);
    for (size_t t = 0; t < kv_tile; t += 4, group += 4 * stride) {
        const __m512i a = code_quads(bits, group, stride, inverses + t);
        const __m512i b = code_quads(bits, group + 2 * stride, stride, inverses + t + 2);
        if (bits == 8) {
            const __m512i second = _mm512_add_epi32(first, _mm512_set1_epi32(1));
            store_words(vectors + 4 * t, _mm512_permutex2var_epi32(a, first, b));
            store_words(vectors + 256 + 4 * t, _mm512_permutex2var_epi32(a, second, b));
        } else {
            const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(4));
            const __m512i high = _mm512_slli_epi16(_mm512_permutex2var_epi32(a, odd, b), 4);
            store_words(vectors + 4 * t,
                        _mm512_or_si512(_mm512_permutex2var_epi32(a, even, b), high));
        }
    }
}

/// The words of 16 elements of values: the codes of 4 or 8 tokens in each.
KV_INLINED void encode_values(const int bits, uint8_t *vector, size_t vector_bytes,
                              const float *elements, size_t stride, const float inverses[kv_tile]) {
    const __m512i peak = _mm512_set1_epi32((1 << (bits - 1)) - 1);
    const __m512i middle = _mm512_set1_epi32(1 << (bits - 1));
    const __m512i lowest = _mm512_sub_epi32(_mm512_setzero_si512(), peak);
    const size_t tokens = kv_vector_codes(bits);
    for (size_t t = 0; t < kv_tile; t += tokens, vector += vector_bytes) {
        __m512i words = _mm512_setzero_si512();
#pragma unroll
        for (size_t i = 0; i < tokens; i++) {
            __m512i code = rounded(elements + (t + i) * stride, _mm512_set1_ps(inverses[t + i]));
            code = _mm512_max_epi32(_mm512_min_epi32(code, peak), lowest);
            code = _mm512_add_epi32(code, middle);
            words =
                _mm512_or_si512(words, _mm512_slli_epi32(code, (unsigned)(i % 4 * 8 + i / 4 * 4)));
        }
        _mm512_storeu_si512(vector, words);
    }
}

KV_INLINED void encode_usual(const int bits, uint8_t *tile, const float *rows, size_t stride,
                             kv_quantizer quantizer) {
    const size_t vector_bytes = kv_vector_bytes(quantizer, bits);
    _Alignas(64) float inverses[kv_largest_groups][kv_tile];
    tile_inverses(bits, inverses, tile + kv_code_bytes(quantizer, bits), rows, stride, quantizer);
    for (size_t g = 0, e = 0; e < quantizer.dim; g++, e += usual_group) {
        if (quantizer.values) {
            encode_values(bits, tile + 4 * e, vector_bytes, rows + e, stride, inverses[g]);
            encode_values(bits, tile + 4 * e + 64, vector_bytes, rows + e + 16, stride,
                          inverses[g]);
        } else {
            encode_keys(bits, tile + e / kv_vector_codes(bits) * vector_bytes, rows + e, stride,
                        inverses[g]);
        }
    }
}

/// Whole tiles; returns how many rows they take.
KV_INLINED size_t encode_usual_tiles(const int bits, uint8_t *tiles, const float *rows,
                                     size_t stride, size_t n, kv_quantizer quantizer) {
    if (bits != 8 && bits != 4) return 0;
    if (!is_usual(quantizer, kv_block)) return 0;
    size_t t = 0;
    for (; t + kv_tile <= n; t += kv_tile, tiles += kv_tile_bytes(quantizer, bits))
        encode_usual(bits, tiles, rows + t * stride, stride, usual(quantizer, quantizer.dim));
    return t;
}

#define KV_ENCODE_USUAL(bits, isa)                                                                 \
    void kv_encode_q##bits##_##isa(uint8_t *tiles, uint16_t *scales, uint16_t *zeros,              \
                                   const float *rows, size_t stride, size_t n,                     \
                                   kv_quantizer quantizer) {                                       \
        const size_t done = encode_usual_tiles(bits, tiles, rows, stride, n, quantizer);           \
        encode(bits, tiles + done / kv_tile * kv_tile_bytes(quantizer, bits), scales, zeros,       \
               rows + done * stride, stride, n - done, quantizer);                                 \
    }
