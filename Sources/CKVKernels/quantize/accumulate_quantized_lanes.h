// Weighted sums of quantized values over lanes: 16 elements at a time, the tiles of the block read
// once for up to 4 rows, whose weights meet the codes in 16-bit fixed point. Integer sums span at
// most 64 entries: |sum| <= 64 * 32512 * 255 < 2^31, also on the way.
#pragma once
#include "quantize/fixed_steps.h"
#include "quantize/tails.h"

/// Up to 4 rows of weights in fixed point. A dot starts from -sum * the middle byte. A row
/// without weight has the step -0: fma(0, -0, a) is a for every a, also for -0.
typedef struct {
    _Alignas(64) uint8_t fixed[4][2 * kv_block];
    int32_t start[4];
    float step[4], constant[4];
} weight_rows;

KV_INLINED void weigh(weight_rows *weights, const int rows, const int middle, const float *steps,
                      const float *factors, f32x16 u[4][4]) {
    i32x16 sum[4];
    for (int r = 0; r < rows; r++) {
        weights->step[r] = steps[r];
        i32x16 v[4];
        const f32x16 factor = splat(factors[r]);
        for (int i = 0; i < 4; i++) v[i] = to_integers(mul(u[r][i], factor));
        sum[r] = store_fixed_block(weights->fixed[r], kv_block, 0, v);
    }
    total_each(weights->start, sum, rows);
    for (int r = 0; r < rows; r++) weights->start[r] *= -middle;
}

/// Adds entries start ..< end to the 16 elements from e on, `lanes` of them, or to 32 as two
/// columns. Per channel, `scales` and `zeros` are those of element 0 and on. Whole tiles are read:
/// weights outside the entries are 0.
KV_INLINED void add_columns(const int rows, const int columns, const int bits, float *accumulator,
                            const weight_rows *weights, const uint8_t *tiles, size_t start,
                            size_t end, size_t e, size_t lanes, const uint16_t *scales,
                            const uint16_t *zeros, kv_quantizer quantizer) {
    const size_t tile_bytes = kv_tile_bytes(quantizer, bits);
    const size_t tile = start / kv_tile, third_bytes = kv_third_bytes(quantizer.dim);
    const uint8_t *first = tiles + tile * tile_bytes;
    const coded_lanes codes = {.first = first + 4 * e,
                               .column_bytes = 4 * kv_tile,
                               .lanes = lanes,
                               .tiles = kv_divided_up(end, kv_tile) - tile,
                               .tile_bytes = tile_bytes,
                               .vectors = kv_tile / kv_vector_codes(bits),
                               .vector_bytes = kv_vector_bytes(quantizer, bits),
                               .thirds = first + 4 * quantizer.dim + e / 2,
                               .third_column_bytes = kv_third_bytes(kv_tile),
                               .third_quad_bytes = third_bytes,
                               .levels = quantizer.codebook ? quantizer.levels : 0};
    i32x16 dot[8];
    for (int k = 0; k < columns * rows; k++) dot[k] = splat_integer(weights->start[k % rows]);
    add_dots(dot, rows, columns, bits, rows_of_integers(weights->fixed[0], kv_block),
             tile * kv_tile, codes);
    for (int c = 0; c < columns; c++, e += 16) {
        // Per token there is nothing left to multiply with, and a product with 1 is exact.
        f32x16 scale = splat(1), middle = splat(1);
        if (quantizer.per_channel) scale = halves_up_to_16(scales + e, lanes);
        if (quantizer.per_channel && quantizer.asymmetric)
            middle = middle_of(bits, scale, halves_up_to_16(zeros + e, lanes));
        for (int r = 0; r < rows; r++) {
            float *a = accumulator + r * quantizer.dim + e;
            f32x16 sum = fused(to_floats(dot[c * rows + r]), mul(splat(weights->step[r]), scale),
                               load_up_to_16(a, lanes));
            if (quantizer.asymmetric) sum = fused(splat(weights->constant[r]), middle, sum);
            store_up_to_16(a, sum, lanes);
        }
    }
}

/// Adds entries start ..< end to elements from ..< to, which share the weights.
KV_INLINED void add_run(const int rows, const int bits, float *accumulator,
                        const weight_rows *weights, const uint8_t *tiles, size_t start, size_t end,
                        size_t from, size_t to, const uint16_t *scales, const uint16_t *zeros,
                        kv_quantizer quantizer) {
    size_t e = from;
    for (; e + 32 <= to; e += 32)
        add_columns(rows, 2, bits, accumulator, weights, tiles, start, end, e, 16, scales, zeros,
                    quantizer);
    for (; e < to; e += 16)
        add_columns(rows, 1, bits, accumulator, weights, tiles, start, end, e, kv_least(16, to - e),
                    scales, zeros, quantizer);
}

