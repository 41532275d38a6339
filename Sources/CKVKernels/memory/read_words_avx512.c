// Exclusive or of a buffer's words on AVX-512, into four accumulators, so that loads never wait.
#if defined(__x86_64__)
#include "dispatch/target.h"
#include "dispatch/variants.h"
#include <immintrin.h>

KV_TARGET_BEGIN(KV_AVX512)

uint64_t kv_read_words_avx512(const void *bytes, size_t count) {
    const uint8_t *p = bytes;
    __m512i all[4] = {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512(),
                      _mm512_setzero_si512()};
    for (; count >= 256; p += 256, count -= 256)
        for (int i = 0; i < 4; i++)
            all[i] = _mm512_xor_si512(all[i], _mm512_loadu_si512(p + 64 * i));
    const __m512i both =
        _mm512_xor_si512(_mm512_xor_si512(all[0], all[1]), _mm512_xor_si512(all[2], all[3]));
    uint64_t word[8], result = kv_read_words_scalar(p, count);
    _mm512_storeu_si512(word, both);
    for (int i = 0; i < 8; i++) result ^= word[i];
    return result;
}

KV_TARGET_END
#endif
