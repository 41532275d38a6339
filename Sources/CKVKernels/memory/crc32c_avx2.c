// CRC-32C by the instruction of SSE4.2, which is part of the level: the loop is in
// crc32c_stripes.h.
#if defined(__x86_64__)
#include "dispatch/target.h"
#include "dispatch/variants.h"
#include <immintrin.h>

KV_TARGET_BEGIN(KV_AVX2)

static inline uint32_t crc_word(uint32_t crc, uint64_t word) {
    return (uint32_t)_mm_crc32_u64(crc, word);
}
static inline uint32_t crc_byte(uint32_t crc, uint8_t byte) { return _mm_crc32_u8(crc, byte); }
#include "memory/crc32c_stripes.h"

uint32_t kv_crc32c_avx2(uint32_t crc, const void *bytes, size_t count) {
    return crc32c(crc, bytes, count);
}

KV_TARGET_END
#endif
