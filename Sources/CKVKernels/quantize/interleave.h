// Codes of one tile between rows of bytes and the interleaved form. Plain loops that compilers
// vectorise; four nibble codes travel as one 32-bit word, whose shift by 4 cannot carry from one
// byte to the next.
#pragma once
#include "quantize/layout.h"

/// The codes of a tile as bytes, zeros where no element or token is.
typedef uint8_t kv_code_rows[kv_tile][kv_largest_dim];

KV_INLINED void kv_interleave(const int bits, uint8_t *restrict tile, kv_code_rows codes,
                              kv_quantizer quantizer) {
    const size_t lanes = kv_lanes(quantizer), width = kv_vector_codes(bits);
    for (size_t v = 0; v < kv_vectors(quantizer, bits); v++) {
        uint8_t *out = tile + 4 * v * lanes;
        if (!quantizer.values) {
            for (size_t t = 0; t < kv_tile; t++) {
                uint32_t quad = kv_load_u32(codes[t] + width * v);
                if (bits == 4) quad |= kv_load_u32(codes[t] + width * v + 4) << 4;
                kv_store_u32(out + 4 * t, quad);
            }
        } else {
            for (size_t e = 0; e < lanes; e++)
                for (size_t c = 0; c < 4; c++)
                    out[4 * e + c] =
                        bits == 8
                            ? codes[width * v + c][e]
                            : (uint8_t)(codes[width * v + c][e] | codes[width * v + 4 + c][e] << 4);
        }
    }
}

KV_INLINED void kv_deinterleave(const int bits, kv_code_rows codes, const uint8_t *restrict tile,
                                kv_quantizer quantizer) {
    const size_t lanes = kv_lanes(quantizer), width = kv_vector_codes(bits);
    for (size_t v = 0; v < kv_vectors(quantizer, bits); v++) {
        const uint8_t *in = tile + 4 * v * lanes;
        if (!quantizer.values) {
            for (size_t t = 0; t < kv_tile; t++) {
                const uint32_t quad = kv_load_u32(in + 4 * t);
                kv_store_u32(codes[t] + width * v, bits == 8 ? quad : quad & 0x0f0f0f0f);
                if (bits == 4) kv_store_u32(codes[t] + width * v + 4, quad >> 4 & 0x0f0f0f0f);
            }
        } else {
            for (size_t e = 0; e < lanes; e++)
                for (size_t c = 0; c < 4; c++) {
                    const uint8_t byte = in[4 * e + c];
                    codes[width * v + c][e] = bits == 8 ? byte : byte & 15;
                    if (bits == 4) codes[width * v + 4 + c][e] = byte >> 4;
                }
        }
    }
}
