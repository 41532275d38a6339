// Rows to tiles of codes. Every group of elements (per token: along a row; per channel: along the
// tokens) gets an f16 scale, rounded up, and when asymmetric an f16 zero, rounded down, so that no
// code needs to leave its range by more than rounding; the error is at most half a stored step.
// Extremes take + 0 before they are rounded: the sign of a zero must not depend on the order of a
// maximum. With a codebook the scale comes from the group's norm, and codes are those of the
// nearest level.
#include "dispatch/variants.h"
#include "quantize/layout.h"

#pragma STDC FP_CONTRACT OFF

typedef struct {
    uint16_t scale, zero;
} step;

/// The scale and zero of `n` values, `stride` elements apart (1 with a codebook).
static step step_of(const float *x, size_t stride, size_t n, kv_quantizer quantizer, int bits) {
    if (quantizer.codebook) {
        const float norm = sqrtf(kv_tree_dot(x, x, n));
        return (step){kv_to_f16(norm * (quantizer.step / sqrtf((float)n))), 0};
    }
    const float q = (float)kv_code_peak(quantizer, bits);
    if (!quantizer.asymmetric) {
        float top = 0;
        for (size_t i = 0; i < n; i++) top = kv_max(fabsf(x[i * stride]), top);
        return (step){kv_to_f16_up(top / q), 0};
    }
    float low = x[0], high = x[0];
    for (size_t i = 1; i < n; i++) {
        low = x[i * stride] < low ? x[i * stride] : low;
        high = x[i * stride] > high ? x[i * stride] : high;
    }
    const uint16_t zero = kv_to_f16_down(low + 0.0f);
    return (step){kv_to_f16_up((high + 0.0f - kv_from_f16(zero)) / q), zero};
}

static int code_of(float x, step step, kv_quantizer quantizer, int bits) {
    const float scale = kv_from_f16(step.scale), inverse = scale > 0 ? 1.0f / scale : 0;
    if (quantizer.codebook) {
        int code = 0;
        for (int k = 1; k < 1 << bits; k++) code += x * inverse > kv_boundary(quantizer, k);
        return code;
    }
    const float q = (float)kv_code_peak(quantizer, bits);
    const float lowest = quantizer.asymmetric ? 0 : -q;
    const float code = rintf((x - kv_from_f16(step.zero)) * inverse);
    const float clamped = code < lowest ? lowest : code > q ? q : code;
    return (int)clamped + kv_code_offset(quantizer, bits);
}

/// Codes `tokens` x `elements` values from entry t and element e on, which share one step.
static step encode_group(int bits, uint8_t *tiles, const float *rows, size_t stride, size_t t,
                         size_t e, size_t tokens, size_t elements, kv_quantizer quantizer) {
    const size_t along = tokens > 1 ? stride : 1, n = tokens * elements;
    const step step = step_of(rows + t * stride + e, along, n, quantizer, bits);
    for (size_t i = 0; i < n; i++) {
        const size_t token = tokens > 1 ? t + i : t, element = tokens > 1 ? e : e + i;
        const int code = code_of(rows[token * stride + element], step, quantizer, bits);
        const kv_code_place place = kv_place(quantizer, bits, token % kv_tile, element);
        const int lower = code & ((1 << kv_vector_bits(bits)) - 1);
        uint8_t *tile = tiles + token / kv_tile * kv_tile_bytes(quantizer, bits);
        tile[place.byte] |= (uint8_t)(lower << place.shift);
        if (bits == 3) tile[place.third_byte] |= (uint8_t)(code >> 2 << place.third_shift);
    }
    return step;
}

static void encode(int bits, uint8_t *tiles, uint16_t *scales, uint16_t *zeros, const float *rows,
                   size_t stride, size_t n, kv_quantizer quantizer) {
    const size_t dim = quantizer.dim, group = quantizer.group;
    const size_t tile_bytes = kv_tile_bytes(quantizer, bits);
    memset(tiles, 0, kv_divided_up(n, kv_tile) * tile_bytes);
    if (quantizer.per_channel) {
        for (size_t t = 0; t < n; t += group)
            for (size_t e = 0; e < dim; e++) {
                const step step =
                    encode_group(bits, tiles, rows, stride, t, e, group, 1, quantizer);
                scales[t / group * dim + e] = step.scale;
                if (quantizer.asymmetric) zeros[t / group * dim + e] = step.zero;
            }
        return;
    }
    for (size_t t = 0; t < n; t++)
        for (size_t g = 0; g < kv_groups(dim, group); g++) {
            const step step = encode_group(bits, tiles, rows, stride, t, g * group, 1,
                                           kv_group_width(dim, group, g), quantizer);
            uint8_t *tile_scales =
                tiles + t / kv_tile * tile_bytes + kv_code_bytes(quantizer, bits);
            const size_t at = (g * kv_tile + t % kv_tile) * sizeof(uint16_t);
            kv_store_u16(tile_scales + at, step.scale);
            if (quantizer.asymmetric)
                kv_store_u16(tile_scales + kv_scale_bytes(quantizer) + at, step.zero);
        }
}

#define KV_VARIANT(bits, isa)                                                                      \
    void kv_encode_q##bits##_##isa(uint8_t *tiles, uint16_t *scales, uint16_t *zeros,              \
                                   const float *rows, size_t stride, size_t n,                     \
                                   kv_quantizer quantizer) {                                       \
        encode(bits, tiles, scales, zeros, rows, stride, n, quantizer);                            \
    }
KV_EACH_FORMAT(KV_VARIANT, scalar)
