// Checks of merge/: distances, sums of rows, the nearest entry, exponentials and logarithms.
#include "harness.h"

void kvc_check_squared_distances(kvc_case *c) {
    const size_t dim = kvc_dim(c), stride = kvc_stride(c, dim), count = kvc_entries(c, 40, dim);
    kvc_shape(c, "count %zu dim %zu stride %zu", count, dim, stride);
    float *const rows = kvc_floats(c, "rows", count, dim, stride, 1e15f);
    float *const row = kvc_floats(c, "row", 1, dim, dim, 1e15f);
    if (count > 0 && kvc_chance(c, 50)) // one of the rows, as a pivot is
        memcpy(row, rows + kvc_below(c, count) * stride, dim * sizeof *row);
    const kvc_pair out = kvc_output(c, "distances", kvc_f32, 1, count, count);
    KVC_BOTH(v) kv_squared_distances(c->level[v], out.at[v], rows, stride, count, row, dim);
}

void kvc_check_mix_rows(kvc_case *c) {
    const size_t dim = kvc_dim(c), stride = kvc_stride(c, dim), count = kvc_below(c, 12);
    uint32_t *const ends = kvc_input(c, "ends", kvc_u32, 1, count, count);
    size_t rows = 0;
    for (size_t e = 0; e < count; e++) ends[e] = (uint32_t)(rows += kvc_below(c, 4));
    kvc_shape(c, "sums %zu rows %zu dim %zu stride %zu", count, rows, dim, stride);
    const float *const x = kvc_floats(c, "rows", rows, dim, stride, 1e15f);
    const float *const weights = kvc_floats(c, "weights", 1, rows, rows, 1e15f);
    const kvc_pair sums = kvc_output(c, "sums", kvc_f32, count, dim, dim);
    KVC_BOTH(v) kv_mix_rows(c->level[v], sums.at[v], x, stride, weights, ends, count, dim);
}

void kvc_check_find_nearest(kvc_case *c) {
    const size_t rows = kvc_below(c, 9), n = kvc_length(c, 300), stride = kvc_stride(c, n);
    kvc_shape(c, "rows %zu n %zu stride %zu", rows, n, stride);
    float *const logits = kvc_floats(c, "logits", rows, n, stride, 1e15f);
    float *const factors = kvc_floats(c, "factors", 1, n, n, 1e15f);
    const bool ties = kvc_chance(c, 50);
    for (size_t r = 0; r < rows; r++)
        for (size_t t = 0; t < n; t++) {
            const float odd[] = {NAN, INFINITY, -INFINITY, 0.0f, -0.0f};
            if (ties) logits[r * stride + t] = (float)kvc_below(c, 3) - 2;
            if (kvc_chance(c, 5)) logits[r * stride + t] = odd[kvc_below(c, 5)];
        }
    for (size_t t = 0; ties && t < n; t++) factors[t] = (float)kvc_below(c, 2);
    const kvc_pair nearest = kvc_output(c, "nearest", kvc_u32, 1, rows, rows);
    const kvc_pair largest = kvc_output(c, "largest", kvc_f32, 1, rows, rows);
    KVC_BOTH(v)
    kv_find_nearest(c->level[v], nearest.at[v], largest.at[v], logits, stride, rows, n, factors);
}

void kvc_check_exponentials(kvc_case *c) {
    const size_t count = kvc_length(c, 300);
    kvc_shape(c, "count %zu", count);
    float *const x = kvc_input(c, "x", kvc_f32, 1, count, count);
    for (size_t i = 0; i < count; i++) {
        const float odd[] = {NAN, INFINITY, -INFINITY, 0.0f, -0.0f, -87, 88, 1e30f};
        x[i] = kvc_chance(c, 10) ? odd[kvc_below(c, 8)] : 100 * kvc_unit(c);
    }
    const kvc_pair out = kvc_output(c, "results", kvc_f32, 1, count, count);
    KVC_BOTH(v) kv_exponentials(c->level[v], out.at[v], x, count);
}

void kvc_check_logarithms(kvc_case *c) {
    const size_t count = kvc_length(c, 300);
    kvc_shape(c, "count %zu", count);
    float *const x = kvc_input(c, "x", kvc_f32, 1, count, count);
    const bool counts = kvc_chance(c, 50);
    for (size_t i = 0; i < count; i++)
        x[i] = counts ? (float)kvc_below(c, 1 << 16) : expf(80 * kvc_unit(c));
    const kvc_pair out = kvc_output(c, "results", kvc_f32, 1, count, count);
    KVC_BOTH(v) kv_logarithms(c->level[v], out.at[v], x, count);
}
