// What integer dots take besides fixed-point rows: codes in lanes. Keys have tokens as lanes and
// elements along a row; values have elements as lanes and tokens along a row. The rest is the same.
#pragma once
#include "quantize/layout.h"

/// Columns of up to 16 lanes of codes, `column_bytes` apart (lanes < 16 only in a single one). A
/// column has `vectors`, `vector_bytes` apart, and as many again in each further tile.
typedef struct {
    const uint8_t *first;
    size_t column_bytes, lanes, tiles, tile_bytes, vectors, vector_bytes;
    size_t ahead; ///< distance of the codes that the next call will want
} coded_lanes;

/// What the middle code of 16 groups stands for when there is a zero.
static inline f32x16 middle_of(int bits, f32x16 scale, f32x16 zero) {
    return fused(splat((float)kv_middle_code(bits)), scale, zero);
}

/// Blocks are read in order, but each is too short for the hardware to learn its stride.
static inline void prefetch_codes(const uint8_t *p, size_t ahead) {
    __builtin_prefetch((const void *)((uintptr_t)p + ahead));
}
