// Weighted sums of quantized values over lanes: 16 elements at a time, the tiles of the block read once
// for up to 4 rows. Weights become prepared rows of 64, whose planes lie in the order of the codes.
#pragma once
#include "quantize/prepare_queries_lanes.h"

enum { weight_row_bytes = 4 + 4 + 4 * kv_block };

/// Up to 4 rows of weights in fixed point. A row without weight has the step -0: fma(0, -0, a) is a
/// for every a, also for -0.
typedef struct {
    uint8_t prepared[4][weight_row_bytes];
    float step[4], constant[4];
} weight_rows;

static inline void weigh(weight_rows *weights, int r, const float u[kv_block]) {
    prepare_row(weights->prepared[r], u, kv_block, kv_block);
    const float step = kv_load_f32(weights->prepared[r]);
    weights->step[r] = step > 0 ? step : -0.0f;
}

/// dot[r] = integer sum over the block's tiles of row r's weights and the codes from element e on.
KV_INLINED void weighted_codes(f32x16 *sums, const int rows, const int bits,
                               const weight_rows *weights, const uint8_t *tiles, size_t n, size_t e,
                               size_t lanes, kv_quantizer quantizer) {
    const kv_prepared_layout layout = kv_prepared(kv_block, kv_block);
    const int32_t offset = kv_code_offset(quantizer, bits);
    fixed_row x[4];
    i32x16 dot[4];
    for (int r = 0; r < rows; r++) x[r] = fixed_row_at(weights->prepared[r], layout, 0);
    dots(dot, rows, bits, x,
         (coded_lanes){tiles + 4 * e, lanes, kv_divided_up(n, kv_tile),
                       kv_tile_bytes(quantizer, bits), kv_tile / kv_vector_codes(bits),
                       4 * quantizer.dim});
    for (int r = 0; r < rows; r++) {
        const int32_t sum = kv_load_i32(weights->prepared[r] + layout.sums);
        sums[r] = to_floats(subtract(dot[r], splat_integer(offset * sum)));
    }
}

KV_INLINED void add_per_token(const int rows, const int bits, float *accumulator,
                              float w[4][kv_block], const uint8_t *tiles, size_t n,
                              kv_quantizer quantizer) {
    const size_t tile_bytes = kv_tile_bytes(quantizer, bits);
    for (size_t g = 0; g < kv_groups(quantizer.dim, quantizer.group); g++) {
        float u[4][kv_block] = {0};
        f32x16 constant[4];
        for (int r = 0; r < rows; r++) constant[r] = splat(0);
        const uint8_t *scales = tiles + kv_code_bytes(quantizer, bits) + g * 2 * kv_tile;
        for (size_t t = 0; t < n; t += kv_tile, scales += tile_bytes) {
            const f32x16 scale = load_f16((const uint16_t *)scales);
            for (int r = 0; r < rows; r++) store(u[r] + t, mul(load(w[r] + t), scale));
            if (!quantizer.asymmetric) continue;
            const f32x16 zero = load_f16((const uint16_t *)(scales + kv_scale_bytes(quantizer)));
            for (int r = 0; r < rows; r++)
                constant[r] = fused(load(w[r] + t), zero, constant[r]);
        }
        weight_rows weights;
        for (int r = 0; r < rows; r++) {
            weigh(&weights, r, u[r]);
            weights.constant[r] = tree_sum(constant[r]);
        }
        const size_t end = g * quantizer.group + kv_group_width(quantizer.dim, quantizer.group, g);
        for (size_t e = g * quantizer.group; e < end; e += 16) {
            const size_t lanes = kv_least(16, end - e);
            f32x16 sums[4];
            weighted_codes(sums, rows, bits, &weights, tiles, n, e, lanes, quantizer);
            for (int r = 0; r < rows; r++) {
                float *row = accumulator + r * quantizer.dim + e;
                f32x16 a = lanes == 16 ? load(row) : load_first(row, lanes);
                a = fused(sums[r], splat(weights.step[r]), a);
                if (quantizer.asymmetric) a = add(a, splat(weights.constant[r]));
                if (lanes == 16)
                    store(row, a);
                else
                    store_first(row, a, lanes);
            }
        }
    }
}

