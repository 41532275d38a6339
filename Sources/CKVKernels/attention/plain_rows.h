// Rows of f32, f16 or bf16 behind one load. The format is a constant at every call and everything
// here is inlined, so that the choice costs nothing.
#pragma once
#include "common/prefetch.h"

#define KV_INLINE static inline __attribute__((always_inline))

enum {
    row_tile = 4,   ///< query rows that share one load of a key or value
    rows_ahead = 8, ///< how far ahead the rows of a list are fetched
};

typedef enum { format_f32, format_f16, format_bf16 } row_format;

typedef struct {
    const void *first;
    size_t stride;
    row_format format;
} plain_rows;

KV_INLINE const void *element_at(plain_rows rows, size_t row, size_t column) {
    const size_t bytes = rows.format == format_f32 ? sizeof(float) : sizeof(uint16_t);
    return (const uint8_t *)rows.first + (row * rows.stride + column) * bytes;
}

enum { widened_floats = 8192 }; ///< of a part of a block that is widened once for all query rows

/// How many rows of 16-bit numbers are widened together where more than two tiles of query rows
/// would each widen them again; 0 where that does not pay.
KV_INLINE size_t widened_rows(plain_rows rows, size_t query_rows, size_t dim) {
    return rows.format == format_f32 || query_rows <= 2 * row_tile ? 0 : widened_floats / dim;
}

/// `width` <= 16 elements of a row as f32, the other lanes +0.
KV_INLINE f32x16 load_elements(plain_rows rows, size_t row, size_t column, size_t width) {
    const void *p = element_at(rows, row, column);
    switch (rows.format) {
    case format_f32:
        return width == 16 ? load(p) : load_first(p, width);
    case format_f16:
        return width == 16 ? load_f16(p) : load_f16_first(p, width);
    case format_bf16:
        return width == 16 ? load_bf16(p) : load_bf16_first(p, width);
    }
}

/// What comes a window behind a chunk of 16 elements, if rows lie close together; once a line.
/// The first tile of query rows fetches for all.
KV_INLINE void prefetch_chunk(plain_rows rows, size_t row, size_t column, size_t dim,
                              const bool first) {
    if (first && rows.stride == dim && (rows.format == format_f32 || column % 32 == 0))
        prefetch_window(element_at(rows, row, column));
}

/// Rows from ..< to as f32, packed.
KV_INLINE plain_rows widen(float *copy, plain_rows rows, size_t from, size_t to, size_t dim) {
    for (size_t t = from; t < to; t++, copy += dim)
        for (size_t c = 0; c < dim; c += 16) {
            const size_t width = dim - c < 16 ? dim - c : 16;
            prefetch_chunk(rows, t, c, dim, true);
            const f32x16 x = load_elements(rows, t, c, width);
            if (width == 16)
                store(copy + c, x);
            else
                store_first(copy + c, x, width);
        }
    return (plain_rows){copy - (to - from) * dim, dim, format_f32};
}