/// Row r's weights times the scales of group g, 16 tokens of tile i.
KV_INLINED f32x16 group_scale(const int bits, const uint8_t *tiles, size_t g, size_t i, size_t n,
                              kv_quantizer quantizer) {
    const uint8_t *own = tiles + i * kv_tile_bytes(quantizer, bits) +
                         kv_code_bytes(quantizer, bits) + g * kv_tile * sizeof(uint16_t);
    if (g % 2 == 0) prefetch_window(own);
    return i * kv_tile < n ? load_f16((const uint16_t *)own) : splat(0);
}
KV_INLINED void scaled_weights(f32x16 u[4][4], const int rows, const int bits, const float *w,
                               size_t stride, const uint8_t *tiles, size_t g, size_t n,
                               kv_quantizer quantizer) {
    for (size_t i = 0; i < 4; i++) {
        const f32x16 scale = group_scale(bits, tiles, g, i, n, quantizer);
        for (int r = 0; r < rows; r++) u[r][i] = mul(load(w + r * stride + i * 16), scale);
    }
}
KV_INLINED fixed_steps weigh_steps(const int rows, const int bits, const float *w, size_t stride,
                                   const uint8_t *tiles, size_t g, size_t groups, size_t n,
                                   kv_quantizer quantizer) {
    float tops[16] = {0};
    for (size_t k = 0; k < 4 && g + k < groups; k++) {
        f32x16 u[4][4], peak[4];
        scaled_weights(u, rows, bits, w, stride, tiles, g + k, n, quantizer);
        for (int r = 0; r < rows; r++) peak[r] = largest_magnitudes(u[r]);
        largest_each(tops + 4 * k, peak, rows);
    }
    return steps_of(tops);
}
KV_INLINED void weigh_group(weight_rows *weights, const fixed_steps *steps, const int rows,
                            const int bits, const float *w, size_t stride, const uint8_t *tiles,
                            size_t g, size_t n, kv_quantizer quantizer) {
    f32x16 u[4][4];
    scaled_weights(u, rows, bits, w, stride, tiles, g, n, quantizer);
    weigh(weights, rows, kv_middle_byte(quantizer, bits), steps->step + g % 4 * 4,
          steps->factor + g % 4 * 4, u);
    if (!quantizer.asymmetric) return;
    f32x16 constant[4];
    for (int r = 0; r < rows; r++) constant[r] = splat(0);
    for (size_t i = 0; i < 4; i++) {
        const uint8_t *own = tiles + i * kv_tile_bytes(quantizer, bits) +
                             kv_code_bytes(quantizer, bits) + g * kv_tile * sizeof(uint16_t) +
                             kv_scale_bytes(quantizer);
        const f32x16 zero = i * kv_tile < n ? load_f16((const uint16_t *)own) : splat(0);
        const f32x16 middle = middle_of(bits, group_scale(bits, tiles, g, i, n, quantizer), zero);
        for (int r = 0; r < rows; r++)
            constant[r] = fused(load(w + r * stride + i * 16), middle, constant[r]);
    }
    for (int r = 0; r < rows; r++) weights->constant[r] = tree_sum(constant[r]);
}

KV_INLINED void add_per_token(const int rows, const int bits, float *accumulator, const float *w,
                              size_t stride, const uint8_t *tiles, size_t n,
                              kv_quantizer quantizer) {
    const size_t dim = quantizer.dim, groups = kv_groups(dim, quantizer.group);
    weight_rows weights[2];
    fixed_steps steps = weigh_steps(rows, bits, w, stride, tiles, 0, groups, n, quantizer);
    weigh_group(weights, &steps, rows, bits, w, stride, tiles, 0, n, quantizer);
    for (size_t g = 0, e = 0; g < groups; g++, e += quantizer.group) {
        const size_t next = g + 1;
        if (next < groups) {
            if (next % 4 == 0)
                steps = weigh_steps(rows, bits, w, stride, tiles, next, groups, n, quantizer);
            weigh_group(weights + next % 2, &steps, rows, bits, w, stride, tiles, next, n,
                        quantizer);
        }
        add_run(rows, bits, accumulator, weights + g % 2, tiles, 0, n, e,
                kv_least(dim, e + quantizer.group), 0, 0, quantizer);
    }
}

KV_INLINED void add_per_channel(const int rows, const int bits, float *accumulator, const float *w,
                                size_t stride, const uint8_t *tiles, const uint16_t *scales,
                                const uint16_t *zeros, size_t first, size_t n,
                                kv_quantizer quantizer) {
    const size_t dim = quantizer.dim;
    for (size_t start = 0, end; start < n; start = end) {
        const size_t run = (first + start) / quantizer.group;
        end = kv_least(n, (run + 1) * quantizer.group - first);
        weight_rows weights;
        f32x16 u[4][4];
        for (int r = 0; r < rows; r++) {
            float own[kv_block] = {0};
            memcpy(own + start, w + r * stride + start, (end - start) * sizeof *own);
            f32x16 sum = splat(0);
            for (int i = 0; i < 4; i++) sum = add(sum, u[r][i] = load(own + 16 * i));
            weights.constant[r] = tree_sum(sum);
        }
        f32x16 peak[4];
        float tops[16] = {0};
        for (int r = 0; r < rows; r++) peak[r] = largest_magnitudes(u[r]);
        largest_each(tops, peak, rows);
        const fixed_steps steps = steps_of(tops);
        weigh(&weights, rows, kv_middle_byte(quantizer, bits), steps.step, steps.factor, u);
        add_run(rows, bits, accumulator, &weights, tiles, start, end, 0, dim, scales + run * dim,
                quantizer.asymmetric ? zeros + run * dim : 0, quantizer);
    }
}

