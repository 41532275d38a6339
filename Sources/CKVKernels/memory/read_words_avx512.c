// Exclusive or of a buffer's words on AVX-512, eight pages side by side as in read_words_avx2.c.
#if defined(__x86_64__)
#include "dispatch/target.h"
#include "dispatch/variants.h"
#include <immintrin.h>

KV_TARGET_BEGIN(KV_AVX512)

enum { page = 4096, pages = 8 };

uint64_t kv_read_words_avx512(const void *bytes, size_t count) {
    const uint8_t *p = bytes;
    __m512i all[pages] = {_mm512_setzero_si512()};
    for (; count >= page * pages; p += page * pages, count -= page * pages)
        for (const uint8_t *line = p; line < p + page; line += 64)
            for (int i = 0; i < pages; i++) {
                const uint8_t *at = line + page * i;
                _mm_prefetch((const char *)at + page * pages, _MM_HINT_T0);
                all[i] = _mm512_xor_si512(all[i], _mm512_loadu_si512(at));
            }
    for (; count >= 64; p += 64, count -= 64)
        all[0] = _mm512_xor_si512(all[0], _mm512_loadu_si512(p));
    for (int i = 1; i < pages; i++) all[0] = _mm512_xor_si512(all[0], all[i]);
    uint64_t word[8], result = kv_read_words_scalar(p, count);
    _mm512_storeu_si512(word, all[0]);
    for (int i = 0; i < 8; i++) result ^= word[i];
    return result;
}

KV_TARGET_END
#endif