KV_INLINED void add_per_channel(const int rows, const int bits, float *accumulator,
                                float w[4][kv_block], const uint8_t *tiles, const uint16_t *scales,
                                const uint16_t *zeros, size_t first, size_t n,
                                kv_quantizer quantizer) {
    const size_t dim = quantizer.dim;
    for (size_t start = 0, end; start < n; start = end) {
        const size_t row_of_scales = (first + start) / quantizer.group;
        end = kv_least(n, (row_of_scales + 1) * quantizer.group - first);
        weight_rows weights;
        for (int r = 0; r < rows; r++) {
            float run[kv_block] = {0};
            memcpy(run + start, w[r] + start, (end - start) * sizeof *run);
            weigh(&weights, r, run);
            f32x16 sum = splat(0);
            for (size_t t = 0; t < kv_block; t += 16) sum = add(sum, load(run + t));
            weights.constant[r] = tree_sum(sum);
        }
        for (size_t e = 0; e < dim; e += 16) {
            const size_t lanes = kv_least(16, dim - e);
            const uint16_t *scale_row = scales + row_of_scales * dim + e;
            const uint16_t *zero_row = zeros + row_of_scales * dim + e;
            const f32x16 scale =
                lanes == 16 ? load_f16(scale_row) : load_f16_first(scale_row, lanes);
            f32x16 zero = splat(0);
            if (quantizer.asymmetric)
                zero = lanes == 16 ? load_f16(zero_row) : load_f16_first(zero_row, lanes);
            f32x16 sums[4];
            weighted_codes(sums, rows, bits, &weights, tiles, n, e, lanes, quantizer);
            for (int r = 0; r < rows; r++) {
                float *row = accumulator + r * dim + e;
                f32x16 a = lanes == 16 ? load(row) : load_first(row, lanes);
                a = fused(sums[r], mul(splat(weights.step[r]), scale), a);
                if (quantizer.asymmetric) a = fused(splat(weights.constant[r]), zero, a);
                if (lanes == 16)
                    store(row, a);
                else
                    store_first(row, a, lanes);
            }
        }
    }
}

/// The weights of a whole block: 0 beyond n and, with a list, for what it leaves out.
static inline void spread_weights(float w[kv_block], const float *weights, size_t n,
                                  const uint32_t *indices, size_t index_count) {
    memset(w, 0, kv_block * sizeof *w);
    if (indices)
        for (size_t i = 0; i < index_count; i++) w[indices[i]] = weights[indices[i]];
    else
        memcpy(w, weights, n * sizeof *w);
}

static inline void rescale_row(float *accumulator, float factor, size_t dim) {
    size_t c = 0;
    for (; c + 16 <= dim; c += 16) store(accumulator + c, mul(load(accumulator + c), splat(factor)));
    if (c < dim)
        store_first(accumulator + c, mul(load_first(accumulator + c, dim - c), splat(factor)),
                    dim - c);
}

KV_INLINED void accumulate_rows(const int rows, const int bits, float *accumulator,
                                const float *rescale, const float *weights, size_t weights_stride,
                                const uint8_t *tiles, const uint16_t *scales, const uint16_t *zeros,
                                size_t first, size_t n, const uint32_t *indices, size_t index_count,
                                kv_quantizer quantizer) {
    float w[4][kv_block];
    for (int r = 0; r < rows; r++) {
        rescale_row(accumulator + r * quantizer.dim, rescale[r], quantizer.dim);
        spread_weights(w[r], weights + r * weights_stride, n, indices, index_count);
    }
    if (quantizer.per_channel)
        add_per_channel(rows, bits, accumulator, w, tiles, scales, zeros, first, n, quantizer);
    else
        add_per_token(rows, bits, accumulator, w, tiles, n, quantizer);
}

KV_INLINED void accumulate(const int bits, float *accumulator, const float *rescale, size_t rows,
                           const float *weights, size_t weights_stride, const uint8_t *tiles,
                           const uint16_t *scales, const uint16_t *zeros, size_t first, size_t n,
                           const uint32_t *indices, size_t index_count, kv_quantizer quantizer) {
    size_t r = 0;
    for (; r + 4 <= rows; r += 4)
        accumulate_rows(4, bits, accumulator + r * quantizer.dim, rescale + r,
                        weights + r * weights_stride, weights_stride, tiles, scales, zeros, first, n,
                        indices, index_count, quantizer);
    for (; r < rows; r++)
        accumulate_rows(1, bits, accumulator + r * quantizer.dim, rescale + r,
                        weights + r * weights_stride, weights_stride, tiles, scales, zeros, first, n,
                        indices, index_count, quantizer);
}