/// The weights of a whole block: 0 beyond n and, with a list, for what it leaves out.
static inline void spread_weights(float w[kv_block], const float *weights, size_t n,
                                  const uint32_t *indices, size_t index_count) {
    if (n == kv_block && !indices) {
        memcpy(w, weights, kv_block * sizeof *w);
        return;
    }
    memset(w, 0, kv_block * sizeof *w);
    for (size_t i = 0; i < (indices ? index_count : n); i++) {
        const size_t t = indices ? indices[i] : i;
        w[t] = weights[t];
    }
}

static inline void rescale_row(float *accumulator, float factor, size_t dim) {
    if (factor == 1) return; // the usual case: a block seldom raises the maximum
    for (size_t c = 0; c < dim; c += 16) {
        const size_t n = kv_least(16, dim - c);
        store_up_to_16(accumulator + c, mul(load_up_to_16(accumulator + c, n), splat(factor)), n);
    }
}

KV_INLINED void accumulate_rows(const int rows, const int bits, float *accumulator,
                                const float *rescale, const float *weights, size_t weights_stride,
                                const uint8_t *tiles, const uint16_t *scales, const uint16_t *zeros,
                                size_t first, size_t n, const uint32_t *indices, size_t index_count,
                                kv_quantizer quantizer) {
    float spread[4][kv_block];
    const bool whole = n == kv_block && !indices;
    for (int r = 0; r < rows; r++) {
        rescale_row(accumulator + r * quantizer.dim, rescale[r], quantizer.dim);
        if (!whole)
            spread_weights(spread[r], weights + r * weights_stride, n, indices, index_count);
    }
    const float *w = whole ? weights : spread[0];
    const size_t stride = whole ? weights_stride : kv_block;
    if (quantizer.per_channel)
        add_per_channel(rows, bits, accumulator, w, stride, tiles, scales, zeros, first, n,
                        quantizer);
    else
        add_per_token(rows, bits, accumulator, w, stride, tiles, n, quantizer);
}

/// `together`: two and three rows have loops of their own, too.
KV_INLINED void accumulate(const int bits, const bool together, float *accumulator,
                           const float *rescale, size_t rows, const float *weights,
                           size_t weights_stride, const uint8_t *tiles, const uint16_t *scales,
                           const uint16_t *zeros, size_t first, size_t n, const uint32_t *indices,
                           size_t index_count, kv_quantizer quantizer) {
    size_t r = 0;
    for (; r + 4 <= rows; r += 4)
        accumulate_rows(4, bits, accumulator + r * quantizer.dim, rescale + r,
                        weights + r * weights_stride, weights_stride, tiles, scales, zeros, first,
                        n, indices, index_count, quantizer);
    if (together && rows - r == 3)
        accumulate_rows(3, bits, accumulator + r * quantizer.dim, rescale + r,
                        weights + r * weights_stride, weights_stride, tiles, scales, zeros, first,
                        n, indices, index_count, quantizer);
    else if (together && rows - r == 2)
        accumulate_rows(2, bits, accumulator + r * quantizer.dim, rescale + r,
                        weights + r * weights_stride, weights_stride, tiles, scales, zeros, first,
                        n, indices, index_count, quantizer);
    else
        for (; r < rows; r++)
            accumulate_rows(1, bits, accumulator + r * quantizer.dim, rescale + r,
                            weights + r * weights_stride, weights_stride, tiles, scales, zeros,
                            first, n, indices, index_count, quantizer);
}

#define KV_ACCUMULATE(bits, isa)                                                                   \
    void kv_accumulate_q##bits##_##isa(                                                            \
        float *accumulator, const float *rescale, size_t rows, const float *weights,               \
        size_t weights_stride, const uint8_t *tiles, const uint16_t *scales,                       \
        const uint16_t *zeros, size_t first, size_t n, const uint32_t *indices,                    \
        size_t index_count, kv_quantizer quantizer) {                                              \
        if (is_usual(quantizer, n) && quantizer.dim == 128)                                        \
            accumulate(bits, true, accumulator, rescale, rows, weights, weights_stride, tiles,     \
                       scales, zeros, first, kv_block, indices, index_count,                       \
                       usual(quantizer, 128));                                                     \
        else if (is_usual(quantizer, n))                                                           \
            accumulate(bits, true, accumulator, rescale, rows, weights, weights_stride, tiles,     \
                       scales, zeros, first, kv_block, indices, index_count,                       \
                       usual(quantizer, quantizer.dim));                                           \
        else                                                                                       \
            accumulate(bits, false, accumulator, rescale, rows, weights, weights_stride, tiles,    \
                       scales, zeros, first, n, indices, index_count, quantizer);                  \
    }
