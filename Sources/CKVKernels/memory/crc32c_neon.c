// CRC-32C by the instruction of the CRC extension, which is part of the level.
#if defined(__aarch64__)
#include "dispatch/target.h"
#include "dispatch/variants.h"
#include <arm_acle.h>
#include <string.h>

KV_TARGET_BEGIN(KV_NEON)

uint32_t kv_crc32c_neon(uint32_t crc, const void *bytes, size_t count) {
    const uint8_t *p = bytes;
    crc = ~crc;
    for (; count >= 8; p += 8, count -= 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        crc = __crc32cd(crc, word);
    }
    for (; count > 0; p++, count--) crc = __crc32cb(crc, *p);
    return ~crc;
}

KV_TARGET_END
#endif
