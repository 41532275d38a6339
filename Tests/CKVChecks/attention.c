// Checks of attention/: score, fold and accumulate on plain rows; merging and finishing of states.
#include "harness.h"

static uint16_t *halves(kvc_case *c, const char *name, size_t rows, size_t width, size_t stride) {
    uint16_t *const input = kvc_input(c, name, kvc_u16, rows, width, stride);
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < width; i++) {
            // Below 2 in either format; some denormal, some larger.
            uint32_t bits = (uint32_t)kvc_next(c) & 0xbfff;
            if (kvc_chance(c, 20)) bits = (bits & 0x83ff) | (kvc_chance(c, 50) ? 0x4000 : 0);
            input[r * stride + i] = (uint16_t)bits;
        }
    return input;
}

typedef struct score_shape {
    size_t rows, dim, n, key_stride, logits_stride;
    const float *queries;
    kvc_pair logits;
} score_shape;

static score_shape draw_score(kvc_case *c) {
    score_shape s = {.rows = kvc_between(c, 1, kvc_chance(c, 90) ? 16 : 40), .dim = kvc_dim(c)};
    s.n = kvc_entries(c, 191, s.rows * s.dim);
    s.key_stride = kvc_stride(c, s.dim), s.logits_stride = kvc_stride(c, s.n);
    kvc_shape(c, "rows %zu dim %zu n %zu key_stride %zu logits_stride %zu", s.rows, s.dim, s.n,
              s.key_stride, s.logits_stride);
    s.queries = kvc_floats(c, "queries", s.rows, s.dim, s.dim, 1e6f);
    s.logits = kvc_output(c, "logits", kvc_f32, s.rows, s.n, s.logits_stride);
    return s;
}

void kvc_check_score_f32(kvc_case *c) {
    const score_shape s = draw_score(c);
    const float *const keys = kvc_floats(c, "keys", s.n, s.dim, s.key_stride, 1e15f);
    KVC_BOTH(v)
    kv_score_f32(c->level[v], s.logits.at[v], s.logits_stride, s.queries, s.rows, s.dim, keys,
                 s.key_stride, s.n);
}

typedef void score_halves(kv_isa, float *, size_t, const float *, size_t, size_t, const uint16_t *,
                          size_t, size_t);

static void check_score_halves(kvc_case *c, score_halves *score) {
    const score_shape s = draw_score(c);
    const uint16_t *const keys = halves(c, "keys", s.n, s.dim, s.key_stride);
    KVC_BOTH(v)
    score(c->level[v], s.logits.at[v], s.logits_stride, s.queries, s.rows, s.dim, keys,
          s.key_stride, s.n);
}

void kvc_check_score_f16(kvc_case *c) { check_score_halves(c, kv_score_f16); }
void kvc_check_score_bf16(kvc_case *c) { check_score_halves(c, kv_score_bf16); }

// A state that has seen something, or the empty one.
static void draw_states(kvc_case *c, kvc_pair maximum, kvc_pair sum, size_t rows) {
    float *const m = maximum.at[0], *const s = sum.at[0];
    for (size_t r = 0; r < rows; r++) {
        const bool empty = kvc_chance(c, 25);
        m[r] = empty ? -INFINITY : 20 * kvc_unit(c);
        s[r] = empty ? 0 : 1 + 100 * fabsf(kvc_unit(c));
    }
    kvc_mirror(maximum), kvc_mirror(sum);
}

typedef struct logits_shape {
    size_t rows, n, stride;
    float scale, softcap;
    kvc_pair logits;
    const uint32_t *visible;
    kv_entry_vectors vectors;
} logits_shape;

static logits_shape draw_logits(kvc_case *c) {
    logits_shape s = {.rows = kvc_between(c, 1, 40), .n = kvc_length(c, 191)};
    s.stride = kvc_stride(c, s.n);
    s.scale = kvc_chance(c, 20) ? 1 : 0.01f + fabsf(kvc_unit(c));
    s.softcap = kvc_chance(c, 30) ? 1 + 50 * fabsf(kvc_unit(c)) : 0;
    s.logits = kvc_floats_in_place(c, "logits", s.rows, s.n, s.stride, 200);
    uint32_t *const visible = kvc_input(c, "visible", kvc_u32, 1, s.rows, s.rows);
    const bool all = kvc_chance(c, 40);
    for (size_t r = 0; r < s.rows; r++)
        visible[r] = (uint32_t)(all ? s.n + kvc_below(c, 2) : kvc_below(c, s.n + 3));
    s.visible = visible;
    if (kvc_chance(c, 50)) {
        float *const bias = kvc_floats(c, "logit_bias", 1, s.n, s.n, 10);
        const unsigned holes = kvc_chance(c, 50) ? 0 : (unsigned)kvc_below(c, 120);
        for (size_t t = 0; t < s.n; t++)
            if (kvc_chance(c, holes)) bias[t] = -INFINITY;
        s.vectors.logit_bias = bias;
    }
    if (kvc_chance(c, 30)) s.vectors.key_scale = kvc_floats(c, "key_scale", 1, s.n, s.n, 3);
    if (kvc_chance(c, 30)) s.vectors.value_scale = kvc_floats(c, "value_scale", 1, s.n, s.n, 3);
    kvc_shape(c, "rows %zu n %zu stride %zu scale %a softcap %a%s%s%s", s.rows, s.n, s.stride,
              (double)s.scale, (double)s.softcap, s.vectors.logit_bias ? " bias" : "",
              s.vectors.key_scale ? " key_scale" : "", s.vectors.value_scale ? " value_scale" : "");
    return s;
}

