// What integer dots take besides fixed-point rows: codes in lanes. Keys have tokens as lanes and
// elements along a row; values have elements as lanes and tokens along a row. The rest is the same.
#pragma once
#include "quantize/layout.h"

/// Columns of up to 16 lanes of codes, `column_bytes` apart (lanes < 16 only in a single one). A
/// column has `vectors`, `vector_bytes` apart, and as many again in each further tile.
typedef struct {
    const uint8_t *first;
    size_t column_bytes, lanes, tiles, tile_bytes, vectors, vector_bytes;
    size_t ahead;          ///< distance of the codes that the next call will want
    const uint8_t *thirds; ///< 3-bit codes: the third bits of the first column and quad
    size_t third_column_bytes, third_quad_bytes;
    const int8_t *levels; ///< what the codes stand for, or null: dots take level + 128 for a code
} coded_lanes;

/// The third bits of one quad, a nibble for each of 16 lanes; only those of `lanes` are read.
KV_INLINED uint64_t third_bits(const int bits, coded_lanes codes, int column, size_t tile,
                               size_t vector, int quad) {
    if (bits != 3) return 0;
    const uint8_t *p = codes.thirds + (size_t)column * codes.third_column_bytes +
                       tile * codes.tile_bytes + vector * codes.vector_bytes +
                       (size_t)quad * codes.third_quad_bytes;
    if (codes.lanes == 16) return kv_load_u64(p);
    uint64_t nibbles = 0;
    memcpy(&nibbles, p, kv_third_bytes(codes.lanes));
    return nibbles;
}

/// What the middle code of 16 groups stands for when there is a zero.
static inline f32x16 middle_of(int bits, f32x16 scale, f32x16 zero) {
    return fused(splat((float)kv_middle_code(bits)), scale, zero);
}

/// Blocks are read in order, but each is too short for the hardware to learn its stride.
static inline void prefetch_codes(const uint8_t *p, size_t ahead) {
    __builtin_prefetch((const void *)((uintptr_t)p + ahead));
}
