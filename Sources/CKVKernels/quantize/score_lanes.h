// Logits of quantized keys over lanes: 16 tokens at a time, each tile read once for up to 4 query rows.
#pragma once
#include "quantize/prepare_queries_lanes.h"

/// Up to 4 prepared query rows, and which floats join the integer dots of their groups.
typedef struct {
    const uint8_t *prepared;
    kv_prepared_layout layout;
    size_t group;
    bool scaled; ///< scales (and zeros) lie behind the tile's codes
} query_rows;

/// f[r] = row r with the 16 tokens of a tile, before the row's step.
KV_INLINED void score_tile(f32x16 *f, const int rows, const int bits, query_rows queries,
                           const uint8_t *tile, kv_quantizer quantizer) {
    const int32_t offset = kv_code_offset(quantizer, bits);
    const uint8_t *scales = tile + kv_code_bytes(quantizer, bits);
    const uint8_t *zeros = scales + kv_scale_bytes(quantizer);
    for (int r = 0; r < rows; r++) f[r] = splat(0);
    for (size_t g = 0; g < kv_groups(quantizer.dim, queries.group); g++) {
        const size_t e = g * queries.group;
        const size_t width = kv_group_width(quantizer.dim, queries.group, g);
        fixed_row x[4];
        for (int r = 0; r < rows; r++)
            x[r] = fixed_row_at(queries.prepared + r * queries.layout.bytes, queries.layout, e);
        i32x16 dot[4];
        dots(dot, rows, bits, x,
             (coded_lanes){tile + e * (2 * bits), kv_tile, 1, 0,
                           kv_divided_up(width, kv_vector_codes(bits)), 4 * kv_tile});
        const f32x16 scale = queries.scaled
                                 ? load_f16((const uint16_t *)(scales + g * 2 * kv_tile))
                                 : splat(1);
        for (int r = 0; r < rows; r++) {
            const int32_t sum = kv_load_i32(queries.prepared + r * queries.layout.bytes +
                                            queries.layout.sums + g * sizeof(int32_t));
            const f32x16 i = to_floats(subtract(dot[r], splat_integer(offset * sum)));
            f[r] = queries.scaled ? fused(i, scale, f[r]) : add(f[r], i);
            if (queries.scaled && quantizer.asymmetric)
                f[r] = fused(splat((float)sum), load_f16((const uint16_t *)(zeros + g * 2 * kv_tile)),
                             f[r]);
        }
    }
}

KV_INLINED void score_per_token(const int rows, const int bits, float *logits, size_t logits_stride,
                                const uint8_t *prepared, const uint8_t *tiles, size_t n,
                                kv_quantizer quantizer) {
    const query_rows queries = {prepared, kv_prepared(quantizer.dim, quantizer.group),
                                quantizer.group, true};
    const size_t tile_bytes = kv_tile_bytes(quantizer, bits);
    for (size_t t = 0; t < n; t += kv_tile) {
        f32x16 f[4];
        score_tile(f, rows, bits, queries, tiles + t / kv_tile * tile_bytes, quantizer);
        for (int r = 0; r < rows; r++) {
            const f32x16 logit = mul(f[r], splat(kv_load_f32(prepared + r * queries.layout.bytes)));
            float *row = logits + r * logits_stride + t;
            if (t + kv_tile <= n)
                store(row, logit);
            else
                store_first(row, logit, n - t);
        }
    }
}

/// The query times a row of scales, prepared; returns its tree sum with the row of zeros, if any.
static inline float fold_query(uint8_t *prepared, const float *query, const uint16_t *scales,
                               const uint16_t *zeros, size_t dim) {
    float folded[kv_largest_dim];
    f32x16 constant = splat(0);
    size_t c = 0;
    for (; c + 16 <= dim; c += 16) {
        const f32x16 q = load(query + c);
        store(folded + c, mul(q, load_f16(scales + c)));
        if (zeros) constant = fused(q, load_f16(zeros + c), constant);
    }
    if (c < dim) {
        const f32x16 q = load_first(query + c, dim - c);
        store(folded + c, mul(q, load_f16_first(scales + c, dim - c)));
        if (zeros) constant = fused(q, load_f16_first(zeros + c, dim - c), constant);
    }
    prepare_row(prepared, folded, dim, kv_fold_group);
    return tree_sum(constant);
}

KV_INLINED void score_per_channel(const int rows, const int bits, float *logits,
                                  size_t logits_stride, const float *query, const uint8_t *tiles,
                                  const uint16_t *scales, const uint16_t *zeros, size_t first,
                                  size_t n, kv_quantizer quantizer) {
    const size_t dim = quantizer.dim, tile_bytes = kv_tile_bytes(quantizer, bits);
    uint8_t prepared[4 * (4 + 4 * (kv_largest_dim / kv_fold_group) + 4 * kv_largest_dim + 4)];
    const query_rows queries = {prepared, kv_prepared(dim, kv_fold_group), kv_fold_group, false};
    for (size_t start = 0, end; start < n; start = end) {
        const size_t row = (first + start) / quantizer.group;
        end = kv_least(n, (row + 1) * quantizer.group - first);
        float constant[4];
        for (int r = 0; r < rows; r++)
            constant[r] = fold_query(prepared + r * queries.layout.bytes, query + r * dim,
                                     scales + row * dim,
                                     quantizer.asymmetric ? zeros + row * dim : 0, dim);
        for (size_t tile = start / kv_tile; tile * kv_tile < end; tile++) {
            // A run may begin or end inside a tile: only its own lanes are written.
            const size_t from = start > tile * kv_tile ? start - tile * kv_tile : 0;
            const size_t to = kv_least(kv_tile, end - tile * kv_tile);
            f32x16 f[4];
            score_tile(f, rows, bits, queries, tiles + tile * tile_bytes, quantizer);
            for (int r = 0; r < rows; r++) {
                const f32x16 step = splat(kv_load_f32(prepared + r * queries.layout.bytes));
                float logit[16];
                store(logit, quantizer.asymmetric ? fused(f[r], step, splat(constant[r]))
                                                  : mul(f[r], step));
                memcpy(logits + r * logits_stride + tile * kv_tile + from, logit + from,
                       (to - from) * sizeof *logit);
            }
        }
    }
}

KV_INLINED void score_rows(const int rows, const int bits, float *logits, size_t logits_stride,
                           const void *queries, size_t r, const uint8_t *tiles,
                           const uint16_t *scales, const uint16_t *zeros, size_t first, size_t n,
                           kv_quantizer quantizer) {
    logits += r * logits_stride;
    if (quantizer.per_channel)
        score_per_channel(rows, bits, logits, logits_stride,
                          (const float *)queries + r * quantizer.dim, tiles, scales, zeros, first, n,
                          quantizer);
    else
        score_per_token(rows, bits, logits, logits_stride,
                        (const uint8_t *)queries +
                            r * kv_prepared(quantizer.dim, quantizer.group).bytes,
                        tiles, n, quantizer);
}

KV_INLINED void score(const int bits, float *logits, size_t logits_stride, const void *queries,
                      size_t rows, const uint8_t *tiles, const uint16_t *scales,
                      const uint16_t *zeros, size_t first, size_t n, kv_quantizer quantizer) {
    size_t r = 0;
    for (; r + 4 <= rows; r += 4)
        score_rows(4, bits, logits, logits_stride, queries, r, tiles, scales, zeros, first, n,
                   quantizer);
    for (; r < rows; r++)
        score_rows(1, bits, logits, logits_stride, queries, r, tiles, scales, zeros, first, n,
                   quantizer);
}
