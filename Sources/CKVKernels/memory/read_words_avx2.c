// Exclusive or of a buffer's words on AVX2, into four accumulators, so that loads never wait.
#if defined(__x86_64__)
#include "dispatch/target.h"
#include "dispatch/variants.h"
#include <immintrin.h>

KV_TARGET_BEGIN(KV_AVX2)

uint64_t kv_read_words_avx2(const void *bytes, size_t count) {
    const uint8_t *p = bytes;
    __m256i all[4] = {_mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256(),
                      _mm256_setzero_si256()};
    for (; count >= 128; p += 128, count -= 128)
        for (int i = 0; i < 4; i++)
            all[i] = _mm256_xor_si256(all[i], _mm256_loadu_si256((const __m256i *)(p + 32 * i)));
    const __m256i both =
        _mm256_xor_si256(_mm256_xor_si256(all[0], all[1]), _mm256_xor_si256(all[2], all[3]));
    const __m128i half =
        _mm_xor_si128(_mm256_castsi256_si128(both), _mm256_extracti128_si256(both, 1));
    return (uint64_t)_mm_cvtsi128_si64(half) ^ (uint64_t)_mm_extract_epi64(half, 1) ^
           kv_read_words_scalar(p, count);
}

KV_TARGET_END
#endif
