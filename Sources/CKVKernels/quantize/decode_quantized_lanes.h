// Tiles to rows over lanes: a tile's codes as bytes, then 16 elements of a row at a time.
#pragma once
#include "quantize/interleave.h"
#include "quantize/tails.h"

KV_INLINED void decode_row(const int bits, float *row, const uint8_t *codes, size_t t,
                           const uint8_t *tile_scales, const uint16_t *scales,
                           const uint16_t *zeros, kv_quantizer quantizer) {
    const size_t dim = quantizer.dim;
    const i32x16 offset = splat_integer(quantizer.codebook ? kv_middle_byte(quantizer, bits)
                                                           : kv_code_offset(quantizer, bits));
    for (size_t e = 0; e < dim; e += 16) {
        const size_t n = kv_least(16, dim - e);
        f32x16 scale, zero = splat(0);
        if (quantizer.per_channel) {
            scale = halves_up_to_16(scales + e, n);
            if (quantizer.asymmetric) zero = halves_up_to_16(zeros + e, n);
        } else {
            const uint8_t *own =
                tile_scales + (e / quantizer.group * kv_tile + t) * sizeof(uint16_t);
            scale = splat(kv_from_f16(kv_load_u16(own)));
            if (quantizer.asymmetric)
                zero = splat(kv_from_f16(kv_load_u16(own + kv_scale_bytes(quantizer))));
        }
        const f32x16 code = to_floats(subtract(load_bytes(codes + e), offset));
        const f32x16 x = quantizer.asymmetric ? fused(code, scale, zero) : mul(code, scale);
        store_up_to_16(row + e, x, n);
    }
}

/// Codes of a codebook to the bytes level + 128.
static inline void look_up_levels(kv_code_rows codes, size_t count, kv_quantizer quantizer) {
    for (size_t t = 0; t < count; t++)
        for (size_t e = 0; e < quantizer.dim; e++)
            codes[t][e] = (uint8_t)(quantizer.levels[codes[t][e]] + 128);
}

KV_INLINED void decode(const int bits, float *rows, const uint8_t *tiles, const uint16_t *scales,
                       const uint16_t *zeros, size_t first, size_t n, kv_quantizer quantizer) {
    const size_t dim = quantizer.dim, tile_bytes = kv_tile_bytes(quantizer, bits);
    for (size_t start = 0; start < n; start += kv_tile, tiles += tile_bytes) {
        kv_code_rows codes;
        const size_t count = kv_least(kv_tile, n - start);
        kv_deinterleave(bits, codes, tiles, quantizer);
        if (quantizer.codebook) look_up_levels(codes, count, quantizer);
        for (size_t t = 0; t < count; t++) {
            const size_t at = (first + start + t) / quantizer.group * dim;
            decode_row(bits, rows + (start + t) * dim, codes[t], t,
                       tiles + kv_code_bytes(quantizer, bits),
                       quantizer.per_channel ? scales + at : 0,
                       quantizer.per_channel && quantizer.asymmetric ? zeros + at : 0, quantizer);
        }
    }
}

#define KV_DECODE(bits, isa)                                                                       \
    void kv_decode_q##bits##_##isa(float *rows, const uint8_t *tiles, const uint16_t *scales,      \
                                   const uint16_t *zeros, size_t first, size_t n,                  \
                                   kv_quantizer quantizer) {                                       \
        decode(bits, rows, tiles, scales, zeros, first, n, quantizer);                             \
    }
