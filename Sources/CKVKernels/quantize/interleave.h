// Codes of one tile between rows of bytes and the interleaved form. Plain loops that compilers
// vectorise; the four codes of a quad travel as one 32-bit word, whose shifts cannot carry from one
// byte to the next.
#pragma once
#include "quantize/layout.h"

/// The codes of a tile as bytes, zeros where no element or token is.
typedef uint8_t kv_code_rows[kv_tile][kv_largest_dim];

/// The third bits of a quad of codes as a nibble, and back as bits 2 of its bytes.
static inline uint32_t kv_third_nibble(uint32_t quad) {
    const uint32_t thirds = quad >> 2 & 0x01010101;
    return (thirds | thirds >> 7 | thirds >> 14 | thirds >> 21) & 15;
}
static inline uint32_t kv_spread_nibble(uint32_t nibble) {
    return (nibble | nibble << 7 | nibble << 14 | nibble << 21) << 2 & 0x04040404;
}

/// The quad of a lane that begins at place i.
KV_INLINED uint32_t kv_quad(kv_code_rows codes, size_t lane, size_t i, bool values) {
    if (!values) return kv_load_u32(codes[lane] + i);
    return (uint32_t)codes[i][lane] | (uint32_t)codes[i + 1][lane] << 8 |
           (uint32_t)codes[i + 2][lane] << 16 | (uint32_t)codes[i + 3][lane] << 24;
}
KV_INLINED void kv_set_quad(kv_code_rows codes, size_t lane, size_t i, bool values, uint32_t quad) {
    if (!values)
        kv_store_u32(codes[lane] + i, quad);
    else
        for (size_t c = 0; c < 4; c++) codes[i + c][lane] = (uint8_t)(quad >> 8 * c);
}

/// Bytes 2^b - 1 in a word: what a vector holds of each code of a quad.
#define KV_QUAD_MASK(bits) (0x01010101u * ((1u << kv_vector_bits(bits)) - 1))

KV_INLINED void kv_interleave_side(const int bits, const bool values, uint8_t *restrict tile,
                                   kv_code_rows codes, kv_quantizer quantizer) {
    const size_t lanes = kv_lanes(quantizer), width = kv_vector_codes(bits);
    for (size_t v = 0; v < kv_vectors(quantizer, bits); v++) {
        uint8_t *out = tile + v * kv_vector_bytes(quantizer, bits), *thirds = out + 4 * lanes;
        for (size_t lane = 0; lane < lanes; lane++) {
            uint32_t word = 0;
            for (size_t j = 0; j < width / 4; j++)
                word |= (kv_quad(codes, lane, width * v + 4 * j, values) & KV_QUAD_MASK(bits))
                        << j * (size_t)kv_vector_bits(bits);
            kv_store_u32(out + 4 * lane, word);
        }
        if (bits != 3) continue;
        for (size_t j = 0; j < 4; j++, thirds += kv_third_bytes(lanes))
            for (size_t lane = 0; lane < lanes; lane += 2) {
                const size_t i = width * v + 4 * j;
                uint32_t byte = kv_third_nibble(kv_quad(codes, lane, i, values));
                if (lane + 1 < lanes)
                    byte |= kv_third_nibble(kv_quad(codes, lane + 1, i, values)) << 4;
                thirds[lane / 2] = (uint8_t)byte;
            }
    }
}

KV_INLINED void kv_deinterleave_side(const int bits, const bool values, kv_code_rows codes,
                                     const uint8_t *restrict tile, kv_quantizer quantizer) {
    const size_t lanes = kv_lanes(quantizer), width = kv_vector_codes(bits);
    for (size_t v = 0; v < kv_vectors(quantizer, bits); v++) {
        const uint8_t *in = tile + v * kv_vector_bytes(quantizer, bits), *thirds = in + 4 * lanes;
        for (size_t j = 0; j < width / 4; j++)
            for (size_t lane = 0; lane < lanes; lane++) {
                uint32_t quad = kv_load_u32(in + 4 * lane) >> j * (size_t)kv_vector_bits(bits);
                quad &= KV_QUAD_MASK(bits);
                if (bits == 3)
                    quad |= kv_spread_nibble(
                        thirds[j * kv_third_bytes(lanes) + lane / 2] >> lane % 2 * 4 & 15);
                kv_set_quad(codes, lane, width * v + 4 * j, values, quad);
            }
    }
}

KV_INLINED void kv_interleave(const int bits, uint8_t *restrict tile, kv_code_rows codes,
                              kv_quantizer quantizer) {
    if (quantizer.values)
        kv_interleave_side(bits, true, tile, codes, quantizer);
    else
        kv_interleave_side(bits, false, tile, codes, quantizer);
}

KV_INLINED void kv_deinterleave(const int bits, kv_code_rows codes, const uint8_t *restrict tile,
                                kv_quantizer quantizer) {
    if (quantizer.values)
        kv_deinterleave_side(bits, true, codes, tile, quantizer);
    else
        kv_deinterleave_side(bits, false, codes, tile, quantizer);
}
