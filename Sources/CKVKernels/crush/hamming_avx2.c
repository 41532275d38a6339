// Hamming distances on AVX2. Signatures of 1, 2, 4 and 8 bytes fill 32-byte vectors that are
// compared with the repeated anchor: bits are counted by a table of nibbles (pshufb), bytes added
// pairwise up to the signature's width. A byte counts 8 at most, so the 8-bit and 16-bit sums
// cannot overflow. Other widths go by words.
#if defined(__x86_64__)
#include "dispatch/target.h"
#include "dispatch/variants.h"
#include <immintrin.h>

KV_TARGET_BEGIN(KV_AVX2)
#include "crush/hamming_words.h"

static inline __m256i bit_counts(__m256i v) {
    const __m256i nibble = _mm256_set1_epi8(15);
    const __m256i table = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, //
                                           0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
    const __m256i low = _mm256_and_si256(v, nibble);
    const __m256i high = _mm256_and_si256(_mm256_srli_epi16(v, 4), nibble);
    return _mm256_add_epi8(_mm256_shuffle_epi8(table, low), _mm256_shuffle_epi8(table, high));
}

static inline __m256i repeated(const uint8_t *anchor, size_t bytes) {
    uint8_t all[32];
    for (size_t i = 0; i < 32; i++) all[i] = anchor[i % bytes];
    return _mm256_loadu_si256((const __m256i *)all);
}

static inline void store_8(uint32_t *p, __m256i v) { _mm256_storeu_si256((__m256i *)p, v); }

/// The distances of 32 bytes of signatures, which hold counts of bits per byte now.
static inline void store_distances(uint32_t *distances, __m256i counts, size_t bytes) {
    if (bytes == 1) {
        const __m128i half[2] = {_mm256_castsi256_si128(counts),
                                 _mm256_extracti128_si256(counts, 1)};
        for (int i = 0; i < 2; i++) {
            store_8(distances + 16 * i, _mm256_cvtepu8_epi32(half[i]));
            store_8(distances + 16 * i + 8, _mm256_cvtepu8_epi32(_mm_srli_si128(half[i], 8)));
        }
    } else if (bytes == 8) {
        const __m256i sums = _mm256_sad_epu8(counts, _mm256_setzero_si256());
        const __m256i packed =
            _mm256_permutevar8x32_epi32(sums, _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6));
        _mm_storeu_si128((__m128i *)distances, _mm256_castsi256_si128(packed));
    } else {
        const __m256i pairs = _mm256_maddubs_epi16(counts, _mm256_set1_epi8(1));
        if (bytes == 4) {
            store_8(distances, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
        } else {
            store_8(distances, _mm256_cvtepu16_epi32(_mm256_castsi256_si128(pairs)));
            store_8(distances + 8, _mm256_cvtepu16_epi32(_mm256_extracti128_si256(pairs, 1)));
        }
    }
}

/// Whole vectors only; returns how many signatures they held.
static inline size_t narrow(uint32_t *distances, const uint8_t *signatures, size_t count,
                            size_t bytes, const uint8_t *anchor) {
    const __m256i pattern = repeated(anchor, bytes);
    const size_t step = 32 / bytes;
    size_t i = 0;
    for (; i + step <= count; i += step) {
        const __m256i v = _mm256_loadu_si256((const __m256i *)(signatures + i * bytes));
        store_distances(distances + i, bit_counts(_mm256_xor_si256(v, pattern)), bytes);
    }
    return i;
}

#include "crush/hamming_widths.h"

void kv_hamming_avx2(uint32_t *distances, const uint8_t *signatures, size_t count, size_t bytes,
                     const uint8_t *anchor) {
    distances_of(distances, signatures, count, bytes, anchor);
}

KV_TARGET_END
#endif
