// Rows to tiles over lanes: extremes of the groups, then their steps 16 at a time, then codes as
// bytes of a tile, then the interleave. Per token, 16 steps belong to the 16 tokens; per channel,
// to 16 channels. With a codebook, norms take the place of extremes.
#pragma once
#include "quantize/interleave.h"
#include "quantize/tails.h"

/// Smallest and largest values of 16 groups; symmetric: of magnitudes, and low is not used.
typedef struct {
    f32x16 low, high;
} extremes;

static inline extremes extend(extremes all, f32x16 x, bool asymmetric) {
    if (!asymmetric) return (extremes){all.low, maximum(magnitude(x), all.high)};
    return (extremes){minimum(x, all.low), maximum(x, all.high)};
}

/// What codes are made with: code = rint((x - zero) * inverse).
typedef struct {
    f32x16 zero, inverse;
} coder;

/// Rounds the steps of 16 groups outwards to f16, stores the first n of each, and returns their
/// coder.
KV_INLINED coder step_coder(const int bits, uint8_t *scales, uint8_t *zeros, size_t n,
                            extremes groups, kv_quantizer quantizer) {
    uint16_t half[16];
    coder coder = {splat(0), splat(0)};
    f32x16 width = groups.high;
    if (quantizer.asymmetric) {
        const f32x16 low = add(groups.low, splat(0));
        store_f16(half, low);
        const uint32_t above = bits_greater(load_f16(half), low);
        for (int i = 0; i < 16; i++) {
            const int down = half[i] & 0x8000 ? 1 : -1;
            half[i] = (uint16_t)(half[i] + (above >> i & 1 ? down : 0));
        }
        memcpy(zeros, half, n * sizeof *half);
        coder.zero = load_f16(half);
        width = sub(add(groups.high, splat(0)), coder.zero);
    }
    const f32x16 step = divide(width, splat((float)kv_code_peak(quantizer, bits)));
    store_f16(half, step);
    const uint32_t below = bits_greater(step, load_f16(half));
    add_bits(half, below);
    memcpy(scales, half, n * sizeof *half);
    const f32x16 scale = load_f16(half);
    coder.inverse = select_less(splat(0), scale, divide(splat(1), scale), splat(0));
    return coder;
}

/// The same from the norms of 16 groups of a codebook.
static inline coder norm_coder(uint8_t *scales, f32x16 norms, size_t width,
                               kv_quantizer quantizer) {
    uint16_t half[16];
    store_f16(half, mul(norms, splat(quantizer.step / sqrtf((float)width))));
    memcpy(scales, half, sizeof half);
    const f32x16 scale = load_f16(half);
    return (coder){splat(0), select_less(splat(0), scale, divide(splat(1), scale), splat(0))};
}

static inline float norm_of_run(const float *x, size_t n) {
    f32x16 squares = splat(0);
    for (size_t e = 0; e < n; e += 16) {
        const f32x16 own = load_up_to_16(x + e, n - e);
        squares = fused(own, own, squares);
    }
    return sqrtf(tree_sum(squares));
}

KV_INLINED void encode16(const int bits, uint8_t *codes, f32x16 x, coder coder,
                         kv_quantizer quantizer) {
    if (quantizer.codebook) {
        const f32x16 y = mul(x, coder.inverse);
        f32x16 code = splat(0);
        for (int k = 1; k < 1 << bits; k++) {
            const f32x16 above =
                select_less(splat(kv_boundary(quantizer, k)), y, splat(1), splat(0));
            code = add(code, above);
        }
        store_bytes(codes, to_integers(code));
        return;
    }
    const float q = (float)kv_code_peak(quantizer, bits);
    const f32x16 code = nearest(mul(sub(x, coder.zero), coder.inverse));
    const f32x16 clamped = minimum(maximum(code, splat(quantizer.asymmetric ? 0 : -q)), splat(q));
    store_bytes(codes,
                add_integers(to_integers(clamped), splat_integer(kv_code_offset(quantizer, bits))));
}

static inline extremes extremes_of_run(const float *x, size_t n, bool asymmetric) {
    extremes all = {splat(x[0]), splat(asymmetric ? x[0] : 0)};
    size_t e = 0;
    for (; e + 16 <= n; e += 16) all = extend(all, load(x + e), asymmetric);
    for (; e < n; e++) all = extend(all, splat(x[e]), asymmetric);
    return all;
}

/// Clears what lies beyond the elements of `count` rows, and the rows that do not exist.
static inline void clear_rest(kv_code_rows codes, size_t count, size_t dim) {
    const size_t padded = (dim + 15) / 16 * 16;
    for (size_t t = 0; t < kv_tile; t++) {
        const size_t from = t < count ? dim : 0;
        memset(codes[t] + from, 0, padded - from);
    }
}

