// Hamming distances on NEON, which counts the bits of bytes (cnt) and adds neighbours (uaddlp).
// Signatures of 1, 2, 4 and 8 bytes fill 16-byte vectors that are compared with the repeated
// anchor; wider ones are taken 16 bytes at a time. A byte counts 8 at most; wide signatures add
// into 16-bit lanes that receive 16 at most per step, so they are emptied after 4095 steps.
#if defined(__aarch64__)
#include "dispatch/target.h"
#include "dispatch/variants.h"
#include <arm_neon.h>

KV_TARGET_BEGIN(KV_NEON)

static inline uint8x16_t repeated(const uint8_t *anchor, size_t bytes) {
    uint8_t all[16];
    for (size_t i = 0; i < 16; i++) all[i] = anchor[i % bytes];
    return vld1q_u8(all);
}

/// The distances of 16 bytes of signatures, which hold counts of bits per byte now.
static inline void store_distances(uint32_t *distances, uint8x16_t counts, size_t bytes) {
    if (bytes == 1) {
        const uint16x8_t half[2] = {vmovl_u8(vget_low_u8(counts)), vmovl_high_u8(counts)};
        for (int i = 0; i < 2; i++) {
            vst1q_u32(distances + 8 * i, vmovl_u16(vget_low_u16(half[i])));
            vst1q_u32(distances + 8 * i + 4, vmovl_high_u16(half[i]));
        }
        return;
    }
    const uint16x8_t pairs = vpaddlq_u8(counts);
    if (bytes == 2) {
        vst1q_u32(distances, vmovl_u16(vget_low_u16(pairs)));
        vst1q_u32(distances + 4, vmovl_high_u16(pairs));
        return;
    }
    const uint32x4_t quads = vpaddlq_u16(pairs);
    if (bytes == 4)
        vst1q_u32(distances, quads);
    else
        vst1_u32(distances, vmovn_u64(vpaddlq_u32(quads)));
}

/// Whole vectors only; returns how many signatures they held.
static inline size_t narrow(uint32_t *distances, const uint8_t *signatures, size_t count,
                            size_t bytes, const uint8_t *anchor) {
    const uint8x16_t pattern = repeated(anchor, bytes);
    const size_t step = 16 / bytes;
    size_t i = 0;
    for (; i + step <= count; i += step) {
        const uint8x16_t v = vld1q_u8(signatures + i * bytes);
        store_distances(distances + i, vcntq_u8(veorq_u8(v, pattern)), bytes);
    }
    return i;
}

static inline uint32_t distance_of(const uint8_t *a, const uint8_t *b, size_t bytes) {
    uint32_t distance = 0;
    size_t i = 0;
    while (i + 16 <= bytes) {
        uint16x8_t sums = vdupq_n_u16(0);
        for (int step = 0; step < 4095 && i + 16 <= bytes; step++, i += 16)
            sums = vpadalq_u8(sums, vcntq_u8(veorq_u8(vld1q_u8(a + i), vld1q_u8(b + i))));
        distance += vaddlvq_u16(sums);
    }
    for (; i < bytes; i++) distance += (uint32_t)__builtin_popcount(a[i] ^ b[i]);
    return distance;
}

#include "crush/hamming_widths.h"

void kv_hamming_neon(uint32_t *distances, const uint8_t *signatures, size_t count, size_t bytes,
                     const uint8_t *anchor) {
    distances_of(distances, signatures, count, bytes, anchor);
}

KV_TARGET_END
#endif
