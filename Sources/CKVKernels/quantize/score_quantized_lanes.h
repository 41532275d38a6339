// Logits of quantized keys over lanes: 16 tokens at a time, each tile read once for up to 4 query
// rows. Integer sums span at most 128 elements: |sum| <= 128 * 32512 * 255 < 2^31, also on the way.
#pragma once
#include "quantize/prepare_queries_lanes.h"

/// Up to 4 query rows, ready for the dots of each group. A dot starts from -sum * the middle byte.
typedef struct {
    size_t group, groups;
    uint8_t fixed[8 * kv_largest_dim];
    int32_t start[4][kv_largest_groups];
    float sum[4][kv_largest_groups], step[4];
    float constant[4]; ///< per channel, asymmetric: the query with the middles
} query_rows;

static inline void take_prepared(query_rows *queries, int r, const uint8_t *prepared,
                                 kv_prepared_layout layout, int middle) {
    copy_prepared(queries->fixed, kv_largest_dim, r, prepared, layout);
    queries->step[r] = kv_load_f32(prepared);
    for (size_t g = 0; g < queries->groups; g++) {
        const int32_t sum = kv_load_i32(prepared + layout.sums + g * sizeof(int32_t));
        queries->start[r][g] = -sum * middle;
        queries->sum[r][g] = (float)sum;
    }
}

/// f[column * rows + r] = row r with the 16 tokens of a tile, before the row's step; two tiles if
/// there are two columns.
KV_INLINED void score_tiles(f32x16 *f, const int rows, const int columns, const int bits,
                            const query_rows *queries, const uint8_t *tile, size_t tile_bytes,
                            kv_quantizer quantizer) {
    const uint8_t *scales = tile + kv_code_bytes(quantizer, bits);
    const size_t scale_bytes = queries->groups * kv_tile * sizeof(uint16_t);
    const size_t vector_bytes = kv_vector_bytes(quantizer, bits);
    for (int k = 0; k < columns * rows; k++) f[k] = splat(0);
    for (size_t g = 0; g < queries->groups; g++, scales += kv_tile * sizeof(uint16_t)) {
        const size_t e = g * queries->group;
        const size_t width = kv_group_width(quantizer.dim, queries->group, g);
        const uint8_t *first = tile + e / kv_vector_codes(bits) * vector_bytes;
        const coded_lanes codes = {.first = first,
                                   .column_bytes = tile_bytes,
                                   .lanes = kv_tile,
                                   .tiles = 1,
                                   .vectors = kv_divided_up(width, kv_vector_codes(bits)),
                                   .vector_bytes = vector_bytes,
                                   .ahead = kv_block / kv_tile * tile_bytes,
                                   .thirds = first + 4 * kv_tile,
                                   .third_column_bytes = tile_bytes,
                                   .third_quad_bytes = kv_third_bytes(kv_tile),
                                   .levels = quantizer.codebook ? quantizer.levels : 0};
        i32x16 dot[8];
        for (int k = 0; k < columns * rows; k++)
            dot[k] = splat_integer(queries->start[k % rows][g]);
        add_dots(dot, rows, columns, bits, queries->fixed, kv_largest_dim, e, codes);
        for (int c = 0; c < columns; c++)
            for (int r = 0; r < rows; r++) {
                const f32x16 i = to_floats(dot[c * rows + r]);
                f32x16 *own = f + c * rows + r;
                if (quantizer.per_channel) {
                    *own = add(*own, i);
                    continue;
                }
                const uint8_t *column = scales + c * tile_bytes;
                const f32x16 scale = load_f16((const uint16_t *)column);
                *own = fused(i, scale, *own);
                if (!quantizer.asymmetric) continue;
                const f32x16 zero = load_f16((const uint16_t *)(column + scale_bytes));
                *own = fused(splat(queries->sum[r][g]), middle_of(bits, scale, zero), *own);
            }
    }
}

/// Lanes from ..< to of the tile whose logits begin at `logits`.
static inline void store_logits(float *logits, f32x16 x, size_t from, size_t to) {
    if (from == 0 && to == kv_tile) {
        store(logits, x);
    } else {
        float all[kv_tile];
        store(all, x);
        memcpy(logits + from, all + from, (to - from) * sizeof *all);
    }
}

/// One or two tiles from entry t on, of which entries start ..< end are wanted.
KV_INLINED void score_columns(const int rows, const int columns, const int bits, float *logits,
                              size_t logits_stride, const query_rows *queries, const uint8_t *tiles,
                              size_t t, size_t start, size_t end, kv_quantizer quantizer) {
    const size_t tile_bytes = kv_tile_bytes(quantizer, bits);
    f32x16 f[8];
    score_tiles(f, rows, columns, bits, queries, tiles + t / kv_tile * tile_bytes, tile_bytes,
                quantizer);
    for (int c = 0; c < columns; c++, t += kv_tile)
        for (int r = 0; r < rows; r++) {
            const f32x16 i = f[c * rows + r], step = splat(queries->step[r]);
            const f32x16 logit = quantizer.per_channel && quantizer.asymmetric
                                     ? fused(i, step, splat(queries->constant[r]))
                                     : mul(i, step);
            store_logits(logits + r * logits_stride + t, logit, start > t ? start - t : 0,
                         kv_least(kv_tile, end - t));
        }
}

