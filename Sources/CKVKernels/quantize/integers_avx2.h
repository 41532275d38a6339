// i32x16 on AVX2, and the integer dots of fixed-point rows with codes. The same names as in the
// other integers_*.h; include after lanes_avx2.h in a target region. Codes widen to 16 bits for
// VPMADDWD: bytes times signed bytes would saturate for q8.
#pragma once
#include "quantize/coded_lanes.h"

typedef struct {
    __m256i a, b;
} i32x16;

static inline i32x16 splat_integer(int32_t x) {
    return (i32x16){_mm256_set1_epi32(x), _mm256_set1_epi32(x)};
}
static inline i32x16 add_integers(i32x16 x, i32x16 y) {
    return (i32x16){_mm256_add_epi32(x.a, y.a), _mm256_add_epi32(x.b, y.b)};
}
static inline i32x16 subtract(i32x16 x, i32x16 y) {
    return (i32x16){_mm256_sub_epi32(x.a, y.a), _mm256_sub_epi32(x.b, y.b)};
}
static inline int32_t total(i32x16 x) {
    const __m256i t8 = _mm256_add_epi32(x.a, x.b);
    const __m128i t4 = _mm_add_epi32(_mm256_castsi256_si128(t8), _mm256_extracti128_si256(t8, 1));
    const __m128i t2 = _mm_add_epi32(t4, _mm_unpackhi_epi64(t4, t4));
    return _mm_cvtsi128_si32(_mm_add_epi32(t2, _mm_shuffle_epi32(t2, 1)));
}
/// To the nearest integer, ties to even.
static inline i32x16 to_integers(f32x16 x) {
    return (i32x16){_mm256_cvtps_epi32(x.a), _mm256_cvtps_epi32(x.b)};
}
static inline f32x16 to_floats(i32x16 x) {
    return (f32x16){_mm256_cvtepi32_ps(x.a), _mm256_cvtepi32_ps(x.b)};
}

static inline i32x16 load_bytes(const uint8_t *p) {
    const __m128i bytes = _mm_loadu_si128((const __m128i *)p);
    return (i32x16){_mm256_cvtepu8_epi32(bytes), _mm256_cvtepu8_epi32(_mm_srli_si128(bytes, 8))};
}
/// 16 integers as words; they fit.
static inline __m256i narrowed(i32x16 x) {
    return _mm256_permute4x64_epi64(_mm256_packs_epi32(x.a, x.b), _MM_SHUFFLE(3, 1, 2, 0));
}
/// 16 words as bytes, their low halves.
static inline void store_low_bytes(uint8_t *p, __m256i words) {
    words = _mm256_and_si256(words, _mm256_set1_epi16(255));
    _mm_storeu_si128((__m128i *)p, _mm_packus_epi16(_mm256_castsi256_si128(words),
                                                    _mm256_extracti128_si256(words, 1)));
}
static inline void store_bytes(uint8_t *p, i32x16 x) { store_low_bytes(p, narrowed(x)); }
/// 16 integers as words, and as x = 256 * high + low.
static inline void store_fixed(uint8_t *words, uint8_t *high, uint8_t *low, i32x16 x) {
    const __m256i word = narrowed(x);
    _mm256_storeu_si256((__m256i *)words, word);
    store_low_bytes(high, _mm256_srai_epi16(_mm256_add_epi16(word, _mm256_set1_epi16(128)), 8));
    store_low_bytes(low, word);
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
    for (int k = 0; k < 4; k++)
        _mm256_storeu_si256((__m256i *)(row + 2 * i + 32 * k), narrowed(x[k]));
    return add_integers(add_integers(x[0], x[1]), add_integers(x[2], x[3]));
}

/// The codes of 4 lanes, as words; only the first `lanes` are read.
static inline __m256i load_four_lanes(const uint8_t *p, int lanes) {
    const __m128i mask = _mm_cmpgt_epi32(_mm_set1_epi32(lanes), _mm_setr_epi32(0, 1, 2, 3));
    return _mm256_cvtepu8_epi16(lanes >= 4 ? _mm_loadu_si128((const __m128i *)p)
                                           : _mm_maskload_epi32((const int *)p, mask));
}

