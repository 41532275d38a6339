// Logits of quantized keys over lanes: 16 tokens at a time, each tile read once for up to 4 query
// rows. Integer sums span at most 128 elements: |sum| <= 128 * 32512 * 255 < 2^31, also on the way.
#pragma once
#include "quantize/fixed_steps.h"
#include "quantize/tails.h"

/// Up to 4 query rows, ready for the dots of each group. A dot starts from -sum * the middle byte.
typedef struct {
    size_t groups;
    fixed_rows fixed;
    int32_t start[kv_largest_groups][4];
    float sum[kv_largest_groups][4], step[4];
    float constant[4]; ///< per channel, asymmetric: the query with the middles
} query_rows;

/// f[column * rows + r] += row r with the 16 tokens of a tile, over the `width` elements of group
/// g; two tiles if there are two columns.
KV_INLINED void score_group(f32x16 *f, const int rows, const int columns, const int bits,
                            const query_rows *queries, const uint8_t *tile, size_t tile_bytes,
                            size_t g, const size_t group, const size_t width,
                            kv_quantizer quantizer) {
    const size_t vector_bytes = kv_vector_bytes(quantizer, bits);
    const uint8_t *first = tile + g * group / kv_vector_codes(bits) * vector_bytes;
    const coded_lanes codes = {.first = first,
                               .column_bytes = tile_bytes,
                               .lanes = kv_tile,
                               .tiles = 1,
                               .vectors = kv_divided_up(width, kv_vector_codes(bits)),
                               .vector_bytes = vector_bytes,
                               .thirds = first + 4 * kv_tile,
                               .third_column_bytes = tile_bytes,
                               .third_quad_bytes = kv_third_bytes(kv_tile),
                               .levels = quantizer.codebook ? quantizer.levels : 0};
    i32x16 dot[8];
    for (int k = 0; k < columns * rows; k++) dot[k] = splat_integer(queries->start[g][k % rows]);
    add_dots(dot, rows, columns, bits, queries->fixed, g * group, codes);
    const uint8_t *scales = tile + kv_code_bytes(quantizer, bits) + g * kv_tile * sizeof(uint16_t);
    for (int c = 0; c < columns; c++, scales += tile_bytes) {
        if (g % 2 == 0) prefetch_window(scales);
        for (int r = 0; r < rows; r++) {
            const f32x16 i = to_floats(dot[c * rows + r]);
            f32x16 *own = f + c * rows + r;
            if (quantizer.per_channel) {
                *own = add(*own, i);
                continue;
            }
            const f32x16 scale = load_f16((const uint16_t *)scales);
            *own = fused(i, scale, *own);
            if (!quantizer.asymmetric) continue;
            const f32x16 zero = load_f16((const uint16_t *)(scales + kv_scale_bytes(quantizer)));
            *own = fused(splat(queries->sum[g][r]), middle_of(bits, scale, zero), *own);
        }
    }
}