/// Entries start ..< end, which share the query rows.
KV_INLINED void score_run(const int rows, const int bits, float *logits, size_t logits_stride,
                          const query_rows *queries, const uint8_t *tiles, size_t start, size_t end,
                          kv_quantizer quantizer) {
    size_t t = start / kv_tile * kv_tile;
    for (; t + kv_tile < end; t += 2 * kv_tile)
        score_columns(rows, 2, bits, logits, logits_stride, queries, tiles, t, start, end,
                      quantizer);
    if (t < end)
        score_columns(rows, 1, bits, logits, logits_stride, queries, tiles, t, start, end,
                      quantizer);
}

/// The query times a row of scales, prepared; returns its tree sum with the middles, if there is a
/// row of zeros.
static inline float fold_query(const int bits, uint8_t *prepared, const float *query,
                               const uint16_t *scales, const uint16_t *zeros, size_t dim) {
    float folded[kv_largest_dim];
    f32x16 constant = splat(0);
    for (size_t c = 0; c < dim; c += 16) {
        const size_t n = dim - c;
        const f32x16 q = load_up_to_16(query + c, n);
        const f32x16 scale = halves_up_to_16(scales + c, n);
        store(folded + c, mul(q, scale));
        if (!zeros) continue;
        constant = fused(q, middle_of(bits, scale, halves_up_to_16(zeros + c, n)), constant);
    }
    prepare_row(prepared, folded, dim, kv_fold_group);
    return tree_sum(constant);
}

KV_INLINED void score_per_token(const int rows, const int bits, float *logits, size_t logits_stride,
                                const uint8_t *prepared, const uint8_t *tiles, size_t n,
                                kv_quantizer quantizer) {
    const kv_prepared_layout layout = kv_prepared(quantizer.dim, quantizer.group);
    query_rows queries;
    queries.group = quantizer.group;
    queries.groups = kv_groups(quantizer.dim, quantizer.group);
    for (int r = 0; r < rows; r++)
        take_prepared(&queries, r, prepared + r * layout.bytes, layout,
                      kv_middle_byte(quantizer, bits));
    score_run(rows, bits, logits, logits_stride, &queries, tiles, 0, n, quantizer);
}

KV_INLINED void score_per_channel(const int rows, const int bits, float *logits,
                                  size_t logits_stride, const float *query, const uint8_t *tiles,
                                  const uint16_t *scales, const uint16_t *zeros, size_t first,
                                  size_t n, kv_quantizer quantizer) {
    const size_t dim = quantizer.dim;
    const kv_prepared_layout layout = kv_prepared(dim, kv_fold_group);
    query_rows queries;
    queries.group = kv_fold_group;
    queries.groups = kv_groups(dim, kv_fold_group);
    for (size_t start = 0, end; start < n; start = end) {
        const size_t run = (first + start) / quantizer.group;
        end = kv_least(n, (run + 1) * quantizer.group - first);
        for (int r = 0; r < rows; r++) {
            uint8_t prepared[kv_largest_folded_bytes];
            queries.constant[r] = fold_query(bits, prepared, query + r * dim, scales + run * dim,
                                             quantizer.asymmetric ? zeros + run * dim : 0, dim);
            take_prepared(&queries, r, prepared, layout, kv_middle_byte(quantizer, bits));
        }
        score_run(rows, bits, logits, logits_stride, &queries, tiles, start, end, quantizer);
    }
}

KV_INLINED void score_rows(const int rows, const int bits, float *logits, size_t logits_stride,
                           const void *queries, size_t r, const uint8_t *tiles,
                           const uint16_t *scales, const uint16_t *zeros, size_t first, size_t n,
                           kv_quantizer quantizer) {
    logits += r * logits_stride;
    if (quantizer.per_channel)
        score_per_channel(rows, bits, logits, logits_stride,
                          (const float *)queries + r * quantizer.dim, tiles, scales, zeros, first,
                          n, quantizer);
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

#define KV_SCORE(bits, isa)                                                                        \
    void kv_score_q##bits##_##isa(float *logits, size_t logits_stride, const void *queries,        \
                                  size_t rows, const uint8_t *tiles, const uint16_t *scales,       \
                                  const uint16_t *zeros, size_t first, size_t n,                   \
                                  kv_quantizer quantizer) {                                        \
        score(bits, logits, logits_stride, queries, rows, tiles, scales, zeros, first, n,          \
              quantizer);                                                                          \
    }