/// Adds a quad of every row, at `words`, times the codes of 8 lanes, as two sums per lane.
KV_INLINED void add_quad(__m256i sum[4][2], const int rows, const uint8_t *words, size_t row_bytes,
                         __m256i a, __m256i b) {
    for (int r = 0; r < rows; r++) {
        const __m256i quad =
            _mm256_set1_epi64x((long long)kv_load_u64(words + (size_t)r * row_bytes));
        sum[r][0] = _mm256_add_epi32(sum[r][0], _mm256_madd_epi16(a, quad));
        sum[r][1] = _mm256_add_epi32(sum[r][1], _mm256_madd_epi16(b, quad));
    }
}

/// The quad of codes of 4 lanes at place `quad` of a vector, as the words that dots take; its third
/// bits are the lowest 16 of `thirds`.
KV_INLINED __m256i quad_of(__m256i vector, const int quad, const int bits, uint64_t thirds,
                           bool coded, __m256i levels) {
    if (bits == 8) return vector;
    const __m256i lowest = _mm256_set1_epi16((1 << kv_vector_bits(bits)) - 1);
    __m256i codes = _mm256_srli_epi16(vector, quad * kv_vector_bits(bits));
    codes = _mm256_and_si256(codes, lowest);
    if (bits == 3) {
        const __m256i bit = _mm256_setr_epi16(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048,
                                              4096, 8192, 16384, (short)32768);
        const __m256i own = _mm256_and_si256(_mm256_set1_epi16((short)thirds), bit);
        const __m256i four = _mm256_set1_epi16(4);
        codes = _mm256_or_si256(codes, _mm256_and_si256(_mm256_cmpeq_epi16(own, bit), four));
    }
    // A set top bit makes a zero of the high byte of each word.
    const __m256i high = _mm256_set1_epi16((short)0x8000);
    return coded ? _mm256_shuffle_epi8(levels, _mm256_or_si256(codes, high)) : codes;
}

/// sums[column * rows + r] lane l += sum of row r's elements, from i on, times the codes of lane l.
/// One pass for every 8 lanes: the sums of 4 rows then fit the registers.
KV_INLINED void add_dots(i32x16 *sums, const int rows, const int columns, const int bits,
                         fixed_rows fixed, size_t i, coded_lanes codes) {
    const bool coded = bits <= 4 && codes.levels;
    __m128i levels = _mm_setzero_si128();
    if (coded)
        levels =
            _mm_xor_si128(_mm_loadu_si128((const __m128i *)codes.levels), _mm_set1_epi8((char)128));
    const __m256i table = _mm256_broadcastsi128_si256(levels);
    for (int pass = 0; pass < 2 * columns; pass++) {
        const int column = pass / 2, half = pass % 2, lanes = (int)codes.lanes - 8 * half;
        const uint8_t *words = fixed.first + 2 * i;
        __m256i sum[4][2];
        for (int r = 0; r < rows; r++) sum[r][0] = sum[r][1] = _mm256_setzero_si256();
        for (size_t tile = 0; tile < codes.tiles; tile++) {
            const uint8_t *p =
                codes.first + column * codes.column_bytes + tile * codes.tile_bytes + 32 * half;
            for (size_t v = 0; v < codes.vectors; v++, p += codes.vector_bytes) {
                if (half == 0) prefetch_window(p);
                const __m256i a = load_four_lanes(p, lanes);
                const __m256i b = load_four_lanes(p + 16, lanes - 4);
                for (int quad = 0; quad < (int)kv_vector_codes(bits) / 4; quad++, words += 8) {
                    const uint64_t thirds =
                        third_bits(bits, codes, column, tile, v, quad) >> 32 * half;
                    add_quad(sum, rows, words, fixed.row_bytes,
                             quad_of(a, quad, bits, thirds, coded, table),
                             quad_of(b, quad, bits, thirds >> 16, coded, table));
                }
            }
        }
        for (int r = 0; r < rows; r++) {
            const __m256i joined = _mm256_permute4x64_epi64(_mm256_hadd_epi32(sum[r][0], sum[r][1]),
                                                            _MM_SHUFFLE(3, 1, 2, 0));
            i32x16 *own = sums + column * rows + r;
            if (half == 0)
                own->a = _mm256_add_epi32(own->a, joined);
            else
                own->b = _mm256_add_epi32(own->b, joined);
        }
    }
}