KV_INLINED void encode_tile_per_token(const int bits, uint8_t *tile, const float *rows,
                                      size_t stride, size_t count, kv_quantizer quantizer) {
    const size_t dim = quantizer.dim, group = quantizer.group, groups = kv_groups(dim, group);
    uint8_t *scales = tile + kv_code_bytes(quantizer, bits);
    uint8_t *zeros = scales + kv_scale_bytes(quantizer);
    kv_code_rows codes;
    for (size_t g = 0; g < groups; g++) {
        const size_t width = kv_group_width(dim, group, g), at = g * kv_tile * sizeof(uint16_t);
        float low[kv_tile] = {0}, high[kv_tile] = {0}, zero[kv_tile], inverse[kv_tile];
        coder steps;
        if (quantizer.codebook) {
            for (size_t t = 0; t < count; t++)
                high[t] = norm_of_run(rows + t * stride + g * group, width);
            steps = norm_coder(scales + at, load(high), width, quantizer);
        } else {
            for (size_t t = 0; t < count; t++) {
                const extremes of_run =
                    extremes_of_run(rows + t * stride + g * group, width, quantizer.asymmetric);
                low[t] = -largest(sub(splat(0), of_run.low));
                high[t] = largest(of_run.high);
            }
            steps = step_coder(bits, scales + at, zeros + at, kv_tile,
                               (extremes){load(low), load(high)}, quantizer);
        }
        store(zero, steps.zero);
        store(inverse, steps.inverse);
        for (size_t t = 0; t < count; t++)
            for (size_t e = 0; e < width; e += 16)
                encode16(bits, codes[t] + g * group + e,
                         load_up_to_16(rows + t * stride + g * group + e, width - e),
                         (coder){splat(zero[t]), splat(inverse[t])}, quantizer);
    }
    clear_rest(codes, count, dim);
    kv_interleave(bits, tile, codes, quantizer);
}

/// One run of `group` tokens: a row of scales, then its tiles.
KV_INLINED void encode_run_per_channel(const int bits, uint8_t *tiles, uint16_t *scales,
                                       uint16_t *zeros, const float *rows, size_t stride,
                                       kv_quantizer quantizer) {
    const size_t dim = quantizer.dim;
    float zero[kv_largest_dim], inverse[kv_largest_dim];
    for (size_t c = 0; c < dim; c += 16) {
        const f32x16 x = load_up_to_16(rows + c, dim - c);
        extremes channels = {x, quantizer.asymmetric ? x : splat(0)};
        for (size_t t = 0; t < quantizer.group; t++)
            channels = extend(channels, load_up_to_16(rows + t * stride + c, dim - c),
                              quantizer.asymmetric);
        const coder steps = step_coder(bits, (uint8_t *)(scales + c),
                                       (uint8_t *)(quantizer.asymmetric ? zeros + c : 0),
                                       kv_least(16, dim - c), channels, quantizer);
        store(zero + c, steps.zero);
        store(inverse + c, steps.inverse);
    }
    for (size_t start = 0; start < quantizer.group; start += kv_tile) {
        kv_code_rows codes;
        for (size_t t = 0; t < kv_tile; t++)
            for (size_t c = 0; c < dim; c += 16)
                encode16(bits, codes[t] + c,
                         load_up_to_16(rows + (start + t) * stride + c, dim - c),
                         (coder){load(zero + c), load(inverse + c)}, quantizer);
        clear_rest(codes, kv_tile, dim);
        kv_interleave(bits, tiles + start / kv_tile * kv_tile_bytes(quantizer, bits), codes,
                      quantizer);
    }
}

KV_INLINED void encode(const int bits, uint8_t *tiles, uint16_t *scales, uint16_t *zeros,
                       const float *rows, size_t stride, size_t n, kv_quantizer quantizer) {
    const size_t tile_bytes = kv_tile_bytes(quantizer, bits);
    if (quantizer.per_channel)
        for (size_t t = 0; t < n; t += quantizer.group)
            encode_run_per_channel(
                bits, tiles + t / kv_tile * tile_bytes,
                scales + t / quantizer.group * quantizer.dim,
                quantizer.asymmetric ? zeros + t / quantizer.group * quantizer.dim : 0,
                rows + t * stride, stride, quantizer);
    else
        for (size_t t = 0; t < n; t += kv_tile)
            encode_tile_per_token(bits, tiles + t / kv_tile * tile_bytes, rows + t * stride, stride,
                                  kv_least(kv_tile, n - t), quantizer);
}

#define KV_ENCODE(bits, isa)                                                                       \
    void kv_encode_q##bits##_##isa(uint8_t *tiles, uint16_t *scales, uint16_t *zeros,              \
                                   const float *rows, size_t stride, size_t n,                     \
                                   kv_quantizer quantizer) {                                       \
        encode(bits, tiles, scales, zeros, rows, stride, n, quantizer);                            \
    }
