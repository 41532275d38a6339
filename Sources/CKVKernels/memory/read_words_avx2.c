// Exclusive or of a buffer's words on AVX2. Eight pages are read side by side, each into an
// accumulator of its own, and the same lines of the next eight are fetched ahead: a core's
// prefetchers work page by page, and one page at a time leaves a quarter of the memory's speed
// unused.
#if defined(__x86_64__)
#include "dispatch/target.h"
#include "dispatch/variants.h"
#include <immintrin.h>

KV_TARGET_BEGIN(KV_AVX2)

enum { page = 4096, pages = 8 };

static inline __m256i words(const uint8_t *p) { return _mm256_loadu_si256((const __m256i *)p); }

uint64_t kv_read_words_avx2(const void *bytes, size_t count) {
    const uint8_t *p = bytes;
    __m256i all[pages] = {_mm256_setzero_si256()};
    for (; count >= page * pages; p += page * pages, count -= page * pages)
        for (const uint8_t *line = p; line < p + page; line += 64)
            for (int i = 0; i < pages; i++) {
                const uint8_t *at = line + page * i;
                _mm_prefetch((const char *)at + page * pages, _MM_HINT_T0);
                all[i] = _mm256_xor_si256(all[i], _mm256_xor_si256(words(at), words(at + 32)));
            }
    for (; count >= 32; p += 32, count -= 32) all[0] = _mm256_xor_si256(all[0], words(p));
    for (int i = 1; i < pages; i++) all[0] = _mm256_xor_si256(all[0], all[i]);
    uint64_t word[4], result = kv_read_words_scalar(p, count);
    _mm256_storeu_si256((__m256i *)word, all[0]);
    for (int i = 0; i < 4; i++) result ^= word[i];
    return result;
}

KV_TARGET_END
#endif
