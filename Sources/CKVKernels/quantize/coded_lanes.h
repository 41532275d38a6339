// What integer dots take besides fixed-point rows: codes in lanes. Keys have tokens as lanes and
// elements along a row; values have elements as lanes and tokens along a row. The rest is the same.
#pragma once
#include "common/prefetch.h"
#include "quantize/layout.h"

/// Columns of up to 16 lanes of codes, `column_bytes` apart (lanes < 16 only in a single one). A
/// column has `vectors`, `vector_bytes` apart, and as many again in each further tile.
typedef struct {
    const uint8_t *first;
    size_t column_bytes, lanes, tiles, tile_bytes, vectors, vector_bytes;
    const uint8_t *thirds; ///< 3-bit codes: the third bits of the first column and quad
    size_t third_column_bytes, third_quad_bytes;
    const int8_t *levels; ///< what the codes stand for, or null: dots take level + 128 for a code
} coded_lanes;

/// Up to 4 fixed-point rows as dots take them: the words of each, or its high bytes and, `low`
/// bytes behind them, its low ones.
typedef struct {
    const uint8_t *first;
    size_t row_bytes, low;
} fixed_rows;

/// Whether a call is for a whole block of the usual form, whose loops are compiled for it alone.
static inline bool is_usual(kv_quantizer quantizer, size_t n) {
    return n == kv_block && quantizer.group == 32 && quantizer.dim % 32 == 0 &&
           !quantizer.per_channel && !quantizer.asymmetric && !quantizer.codebook;
}
/// The same with what is_usual says as constants, and its dim, which may be one.
KV_INLINED kv_quantizer usual(kv_quantizer quantizer, const uint32_t dim) {
    return (kv_quantizer){.dim = dim, .group = 32, .values = quantizer.values};
}

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
