// Weighted sums of quantized values over lanes: 16 elements at a time, the tiles of the block read once
// for up to 4 rows, whose weights meet the codes in 16-bit fixed point.
#pragma once
#include "quantize/coded_lanes.h"

/// Up to 4 rows of weights in fixed point. A dot starts from -offset * sum. A row without weight has the
/// step -0: fma(0, -0, a) is a for every a, also for -0.
typedef struct {
    uint8_t fixed[8 * kv_block];
    int32_t start[4];
    float step[4], constant[4];
} weight_rows;

KV_INLINED void weigh(weight_rows *weights, const int rows, f32x16 u[4][4], int32_t offset) {
    f32x16 peak[4];
    i32x16 sum[4];
    float top[4], factor[4];
    for (int r = 0; r < rows; r++)
        peak[r] = maximum(maximum(magnitude(u[r][0]), magnitude(u[r][1])),
                          maximum(magnitude(u[r][2]), magnitude(u[r][3])));
    largest_each(top, peak, rows);
    for (int r = 0; r < rows; r++) {
        const bool empty = !(top[r] >= KV_FIXED_LEAST);
        factor[r] = empty ? 0 : KV_FIXED_PEAK / top[r];
        weights->step[r] = empty ? -0.0f : top[r] / KV_FIXED_PEAK;
    }
    for (int r = 0; r < rows; r++) {
        i32x16 v[4];
        for (int i = 0; i < 4; i++) v[i] = to_integers(mul(u[r][i], splat(factor[r])));
        store_fixed_block(weights->fixed, kv_block, r, v);
        sum[r] = add_integers(add_integers(v[0], v[1]), add_integers(v[2], v[3]));
    }
    total_each(weights->start, sum, rows);
    for (int r = 0; r < rows; r++) weights->start[r] *= -offset;
}

/// sums[column * rows + r] = row r's weights with 16 elements from e on, before the row's step.
KV_INLINED void sum_codes(f32x16 *sums, const int rows, const int columns, const int bits,
                          const weight_rows *weights, const uint8_t *tiles, size_t tile_bytes,
                          size_t n, size_t e, size_t lanes, kv_quantizer quantizer) {
    const coded_lanes codes = {.first = tiles + 4 * e,
                               .column_bytes = 4 * kv_tile,
                               .lanes = lanes,
                               .tiles = kv_divided_up(n, kv_tile),
                               .tile_bytes = tile_bytes,
                               .vectors = kv_tile / kv_vector_codes(bits),
                               .vector_bytes = 4 * quantizer.dim,
                               .ahead = kv_block / kv_tile * tile_bytes};
    i32x16 dot[8];
    for (int k = 0; k < columns * rows; k++) dot[k] = splat_integer(weights->start[k % rows]);
    add_dots(dot, rows, columns, bits, weights->fixed, kv_block, 0, codes);
    for (int k = 0; k < columns * rows; k++) sums[k] = to_floats(dot[k]);
}

static inline f32x16 load_up_to_16(const float *p, size_t n) {
    return n == 16 ? load(p) : load_first(p, n);
}
static inline void store_up_to_16(float *p, f32x16 x, size_t n) {
    if (n == 16)
        store(p, x);
    else
        store_first(p, x, n);
}
static inline f32x16 load_f16_up_to_16(const uint16_t *p, size_t n) {
    return n == 16 ? load_f16(p) : load_f16_first(p, n);
}

/// The weights of every group times its scales.
KV_INLINED void weigh_groups(weight_rows *weights, const int rows, const int bits,
                             float w[4][kv_block], const uint8_t *tiles, size_t n,
                             kv_quantizer quantizer) {
    const size_t groups = kv_groups(quantizer.dim, quantizer.group);
    const size_t tile_bytes = kv_tile_bytes(quantizer, bits);
    const uint8_t *scales = tiles + kv_code_bytes(quantizer, bits);
    for (size_t g = 0; g < groups; g++, scales += kv_tile * sizeof(uint16_t)) {
        f32x16 u[4][4], constant[4];
        for (int r = 0; r < rows; r++) constant[r] = splat(0);
        for (size_t i = 0; i < 4; i++) {
            const uint8_t *own = scales + i * tile_bytes;
            const bool exists = i * kv_tile < n;
            const f32x16 scale = exists ? load_f16((const uint16_t *)own) : splat(0);
            for (int r = 0; r < rows; r++) u[r][i] = mul(load(w[r] + i * 16), scale);
            if (!quantizer.asymmetric) continue;
            own += kv_scale_bytes(quantizer);
            const f32x16 zero = exists ? load_f16((const uint16_t *)own) : splat(0);
            for (int r = 0; r < rows; r++)
                constant[r] = fused(load(w[r] + i * 16), zero, constant[r]);
        }
        weigh(weights + g, rows, u, kv_code_offset(quantizer, bits));
        for (int r = 0; r < rows && quantizer.asymmetric; r++)
            weights[g].constant[r] = tree_sum(constant[r]);
    }
}

