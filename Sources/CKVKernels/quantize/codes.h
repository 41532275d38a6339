// One code, scale and zero at a time: how the scalar kernels read and write tiles.
#pragma once
#include "quantize/layout.h"

/// The stored rows of one call: tiles from entry 0 on, and the scale planes of the per-channel
/// form.
typedef struct kv_stored {
    kv_quantizer quantizer;
    int bits;
    const uint8_t *tiles;
    const uint16_t *scales, *zeros;
    size_t first;
} kv_stored;

static inline const uint8_t *kv_tile_of(const kv_stored *stored, size_t t) {
    return stored->tiles + t / kv_tile * kv_tile_bytes(stored->quantizer, stored->bits);
}

/// The stored code of entry t, element e.
static inline int kv_code_at(const kv_stored *stored, size_t t, size_t e) {
    const kv_code_place place = kv_place(stored->quantizer, stored->bits, t % kv_tile, e);
    const uint8_t *tile = kv_tile_of(stored, t);
    const int code = tile[place.byte] >> place.shift & ((1 << kv_vector_bits(stored->bits)) - 1);
    if (stored->bits != 3) return code;
    return code | (tile[place.third_byte] >> place.third_shift & 1) << 2;
}

/// The code as integer dots take it: its level, or its distance from the middle one.
static inline int kv_level_at(const kv_stored *stored, size_t t, size_t e) {
    const int code = kv_code_at(stored, t, e);
    return stored->quantizer.codebook ? stored->quantizer.levels[code]
                                      : code - kv_middle_code(stored->bits);
}

/// What the middle code stands for when there is a zero.
static inline float kv_middle(const kv_stored *stored, float scale, float zero) {
    return kv_fma((float)kv_middle_code(stored->bits), scale, zero);
}

/// Per token: the scale, the zero and the middle of entry t in group g.
static inline float kv_token_scale(const kv_stored *stored, size_t t, size_t g) {
    const uint8_t *scales = kv_tile_of(stored, t) + kv_code_bytes(stored->quantizer, stored->bits);
    return kv_from_f16(kv_load_u16(scales + (g * kv_tile + t % kv_tile) * sizeof(uint16_t)));
}
static inline float kv_token_zero(const kv_stored *stored, size_t t, size_t g) {
    const uint8_t *zeros = kv_tile_of(stored, t) + kv_code_bytes(stored->quantizer, stored->bits) +
                           kv_scale_bytes(stored->quantizer);
    return kv_from_f16(kv_load_u16(zeros + (g * kv_tile + t % kv_tile) * sizeof(uint16_t)));
}

static inline float kv_token_middle(const kv_stored *stored, size_t t, size_t g) {
    return kv_middle(stored, kv_token_scale(stored, t, g), kv_token_zero(stored, t, g));
}

/// Per channel: the row of scales that entry t falls under, and one past the last entry of its run.
static inline size_t kv_scale_row(const kv_stored *stored, size_t t) {
    return (stored->first + t) / stored->quantizer.group;
}
static inline size_t kv_run_end(const kv_stored *stored, size_t t, size_t n) {
    return kv_least(n, (kv_scale_row(stored, t) + 1) * stored->quantizer.group - stored->first);
}
static inline float kv_channel_scale(const kv_stored *stored, size_t t, size_t c) {
    return kv_from_f16(stored->scales[kv_scale_row(stored, t) * stored->quantizer.dim + c]);
}
static inline float kv_channel_zero(const kv_stored *stored, size_t t, size_t c) {
    return kv_from_f16(stored->zeros[kv_scale_row(stored, t) * stored->quantizer.dim + c]);
}
static inline float kv_channel_middle(const kv_stored *stored, size_t t, size_t c) {
    return kv_middle(stored, kv_channel_scale(stored, t, c), kv_channel_zero(stored, t, c));
}
