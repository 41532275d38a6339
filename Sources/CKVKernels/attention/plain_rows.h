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
KV_INLINE void prefetch_chunk(plain_rows rows, size_t row, size_t column, size_t dim) {
    if (rows.stride == dim && (rows.format == format_f32 || column % 32 == 0))
        prefetch_window(element_at(rows, row, column));
}