KV_INLINED void add_per_token(const int rows, const int bits, float *accumulator,
                              float w[4][kv_block], const uint8_t *tiles, size_t n,
                              kv_quantizer quantizer) {
    const size_t dim = quantizer.dim, tile_bytes = kv_tile_bytes(quantizer, bits);
    weight_rows weights[kv_largest_groups];
    weigh_groups(weights, rows, bits, w, tiles, n, quantizer);
    for (size_t g = 0, e = 0; e < dim; g++) {
        const size_t end = kv_least(dim, e + quantizer.group);
        const weight_rows *own = weights + g;
        f32x16 sums[8];
        for (; e + 32 <= end; e += 32) {
            sum_codes(sums, rows, 2, bits, own, tiles, tile_bytes, n, e, 16, quantizer);
            for (int k = 0; k < 2 * rows; k++) {
                const int r = k % rows;
                float *a = accumulator + r * dim + e + k / rows * 16;
                f32x16 sum = fused(sums[k], splat(own->step[r]), load(a));
                if (quantizer.asymmetric) sum = add(sum, splat(own->constant[r]));
                store(a, sum);
            }
        }
        for (; e < end; e += 16) {
            const size_t lanes = kv_least(16, end - e);
            sum_codes(sums, rows, 1, bits, own, tiles, tile_bytes, n, e, lanes, quantizer);
            for (int r = 0; r < rows; r++) {
                float *a = accumulator + r * dim + e;
                f32x16 sum = fused(sums[r], splat(own->step[r]), load_up_to_16(a, lanes));
                if (quantizer.asymmetric) sum = add(sum, splat(own->constant[r]));
                store_up_to_16(a, sum, lanes);
            }
        }
    }
}

KV_INLINED void add_per_channel(const int rows, const int bits, float *accumulator,
                                float w[4][kv_block], const uint8_t *tiles, const uint16_t *scales,
                                const uint16_t *zeros, size_t first, size_t n,
                                kv_quantizer quantizer) {
    const size_t dim = quantizer.dim, tile_bytes = kv_tile_bytes(quantizer, bits);
    for (size_t start = 0, end; start < n; start = end) {
        const size_t channels = (first + start) / quantizer.group * dim;
        end = kv_least(n, (first + start) / quantizer.group * quantizer.group + quantizer.group -
                              first);
        weight_rows weights;
        f32x16 u[4][4];
        for (int r = 0; r < rows; r++) {
            float run[kv_block] = {0};
            memcpy(run + start, w[r] + start, (end - start) * sizeof *run);
            f32x16 sum = splat(0);
            for (int i = 0; i < 4; i++) sum = add(sum, u[r][i] = load(run + 16 * i));
            weights.constant[r] = tree_sum(sum);
        }
        weigh(&weights, rows, u, kv_code_offset(quantizer, bits));
        for (size_t e = 0; e < dim; e += 16) {
            const size_t lanes = kv_least(16, dim - e);
            const f32x16 scale = load_f16_up_to_16(scales + channels + e, lanes);
            const f32x16 zero = quantizer.asymmetric
                                    ? load_f16_up_to_16(zeros + channels + e, lanes)
                                    : splat(0);
            f32x16 sums[4];
            sum_codes(sums, rows, 1, bits, &weights, tiles, tile_bytes, n, e, lanes, quantizer);
            for (int r = 0; r < rows; r++) {
                float *row = accumulator + r * dim + e;
                const f32x16 step = mul(splat(weights.step[r]), scale);
                f32x16 a = fused(sums[r], step, load_up_to_16(row, lanes));
                if (quantizer.asymmetric) a = fused(splat(weights.constant[r]), zero, a);
                store_up_to_16(row, a, lanes);
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
