// The vector form of pack_signatures_scalar.c: the bits of 8 heads x 16 tokens come from 8
// comparisons and are transposed to one byte per token; the same on every level.
#pragma once
#include "common/lanes_tail.h"

/// Bit i of the result: token t + i of this head, for i < left; 16 tokens at most.
static inline uint64_t head_bits(const float *scores, size_t t, size_t left, float threshold,
                                 size_t tie_end) {
    const f32x16 x = load_up_to(scores + t, left), limit = splat(threshold);
    const size_t ties = tie_end > t ? tie_end - t : 0;
    const uint32_t in_time = ties < 16 ? (1u << ties) - 1 : 0xffff;
    const uint32_t present = left < 16 ? (1u << left) - 1 : 0xffff;
    return (bits_greater(x, limit) | (bits_equal(x, limit) & in_time)) & present;
}

/// Transposes an 8 x 8 matrix of bits, row i in byte i (Hacker's Delight, section 7-3).
static inline uint64_t transpose_bits(uint64_t x) {
    uint64_t swap = (x ^ x >> 7) & 0x00aa00aa00aa00aa;
    x ^= swap ^ swap << 7;
    swap = (x ^ x >> 14) & 0x0000cccc0000cccc;
    x ^= swap ^ swap << 14;
    swap = (x ^ x >> 28) & 0x00000000f0f0f0f0;
    return x ^ swap ^ swap << 28;
}

/// Sets up to 8 bits from bit `offset` on; bytes that receive none of them are not touched.
static inline void put_bits(uint8_t *signature, size_t offset, uint64_t bits) {
    bits <<= offset % 8;
    signature[offset / 8] |= (uint8_t)bits;
    if (bits >> 8) signature[offset / 8 + 1] |= (uint8_t)(bits >> 8);
}

/// The bits of heads h ..< h + n (8 at most) for the tokens t ..< t + left: byte i is token t + i.
static inline void token_bytes(uint64_t bytes[2], const float *scores, size_t stride, size_t t,
                               size_t left, size_t n, const float *threshold,
                               const uint32_t *tie_end) {
    uint64_t low = 0, high = 0; // byte i: head i, over the first and the last 8 tokens
    for (size_t i = 0; i < n; i++) {
        const uint64_t bits = head_bits(scores + i * stride, t, left, threshold[i], tie_end[i]);
        low |= (bits & 0xff) << 8 * i;
        high |= bits >> 8 << 8 * i;
    }
    bytes[0] = transpose_bits(low);
    bytes[1] = transpose_bits(high);
}

static inline void pack_signatures(uint8_t *signatures, size_t bytes, const float *scores,
                                   size_t stride, size_t heads, size_t tokens, size_t page,
                                   const float *threshold, const uint32_t *tie_end) {
    memset(signatures, 0, (tokens + page - 1) / page * bytes);
    for (size_t t = 0; t < tokens; t += 16) {
        const size_t left = tokens - t < 16 ? tokens - t : 16;
        uint8_t *const first = signatures + t / page * bytes;
        for (size_t h = 0; h < heads; h += 8) {
            uint64_t columns[2];
            token_bytes(columns, scores + h * stride, stride, t, left,
                        heads - h < 8 ? heads - h : 8, threshold + h, tie_end + h);
            uint8_t *signature = first;
            for (size_t i = 0, in_page = t % page; i < left; i++) {
                put_bits(signature, in_page * heads + h, columns[i / 8] >> 8 * (i % 8) & 0xff);
                if (++in_page == page) in_page = 0, signature += bytes;
            }
        }
    }
}
