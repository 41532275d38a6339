// Adds up to 64 weighted quantized values to the accumulator. The weights take the scale of each
// entry (per token) or none (per channel) and become 16-bit fixed point, so that they meet the
// codes in exact integers: |sum| <= 64 * 127 * 256 * 128 < 2^31. What the weights lose is 2^-16 of
// the block's largest. Entries that the index list leaves out, and those between n and the tile's
// end, have weight 0.
#include "dispatch/variants.h"
#include "quantize/codes.h"
#include "quantize/fixed_point.h"

#pragma STDC FP_CONTRACT OFF

/// Sum over entries start ..< end of v and the levels of element e.
static int32_t dot(const int16_t *v, const kv_stored *stored, size_t start, size_t end, size_t e) {
    int32_t sum = 0;
    for (size_t t = start; t < end; t++) sum += v[t] * kv_level_at(stored, t, e);
    return sum;
}

static void add_per_token(float *a, const float *w, const kv_stored *stored, size_t n) {
    const size_t dim = stored->quantizer.dim, group = stored->quantizer.group;
    for (size_t g = 0; g < kv_groups(dim, group); g++) {
        float u[kv_block], middles[kv_block] = {0};
        int16_t v[kv_block];
        for (size_t t = 0; t < n; t++) {
            u[t] = w[t] * kv_token_scale(stored, t, g);
            if (stored->quantizer.asymmetric) middles[t] = kv_token_middle(stored, t, g);
        }
        const float top = kv_fixed_point(v, u, n), constant = kv_tree_dot(w, middles, kv_block);
        for (size_t c = g * group; c < g * group + kv_group_width(dim, group, g); c++) {
            if (top > 0) a[c] = kv_fma((float)dot(v, stored, 0, n, c), top / KV_FIXED_PEAK, a[c]);
            if (stored->quantizer.asymmetric) a[c] = a[c] + constant;
        }
    }
}

static void add_per_channel(float *a, const float *w, const kv_stored *stored, size_t n) {
    for (size_t start = 0, end; start < n; start = end) {
        end = kv_run_end(stored, start, n);
        float run[kv_block] = {0}, ones[kv_block];
        int16_t v[kv_block];
        for (size_t t = start; t < end; t++) run[t] = w[t];
        for (size_t t = 0; t < kv_block; t++) ones[t] = 1;
        const float top = kv_fixed_point(v, run, kv_block), step = top / KV_FIXED_PEAK;
        const float weight = kv_tree_dot(run, ones, kv_block);
        for (size_t c = 0; c < stored->quantizer.dim; c++) {
            const float scale = kv_channel_scale(stored, start, c);
            if (top > 0) a[c] = kv_fma((float)dot(v, stored, start, end, c), step * scale, a[c]);
            if (stored->quantizer.asymmetric)
                a[c] = kv_fma(weight, kv_channel_middle(stored, start, c), a[c]);
        }
    }
}

static void accumulate(float *accumulator, const float *rescale, size_t rows, const float *weights,
                       size_t weights_stride, const kv_stored *stored, size_t n,
                       const uint32_t *indices, size_t index_count) {
    const size_t dim = stored->quantizer.dim;
    for (size_t r = 0; r < rows; r++) {
        float *a = accumulator + r * dim, w[kv_block] = {0};
        for (size_t c = 0; c < dim; c++) a[c] = a[c] * rescale[r];
        const size_t count = indices ? index_count : n;
        for (size_t i = 0; i < count; i++) {
            const size_t t = indices ? indices[i] : i;
            w[t] = weights[r * weights_stride + t];
        }
        if (stored->quantizer.per_channel)
            add_per_channel(a, w, stored, n);
        else
            add_per_token(a, w, stored, n);
    }
}

#define KV_VARIANT(bits, isa)                                                                      \
    void kv_accumulate_q##bits##_##isa(                                                            \
        float *accumulator, const float *rescale, size_t rows, const float *weights,               \
        size_t weights_stride, const uint8_t *tiles, const uint16_t *scales,                       \
        const uint16_t *zeros, size_t first, size_t n, const uint32_t *indices,                    \
        size_t index_count, kv_quantizer quantizer) {                                              \
        accumulate(accumulator, rescale, rows, weights, weights_stride,                            \
                   &(kv_stored){quantizer, bits, tiles, scales, zeros, first}, n, indices,         \
                   index_count);                                                                   \
    }
KV_EACH_FORMAT(KV_VARIANT, scalar)
