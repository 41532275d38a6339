// Logits of plain keys. A tile of query rows meets a tile of keys in registers, one f32x16 per
// pair; the file that includes this says how many keys the registers hold. Keys are read from
// memory once for up to `row_tile` query rows; further query rows find their block in the caches.
#pragma once
#include "attention/plain_rows.h"

enum { key_block = 64 }; ///< keys that stay in the caches while all query rows meet them

// One chunk of up to 16 elements. Beyond the row's end queries are -0 and keys +0, whose product
// leaves a lane's bits, the sign of a zero too.
KV_INLINE void score_chunk(f32x16 *sums, const float *queries, size_t dim, int query_rows,
                           plain_rows keys, size_t t, int key_rows, size_t c, size_t width,
                           const bool first) {
    f32x16 key[key_tile];
#pragma unroll
    for (int k = 0; k < key_rows; k++) {
        prefetch_chunk(keys, t + (size_t)k, c, dim, first);
        key[k] = load_elements(keys, t + (size_t)k, c, width);
    }
#pragma unroll
    for (int r = 0; r < query_rows; r++) {
        const float *q = queries + (size_t)r * dim + c;
        const f32x16 query = width == 16 ? load(q) : load_factor_first(q, width);
#pragma unroll
        for (int k = 0; k < key_rows; k++)
            sums[r * key_rows + k] = fused(query, key[k], sums[r * key_rows + k]);
    }
}

KV_INLINE void score_tile(float *logits, size_t logits_stride, const float *queries, size_t dim,
                          int query_rows, plain_rows keys, size_t t, int key_rows,
                          const bool first) {
    f32x16 sums[row_tile * key_tile];
#pragma unroll
    for (int i = 0; i < query_rows * key_rows; i++) sums[i] = splat(0);
    size_t c = 0;
    for (; c + 16 <= dim; c += 16)
        score_chunk(sums, queries, dim, query_rows, keys, t, key_rows, c, 16, first);
    if (c < dim) score_chunk(sums, queries, dim, query_rows, keys, t, key_rows, c, dim - c, first);
    if (query_rows == 4 && key_rows == 4) {
        store_tile_sums(logits + t, logits_stride, sums);
        return;
    }
#pragma unroll
    for (int r = 0; r < query_rows; r++) {
        float *logit = logits + (size_t)r * logits_stride + t;
        if (key_rows == 4)
            store_tree_sums(logit, sums + r * 4);
        else
            for (int k = 0; k < key_rows; k++) logit[k] = tree_sum(sums[r * key_rows + k]);
    }
}

KV_INLINE void score_keys(float *logits, size_t logits_stride, const float *queries, size_t dim,
                          int query_rows, plain_rows keys, size_t from, size_t to,
                          const bool first) {
    size_t t = from;
    for (; t + key_tile <= to; t += key_tile)
        score_tile(logits, logits_stride, queries, dim, query_rows, keys, t, key_tile, first);
    for (; t < to; t++)
        score_tile(logits, logits_stride, queries, dim, query_rows, keys, t, 1, first);
}

/// Keys from ..< to, which stay in the caches, with all query rows.
KV_INLINE void score_block(float *logits, size_t logits_stride, const float *queries, size_t rows,
                           size_t dim, plain_rows keys, size_t from, size_t to) {
    for (size_t r = 0; r < rows; r += row_tile) {
        float *l = logits + r * logits_stride;
        const float *q = queries + r * dim;
        switch (rows - r) {
        case 1:
            score_keys(l, logits_stride, q, dim, 1, keys, from, to, r == 0);
            break;
        case 2:
            score_keys(l, logits_stride, q, dim, 2, keys, from, to, r == 0);
            break;
        case 3:
            score_keys(l, logits_stride, q, dim, 3, keys, from, to, r == 0);
            break;
        default:
            if (r == 0)
                score_keys(l, logits_stride, q, dim, row_tile, keys, from, to, true);
            else
                score_keys(l, logits_stride, q, dim, row_tile, keys, from, to, false);
        }
    }
}

KV_INLINE void score(float *logits, size_t logits_stride, const float *queries, size_t rows,
                     size_t dim, plain_rows keys, size_t n) {
    const size_t widened = widened_rows(keys, rows, dim), most = widened ? widened : n;
    const size_t block = most < key_block ? most : key_block;
    for (size_t from = 0; from < n; from += block) {
        const size_t to = n - from < block ? n : from + block;
        if (widened) {
            _Alignas(64) float copy[widened_floats];
            const plain_rows wide = widen(copy, keys, from, to, dim);
            score_block(logits + from, logits_stride, queries, rows, dim, wide, 0, to - from);
        } else {
            score_block(logits, logits_stride, queries, rows, dim, keys, from, to);
        }
    }
}