void kvc_check_finish_logits(kvc_case *c) {
    const logits_shape s = draw_logits(c);
    KVC_BOTH(v)
    kv_finish_logits(c->level[v], s.logits.at[v], s.stride, s.rows, s.n, s.visible, s.scale,
                     s.softcap, &s.vectors);
}

void kvc_check_softmax_fold(kvc_case *c) {
    const logits_shape s = draw_logits(c);
    const kvc_pair maximum = kvc_output(c, "maximum", kvc_f32, 1, s.rows, s.rows);
    const kvc_pair sum = kvc_output(c, "sum", kvc_f32, 1, s.rows, s.rows);
    const kvc_pair rescale = kvc_output(c, "rescale", kvc_f32, 1, s.rows, s.rows);
    draw_states(c, maximum, sum, s.rows);
    KVC_BOTH(v)
    kv_softmax_fold(c->level[v], s.logits.at[v], s.stride, s.rows, s.n, s.visible, s.scale,
                    s.softcap, &s.vectors, maximum.at[v], sum.at[v], rescale.at[v]);
}

typedef struct accumulate_shape {
    size_t rows, dim, n, weights_stride, value_stride, index_count;
    const float *rescale, *weights;
    const uint32_t *indices;
    kvc_pair accumulator;
} accumulate_shape;

static accumulate_shape draw_accumulate(kvc_case *c) {
    accumulate_shape s = {.rows = kvc_between(c, 1, kvc_chance(c, 90) ? 16 : 40),
                          .dim = kvc_dim(c)};
    s.n = kvc_entries(c, 191, s.rows * s.dim);
    s.weights_stride = kvc_stride(c, s.n), s.value_stride = kvc_stride(c, s.dim);
    s.accumulator = kvc_floats_in_place(c, "accumulator", s.rows, s.dim, s.dim, 1e6f);
    s.rescale = kvc_floats(c, "rescale", 1, s.rows, s.rows, 1);
    s.weights = kvc_floats(c, "weights", s.rows, s.n, s.weights_stride, 2);
    if (kvc_chance(c, 40)) s.indices = kvc_indices(c, "indices", s.n, &s.index_count);
    kvc_shape(c, "rows %zu dim %zu n %zu weights_stride %zu value_stride %zu %s %zu", s.rows, s.dim,
              s.n, s.weights_stride, s.value_stride, s.indices ? "indices" : "all",
              s.indices ? s.index_count : s.n);
    return s;
}

void kvc_check_accumulate_f32(kvc_case *c) {
    const accumulate_shape s = draw_accumulate(c);
    const float *const values = kvc_floats(c, "values", s.n, s.dim, s.value_stride, 1e15f);
    KVC_BOTH(v)
    kv_accumulate_f32(c->level[v], s.accumulator.at[v], s.rescale, s.rows, s.dim, s.weights,
                      s.weights_stride, values, s.value_stride, s.n, s.indices, s.index_count);
}

typedef void accumulate_halves(kv_isa, float *, const float *, size_t, size_t, const float *,
                               size_t, const uint16_t *, size_t, size_t, const uint32_t *, size_t);

static void check_accumulate_halves(kvc_case *c, accumulate_halves *accumulate) {
    const accumulate_shape s = draw_accumulate(c);
    const uint16_t *const values = halves(c, "values", s.n, s.dim, s.value_stride);
    KVC_BOTH(v)
    accumulate(c->level[v], s.accumulator.at[v], s.rescale, s.rows, s.dim, s.weights,
               s.weights_stride, values, s.value_stride, s.n, s.indices, s.index_count);
}

void kvc_check_accumulate_f16(kvc_case *c) { check_accumulate_halves(c, kv_accumulate_f16); }
void kvc_check_accumulate_bf16(kvc_case *c) { check_accumulate_halves(c, kv_accumulate_bf16); }

void kvc_check_merge_states(kvc_case *c) {
    const size_t rows = kvc_between(c, 1, 40), dim = kvc_dim(c);
    kvc_shape(c, "rows %zu dim %zu", rows, dim);
    const kvc_pair maximum[2] = {kvc_output(c, "maximum_a", kvc_f32, 1, rows, rows),
                                 kvc_output(c, "maximum_b", kvc_f32, 1, rows, rows)};
    const kvc_pair sum[2] = {kvc_output(c, "sum_a", kvc_f32, 1, rows, rows),
                             kvc_output(c, "sum_b", kvc_f32, 1, rows, rows)};
    const kvc_pair accumulator = kvc_floats_in_place(c, "accumulator_a", rows, dim, dim, 1e6f);
    const float *const other = kvc_floats(c, "accumulator_b", rows, dim, dim, 1e6f);
    for (int side = 0; side < 2; side++) draw_states(c, maximum[side], sum[side], rows);
    KVC_BOTH(v)
    kv_merge_states(c->level[v], maximum[0].at[v], sum[0].at[v], accumulator.at[v],
                    maximum[1].at[v], sum[1].at[v], other, rows, dim);
}

void kvc_check_finish_states(kvc_case *c) {
    const size_t rows = kvc_between(c, 1, 40), dim = kvc_dim(c);
    kvc_shape(c, "rows %zu dim %zu", rows, dim);
    const float *const accumulator = kvc_floats(c, "accumulator", rows, dim, dim, 1e6f);
    float *const sum = kvc_input(c, "sum", kvc_f32, 1, rows, rows);
    for (size_t r = 0; r < rows; r++) sum[r] = kvc_chance(c, 20) ? 0 : 1 + fabsf(kvc_unit(c));
    const kvc_pair out = kvc_output(c, "output", kvc_f32, rows, dim, dim);
    KVC_BOTH(v) kv_finish_states(c->level[v], out.at[v], accumulator, sum, rows, dim);
}
