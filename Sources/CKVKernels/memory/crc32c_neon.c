// CRC-32C by the instruction of the CRC extension, which is part of the level: the loop is in
// crc32c_stripes.h.
#if defined(__aarch64__)
#include "dispatch/target.h"
#include "dispatch/variants.h"
#include <arm_acle.h>

KV_TARGET_BEGIN(KV_NEON)

static inline uint32_t crc_word(uint32_t crc, uint64_t word) { return __crc32cd(crc, word); }
static inline uint32_t crc_byte(uint32_t crc, uint8_t byte) { return __crc32cb(crc, byte); }
#include "memory/crc32c_stripes.h"

uint32_t kv_crc32c_neon(uint32_t crc, const void *bytes, size_t count) {
    return crc32c(crc, bytes, count);
}

KV_TARGET_END
#endif
