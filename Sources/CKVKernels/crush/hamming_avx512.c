// Hamming distances on AVX-512. Signatures of 1, 2, 4 and 8 bytes fill 64-byte vectors that are
// compared with the repeated anchor: bits are counted by a table of nibbles (pshufb; VPOPCNTDQ is
// not part of the level), bytes added up to the signature's width, four of them by one integer dot
// product. A byte counts 8 at most, so the sums cannot overflow. Other widths go by words.
#if defined(__x86_64__)
#include "dispatch/target.h"
#include "dispatch/variants.h"
#include <immintrin.h>

KV_TARGET_BEGIN(KV_AVX512)
#include "crush/hamming_words.h"

static inline __m512i bit_counts(__m512i v) {
    const __m512i nibble = _mm512_set1_epi8(15);
    const __m512i table =
        _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
    const __m512i low = _mm512_and_si512(v, nibble);
    const __m512i high = _mm512_and_si512(_mm512_srli_epi16(v, 4), nibble);
    return _mm512_add_epi8(_mm512_shuffle_epi8(table, low), _mm512_shuffle_epi8(table, high));
}

static inline __m512i repeated(const uint8_t *anchor, size_t bytes) {
    uint8_t all[64];
    for (size_t i = 0; i < 64; i++) all[i] = anchor[i % bytes];
    return _mm512_loadu_si512(all);
}

/// The distances of 64 bytes of signatures, which hold counts of bits per byte now.
static inline void store_distances(uint32_t *distances, __m512i counts, size_t bytes) {
    const __m512i ones = _mm512_set1_epi8(1);
    if (bytes == 1) {
        const __m128i quarter[4] = {
            _mm512_castsi512_si128(counts), _mm512_extracti32x4_epi32(counts, 1),
            _mm512_extracti32x4_epi32(counts, 2), _mm512_extracti32x4_epi32(counts, 3)};
        for (int i = 0; i < 4; i++)
            _mm512_storeu_si512(distances + 16 * i, _mm512_cvtepu8_epi32(quarter[i]));
    } else if (bytes == 2) {
        const __m512i pairs = _mm512_maddubs_epi16(counts, ones);
        _mm512_storeu_si512(distances, _mm512_cvtepu16_epi32(_mm512_castsi512_si256(pairs)));
        _mm512_storeu_si512(distances + 16,
                            _mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(pairs, 1)));
    } else if (bytes == 4) {
        _mm512_storeu_si512(distances, _mm512_dpbusd_epi32(_mm512_setzero_si512(), counts, ones));
    } else {
        const __m512i sums = _mm512_sad_epu8(counts, _mm512_setzero_si512());
        _mm256_storeu_si256((__m256i *)distances, _mm512_cvtepi64_epi32(sums));
    }
}

/// Whole vectors only; returns how many signatures they held.
static inline size_t narrow(uint32_t *distances, const uint8_t *signatures, size_t count,
                            size_t bytes, const uint8_t *anchor) {
    const __m512i pattern = repeated(anchor, bytes);
    const size_t step = 64 / bytes;
    size_t i = 0;
    for (; i + step <= count; i += step) {
        const __m512i v = _mm512_loadu_si512(signatures + i * bytes);
        store_distances(distances + i, bit_counts(_mm512_xor_si512(v, pattern)), bytes);
    }
    return i;
}

#include "crush/hamming_widths.h"

void kv_hamming_avx512(uint32_t *distances, const uint8_t *signatures, size_t count, size_t bytes,
                       const uint8_t *anchor) {
    distances_of(distances, signatures, count, bytes, anchor);
}

KV_TARGET_END
#endif
