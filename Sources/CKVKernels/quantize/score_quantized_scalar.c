// Logits of up to 64 quantized keys. Query and codes meet in exact integers; scales join in float,
// group by group. Per channel, the scales are folded into the query first, once per run of entries
// that share them, so that the same integers serve. |dot| <= 128 * 127 * 256 * 128 < 2^31.
#include "dispatch/variants.h"
#include "quantize/codes.h"
#include "quantize/fixed_point.h"

#pragma STDC FP_CONTRACT OFF

/// Integer dot of q and the levels of entry t over `width` elements from e on.
static int32_t dot(const int16_t *q, const kv_stored *stored, size_t t, size_t e, size_t width) {
    int32_t sum = 0;
    for (size_t c = e; c < e + width; c++) sum += q[c] * kv_level_at(stored, t, c);
    return sum;
}

static void score_per_token(float *logits, const uint8_t *prepared, const kv_stored *stored,
                            size_t n) {
    const size_t dim = stored->quantizer.dim, group = stored->quantizer.group;
    const kv_prepared_layout layout = kv_prepared(dim, group);
    int16_t q[kv_largest_dim];
    memcpy(q, prepared + layout.words, dim * sizeof *q);
    for (size_t t = 0; t < n; t++) {
        float f = 0;
        for (size_t g = 0; g < kv_groups(dim, group); g++) {
            const int32_t i = dot(q, stored, t, g * group, kv_group_width(dim, group, g));
            f = kv_fma((float)i, kv_token_scale(stored, t, g), f);
            if (!stored->quantizer.asymmetric) continue;
            const int32_t sum = kv_load_i32(prepared + layout.sums + g * sizeof(int32_t));
            f = kv_fma((float)sum, kv_token_middle(stored, t, g), f);
        }
        logits[t] = f * kv_load_f32(prepared);
    }
}

static void score_per_channel(float *logits, const float *query, const kv_stored *stored,
                              size_t n) {
    const size_t dim = stored->quantizer.dim;
    for (size_t start = 0, end; start < n; start = end) {
        end = kv_run_end(stored, start, n);
        float folded[kv_largest_dim], middles[kv_largest_dim];
        for (size_t c = 0; c < dim; c++) {
            folded[c] = query[c] * kv_channel_scale(stored, start, c);
            middles[c] = stored->quantizer.asymmetric ? kv_channel_middle(stored, start, c) : 0;
        }
        int16_t q[kv_largest_dim];
        const float step = kv_fixed_point(q, folded, dim) / KV_FIXED_PEAK;
        for (size_t t = start; t < end; t++) {
            float f = 0;
            for (size_t e = 0; e < dim; e += kv_fold_group) {
                const size_t width = kv_least(kv_fold_group, dim - e);
                f = f + (float)dot(q, stored, t, e, width);
            }
            logits[t] = stored->quantizer.asymmetric
                            ? kv_fma(f, step, kv_tree_dot(query, middles, dim))
                            : f * step;
        }
    }
}

static void score(float *logits, size_t logits_stride, const void *queries, size_t rows,
                  const kv_stored *stored, size_t n) {
    const kv_quantizer quantizer = stored->quantizer;
    for (size_t r = 0; r < rows; r++) {
        float *row = logits + r * logits_stride;
        if (quantizer.per_channel)
            score_per_channel(row, (const float *)queries + r * quantizer.dim, stored, n);
        else
            score_per_token(row,
                            (const uint8_t *)queries +
                                r * kv_prepared_bytes(quantizer.dim, quantizer.group),
                            stored, n);
    }
}

#define KV_VARIANT(bits, isa)                                                                      \
    void kv_score_q##bits##_##isa(float *logits, size_t logits_stride, const void *queries,        \
                                  size_t rows, const uint8_t *tiles, const uint16_t *scales,       \
                                  const uint16_t *zeros, size_t first, size_t n,                   \
                                  kv_quantizer quantizer) {                                        \
        score(logits, logits_stride, queries, rows,                                                \
              &(kv_stored){quantizer, bits, tiles, scales, zeros, first}, n);                      \
    }
KV_EACH_FORMAT(KV_VARIANT, scalar)
