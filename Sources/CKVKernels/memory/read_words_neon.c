// Exclusive or of a buffer's words on NEON, into four accumulators, so that loads never wait.
#if defined(__aarch64__)
#include "dispatch/target.h"
#include "dispatch/variants.h"
#include <arm_neon.h>

KV_TARGET_BEGIN(KV_NEON)

uint64_t kv_read_words_neon(const void *bytes, size_t count) {
    const uint8_t *p = bytes;
    uint64x2_t all[4] = {vdupq_n_u64(0), vdupq_n_u64(0), vdupq_n_u64(0), vdupq_n_u64(0)};
    for (; count >= 64; p += 64, count -= 64)
        for (int i = 0; i < 4; i++)
            all[i] = veorq_u64(all[i], vreinterpretq_u64_u8(vld1q_u8(p + 16 * i)));
    const uint64x2_t both = veorq_u64(veorq_u64(all[0], all[1]), veorq_u64(all[2], all[3]));
    return vgetq_lane_u64(both, 0) ^ vgetq_lane_u64(both, 1) ^ kv_read_words_scalar(p, count);
}

KV_TARGET_END
#endif