/// f[column * rows + r] = row r with the 16 tokens of a tile, before the row's step.
KV_INLINED void score_tiles(f32x16 *f, const int rows, const int columns, const int bits,
                            const query_rows *queries, const uint8_t *tile, size_t tile_bytes,
                            kv_quantizer quantizer) {
    const size_t group = quantizer.per_channel ? kv_fold_group : quantizer.group;
    for (int k = 0; k < columns * rows; k++) f[k] = splat(0);
    size_t g = 0;
    for (; (g + 1) * group <= quantizer.dim; g++)
        score_group(f, rows, columns, bits, queries, tile, tile_bytes, g, group, group, quantizer);
    if (g < queries->groups)
        score_group(f, rows, columns, bits, queries, tile, tile_bytes, g, group,
                    quantizer.dim - g * group, quantizer);
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

KV_INLINED void score_per_token(const int rows, const int bits, float *logits, size_t logits_stride,
                                const uint8_t *prepared, const uint8_t *tiles, size_t n,
                                kv_quantizer quantizer) {
    const kv_prepared_layout layout = kv_prepared(quantizer.dim, quantizer.group);
    query_rows queries;
    queries.groups = kv_groups(quantizer.dim, quantizer.group);
    queries.fixed = rows_of_prepared(prepared, layout);
    for (int r = 0; r < rows; r++, prepared += layout.bytes) {
        queries.step[r] = kv_load_f32(prepared);
        for (size_t g = 0; g < queries.groups; g++) {
            const int32_t sum = kv_load_i32(prepared + layout.sums + g * sizeof(int32_t));
            queries.start[g][r] = -sum * kv_middle_byte(quantizer, bits);
            queries.sum[g][r] = (float)sum;
        }
    }
    score_run(rows, bits, logits, logits_stride, &queries, tiles, 0, n, quantizer);
}

/// The queries times a row of scales in fixed point, and their tree sums with the middles if there
/// is a row of zeros.
KV_INLINED void fold_queries(query_rows *queries, uint8_t fixed[4][2 * kv_largest_dim],
                             const int rows, const int bits, const float *query,
                             const uint16_t *scales, const uint16_t *zeros, size_t dim) {
    _Alignas(64) float folded[4][kv_largest_dim];
    f32x16 peak[4], constant[4];
    for (int r = 0; r < rows; r++) peak[r] = constant[r] = splat(0);
    size_t c = 0;
    for (; c < dim; c += 16) {
        const size_t n = dim - c;
        const f32x16 scale = halves_up_to_16(scales + c, n);
        const f32x16 middle =
            zeros ? middle_of(bits, scale, halves_up_to_16(zeros + c, n)) : splat(0);
        for (int r = 0; r < rows; r++) {
            const f32x16 q = load_up_to_16(query + (size_t)r * dim + c, n), x = mul(q, scale);
            store(folded[r] + c, x);
            peak[r] = maximum(magnitude(x), peak[r]);
            if (zeros) constant[r] = fused(q, middle, constant[r]);
        }
    }
    for (; c % kv_block; c += 16)
        for (int r = 0; r < rows; r++) store(folded[r] + c, splat(0));
    float tops[16] = {0};
    largest_each(tops, peak, rows);
    const fixed_steps steps = steps_of(tops);
    for (int r = 0; r < rows; r++) {
        // An empty query's logits are +0: its step is not the -0 that sums need.
        queries->step[r] = steps.factor[r] == 0 ? 0 : steps.step[r];
        if (zeros) queries->constant[r] = tree_sum(constant[r]);
    }
    for (size_t g = 0; g < queries->groups; g++) {
        i32x16 sum[4];
        for (int r = 0; r < rows; r++) {
            sum[r] = splat_integer(0);
            for (size_t e = g * kv_fold_group; e < kv_least(dim, (g + 1) * kv_fold_group);
                 e += kv_block) {
                i32x16 q[4];
                for (int i = 0; i < 4; i++)
                    q[i] = to_integers(mul(load(folded[r] + e + 16 * i), splat(steps.factor[r])));
                sum[r] = add_integers(sum[r], store_fixed_block(fixed[r], kv_largest_dim, e, q));
            }
        }
        total_each(queries->start[g], sum, rows);
        for (int r = 0; r < rows; r++) queries->start[g][r] *= -kv_middle_code(bits);
    }
}

KV_INLINED void score_per_channel(const int rows, const int bits, float *logits,
                                  size_t logits_stride, const float *query, const uint8_t *tiles,
                                  const uint16_t *scales, const uint16_t *zeros, size_t first,
                                  size_t n, kv_quantizer quantizer) {
    const size_t dim = quantizer.dim;
    _Alignas(64) uint8_t fixed[4][2 * kv_largest_dim];
    query_rows queries;
    queries.groups = kv_groups(dim, kv_fold_group);
    queries.fixed = rows_of_integers(fixed[0], kv_largest_dim);
    for (size_t start = 0, end; start < n; start = end) {
        const size_t run = (first + start) / quantizer.group;
        end = kv_least(n, (run + 1) * quantizer.group - first);
        fold_queries(&queries, fixed, rows, bits, query, scales + run * dim,
                     quantizer.asymmetric ? zeros + run * dim : 0, dim);
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

/// `together`: two and three rows have loops of their own, too.
KV_INLINED void score(const int bits, const bool together, float *logits, size_t logits_stride,
                      const void *queries, size_t rows, const uint8_t *tiles,
                      const uint16_t *scales, const uint16_t *zeros, size_t first, size_t n,
                      kv_quantizer quantizer) {
    size_t r = 0;
    for (; r + 4 <= rows; r += 4)
        score_rows(4, bits, logits, logits_stride, queries, r, tiles, scales, zeros, first, n,
                   quantizer);
    if (together && rows - r == 3)
        score_rows(3, bits, logits, logits_stride, queries, r, tiles, scales, zeros, first, n,
                   quantizer);
    else if (together && rows - r == 2)
        score_rows(2, bits, logits, logits_stride, queries, r, tiles, scales, zeros, first, n,
                   quantizer);
    else
        for (; r < rows; r++)
            score_rows(1, bits, logits, logits_stride, queries, r, tiles, scales, zeros, first, n,
                       quantizer);
}

#define KV_SCORE(bits, isa)                                                                        \
    void kv_score_q##bits##_##isa(float *logits, size_t logits_stride, const void *queries,        \
                                  size_t rows, const uint8_t *tiles, const uint16_t *scales,       \
                                  const uint16_t *zeros, size_t first, size_t n,                   \
                                  kv_quantizer quantizer) {                                        \
        if (is_usual(quantizer, n) && quantizer.dim == 128)                                        \
            score(bits, true, logits, logits_stride, queries, rows, tiles, scales, zeros, first,   \
                  kv_block, usual(quantizer, 128));                                                \
        else if (is_usual(quantizer, n))                                                           \
            score(bits, true, logits, logits_stride, queries, rows, tiles, scales, zeros, first,   \
                  kv_block, usual(quantizer, quantizer.dim));                                      \
        else                                                                                       \
            score(bits, false, logits, logits_stride, queries, rows, tiles, scales, zeros, first,  \
                  n, quantizer);                                                                   \
    }
