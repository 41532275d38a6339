// What integer dots take: rows in fixed point, and codes in lanes. Keys have tokens as lanes and elements
// along a row; values have elements as lanes and tokens along a row. The rest is the same.
#pragma once
#include "quantize/layout.h"

/// The three planes of a fixed-point row (16-bit words, their high bytes, their low bytes).
typedef struct {
    const uint8_t *words, *high, *low;
} fixed_row;

/// The planes of a prepared row from element e on.
static inline fixed_row fixed_row_at(const uint8_t *prepared, kv_prepared_layout layout, size_t e) {
    return (fixed_row){prepared + layout.words + 2 * e, prepared + layout.high + e,
                       prepared + layout.low + e};
}

/// Up to 16 lanes of codes: `vectors` from `first` on, `vector_bytes` apart, and again in each tile.
typedef struct {
    const uint8_t *first;
    size_t lanes, tiles, tile_bytes, vectors, vector_bytes;
} coded_lanes;
