// CRC-32C by the instruction of SSE4.2, which is part of the level: eight bytes in three cycles.
#if defined(__x86_64__)
#include "dispatch/target.h"
#include "dispatch/variants.h"
#include <immintrin.h>
#include <string.h>

KV_TARGET_BEGIN(KV_AVX2)

uint32_t kv_crc32c_avx2(uint32_t crc, const void *bytes, size_t count) {
    const uint8_t *p = bytes;
    uint64_t state = (uint32_t)~crc;
    for (; count >= 8; p += 8, count -= 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        state = _mm_crc32_u64(state, word);
    }
    for (; count > 0; p++, count--) state = _mm_crc32_u8((uint32_t)state, *p);
    return ~(uint32_t)state;
}

KV_TARGET_END
#endif
