// Tiles to rows: symmetric (code - 2^(b-1)) * scale, with a codebook level * scale, asymmetric
// fma(code, scale, zero).
#include "dispatch/variants.h"
#include "quantize/codes.h"

#pragma STDC FP_CONTRACT OFF

static void decode(float *rows, const kv_stored *stored, size_t n) {
    const kv_quantizer quantizer = stored->quantizer;
    for (size_t t = 0; t < n; t++)
        for (size_t e = 0; e < quantizer.dim; e++) {
            const size_t g = e / quantizer.group;
            const float code = (float)(quantizer.asymmetric ? kv_code_at(stored, t, e)
                                                            : kv_level_at(stored, t, e));
            const float scale = quantizer.per_channel ? kv_channel_scale(stored, t, e)
                                                      : kv_token_scale(stored, t, g);
            float *x = rows + t * quantizer.dim + e;
            if (quantizer.asymmetric) {
                const float zero = quantizer.per_channel ? kv_channel_zero(stored, t, e)
                                                         : kv_token_zero(stored, t, g);
                *x = kv_fma(code, scale, zero);
            } else {
                *x = code * scale;
            }
        }
}

#define KV_VARIANT(bits, isa)                                                                      \
    void kv_decode_q##bits##_##isa(float *rows, const uint8_t *tiles, const uint16_t *scales,      \
                                   const uint16_t *zeros, size_t first, size_t n,                  \
                                   kv_quantizer quantizer) {                                       \
        decode(rows, &(kv_stored){quantizer, bits, tiles, scales, zeros, first}, n);               \
    }
KV_EACH_FORMAT(KV_VARIANT, scalar)
