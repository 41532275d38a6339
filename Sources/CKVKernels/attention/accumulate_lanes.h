// Weighted sums of plain values. A tile of query rows x chunks of 16 elements stays in registers
// over a block of entries; the file that includes this says how many chunks the registers hold.
#pragma once
#include "attention/plain_rows.h"

enum { value_block = 64 }; ///< values that stay in the caches while all query rows meet them

typedef struct {
    const uint32_t *indices; ///< null: all entries in order
    size_t count;
} entry_list;

// Beyond the end of an index list comes its last entry again, beyond the end of all entries the
// next rows: both are only prefetched.
KV_INLINE size_t entry(entry_list list, size_t i) {
    return list.indices ? list.indices[i < list.count ? i : list.count - 1] : i;
}

KV_INLINE void accumulate_tile(float *accumulator, size_t dim, int query_rows, const float *weights,
                               size_t weights_stride, plain_rows values, entry_list list,
                               size_t from, size_t to, const float *rescale, size_t c, int chunks,
                               size_t width, const bool first) {
    f32x16 sums[row_tile * chunk_tile];
#pragma unroll
    for (int r = 0; r < query_rows; r++)
#pragma unroll
        for (int k = 0; k < chunks; k++) {
            const float *a = accumulator + (size_t)r * dim + c + 16 * k;
            sums[r * chunks + k] = width == 16 ? load(a) : load_first(a, width);
            if (rescale) sums[r * chunks + k] = mul(sums[r * chunks + k], splat(rescale[r]));
        }
    for (size_t i = from; i < to; i++) {
        const size_t t = entry(list, i);
        const size_t next = entry(list, i + rows_ahead);
        f32x16 value[chunk_tile];
#pragma unroll
        for (int k = 0; k < chunks; k++) {
            if (list.indices && first)
                prefetch(element_at(values, next, c + 16 * (size_t)k));
            else if (!list.indices)
                prefetch_chunk(values, t, c + 16 * (size_t)k, dim, first);
            value[k] = load_elements(values, t, c + 16 * (size_t)k, width);
        }
#pragma unroll
        for (int r = 0; r < query_rows; r++) {
            const f32x16 weight = splat(weights[(size_t)r * weights_stride + t]);
#pragma unroll
            for (int k = 0; k < chunks; k++)
                sums[r * chunks + k] = fused(weight, value[k], sums[r * chunks + k]);
        }
    }
#pragma unroll
    for (int r = 0; r < query_rows; r++)
#pragma unroll
        for (int k = 0; k < chunks; k++) {
            float *a = accumulator + (size_t)r * dim + c + 16 * k;
            if (width == 16)
                store(a, sums[r * chunks + k]);
            else
                store_first(a, sums[r * chunks + k], width);
        }
}

/// Columns c ..< to_column of up to row_tile query rows.
KV_INLINE void accumulate_columns(float *accumulator, size_t dim, int query_rows,
                                  const float *weights, size_t weights_stride, plain_rows values,
                                  entry_list list, size_t from, size_t to, const float *rescale,
                                  size_t c, size_t to_column, const bool first) {
    const int chunks = tile_sums / query_rows < chunk_tile ? tile_sums / query_rows : chunk_tile;
    for (; c + 16 * (size_t)chunks <= to_column; c += 16 * (size_t)chunks)
        accumulate_tile(accumulator, dim, query_rows, weights, weights_stride, values, list, from,
                        to, rescale, c, chunks, 16, first);
    for (; chunks > 1 && c + 16 <= to_column; c += 16)
        accumulate_tile(accumulator, dim, query_rows, weights, weights_stride, values, list, from,
                        to, rescale, c, 1, 16, first);
    if (c < to_column)
        accumulate_tile(accumulator, dim, query_rows, weights, weights_stride, values, list, from,
                        to, rescale, c, 1, to_column - c, first);
}

/// Entries from ..< to of a list, which stay in the caches, into all query rows. Many of them take
/// the values in panels of columns, which stay in the first-level cache.
KV_INLINE void accumulate_rows(float *accumulator, size_t rows, size_t dim, const float *weights,
                               size_t weights_stride, plain_rows values, entry_list list,
                               size_t from, size_t to, const float *rescale) {
    const size_t panel = rows > row_tile ? 16 * chunk_tile : dim;
    for (size_t c = 0; c < dim; c += panel) {
        const size_t end = dim - c < panel ? dim : c + panel;
        for (size_t r = 0; r < rows; r += row_tile) {
            float *a = accumulator + r * dim;
            const float *w = weights + r * weights_stride, *s = rescale ? rescale + r : rescale;
            switch (rows - r) {
            case 1:
                accumulate_columns(a, dim, 1, w, weights_stride, values, list, from, to, s, c, end,
                                   r == 0);
                break;
            case 2:
                accumulate_columns(a, dim, 2, w, weights_stride, values, list, from, to, s, c, end,
                                   r == 0);
                break;
            case 3:
                accumulate_columns(a, dim, 3, w, weights_stride, values, list, from, to, s, c, end,
                                   r == 0);
                break;
            default:
                if (r == 0)
                    accumulate_columns(a, dim, row_tile, w, weights_stride, values, list, from, to,
                                       s, c, end, true);
                else
                    accumulate_columns(a, dim, row_tile, w, weights_stride, values, list, from, to,
                                       s, c, end, false);
            }
        }
    }
}

KV_INLINE void rescale_rows(float *accumulator, const float *rescale, size_t rows, size_t dim) {
    for (size_t r = 0; r < rows; r++) {
        float *a = accumulator + r * dim;
        size_t c = 0;
        for (; c + 16 <= dim; c += 16) store(a + c, mul(load(a + c), splat(rescale[r])));
        if (c < dim) {
            const f32x16 rest = load_first(a + c, dim - c);
            store_first(a + c, mul(rest, splat(rescale[r])), dim - c);
        }
    }
}

KV_INLINE void accumulate_list(float *accumulator, const float *rescale, size_t rows, size_t dim,
                               const float *weights, size_t weights_stride, plain_rows values,
                               entry_list list) {
    const size_t widened = list.indices ? 0 : widened_rows(values, rows, dim);
    const size_t most = widened ? widened : list.count;
    const size_t block = most < value_block ? most : value_block;
    for (size_t from = 0; from < list.count; from += block, rescale = 0) {
        const size_t to = list.count - from < block ? list.count : from + block;
        if (widened) {
            _Alignas(64) float copy[widened_floats];
            const plain_rows wide = widen(copy, values, from, to, dim);
            accumulate_rows(accumulator, rows, dim, weights + from, weights_stride, wide,
                            (entry_list){0, to - from}, 0, to - from, rescale);
        } else {
            accumulate_rows(accumulator, rows, dim, weights, weights_stride, values, list, from, to,
                            rescale);
        }
    }
}

KV_INLINE void accumulate(float *accumulator, const float *rescale, size_t rows, size_t dim,
                          const float *weights, size_t weights_stride, plain_rows values,
                          entry_list list) {
    if (list.count == 0)
        rescale_rows(accumulator, rescale, rows, dim);
    else if (list.indices)
        accumulate_list(accumulator, rescale, rows, dim, weights, weights_stride, values, list);
    else
        accumulate_list(accumulator, rescale, rows, dim, weights, weights_stride, values,
                        (entry_list){0, list.count});
}
