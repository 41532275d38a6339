// Checks of rows/: conversion, gathering, search, norms, dots, rotation.
#include "harness.h"

// A NaN's payload is not promised, so every NaN becomes the same one before bits are compared.
static void settle_f32(kvc_pair pair, size_t count) {
    KVC_BOTH(v) {
        float *const x = pair.at[v];
        for (size_t i = 0; i < count; i++)
            if (x[i] != x[i]) memset(&x[i], 0xff, sizeof x[i]);
    }
}

static void settle_halves(kvc_pair pair, size_t count, uint16_t infinity) {
    KVC_BOTH(v) {
        uint16_t *const x = pair.at[v];
        for (size_t i = 0; i < count; i++)
            if ((x[i] & 0x7fff) > infinity) x[i] = 0xffff;
    }
}

typedef void widen(kv_isa, float *, const uint16_t *, size_t);
typedef void narrow(kv_isa, uint16_t *, const float *, size_t);

static void check_widen(kvc_case *c, widen *convert) {
    const size_t count = kvc_length(c, 300);
    kvc_shape(c, "count %zu", count);
    uint16_t *const source = kvc_input(c, "source", kvc_u16, 1, count, count);
    for (size_t i = 0; i < count; i++) source[i] = (uint16_t)kvc_next(c);
    const kvc_pair out = kvc_output(c, "destination", kvc_f32, 1, count, count);
    KVC_BOTH(v) convert(c->level[v], out.at[v], source, count);
    settle_f32(out, count);
}

static void check_narrow(kvc_case *c, narrow *convert, uint16_t infinity) {
    const size_t count = kvc_length(c, 300);
    kvc_shape(c, "count %zu", count);
    float *const source = kvc_input(c, "source", kvc_f32, 1, count, count);
    for (size_t i = 0; i < count; i++) {
        uint32_t bits = (uint32_t)kvc_next(c);
        if (kvc_chance(c, 70)) bits = (bits & 0x8fffffff) + 0x34000000; // where halves are
        if (kvc_chance(c, 50))
            bits = (bits & 0xfffff000) + (uint32_t)kvc_below(c, 3) - 1; // near ties
        memcpy(&source[i], &bits, sizeof bits);
    }
    const kvc_pair out = kvc_output(c, "destination", kvc_u16, 1, count, count);
    KVC_BOTH(v) convert(c->level[v], out.at[v], source, count);
    settle_halves(out, count, infinity);
}

void kvc_check_convert_f16_f32(kvc_case *c) { check_widen(c, kv_convert_f16_f32); }
void kvc_check_convert_bf16_f32(kvc_case *c) { check_widen(c, kv_convert_bf16_f32); }
void kvc_check_convert_f32_f16(kvc_case *c) { check_narrow(c, kv_convert_f32_f16, 0x7c00); }
void kvc_check_convert_f32_bf16(kvc_case *c) { check_narrow(c, kv_convert_f32_bf16, 0x7f80); }

void kvc_check_gather_rows(kvc_case *c) {
    const size_t width = kvc_below(c, 600), stride = kvc_stride(c, width);
    const size_t rows = kvc_between(c, 1, 60), count = kvc_length(c, 100);
    kvc_shape(c, "count %zu row_bytes %zu stride %zu", count, width, stride);
    uint8_t *const source = kvc_input(c, "source", kvc_u8, rows, width, stride);
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < width; i++) source[r * stride + i] = (uint8_t)kvc_next(c);
    uint32_t *const indices = kvc_input(c, "indices", kvc_u32, 1, count, count);
    for (size_t i = 0; i < count; i++) indices[i] = (uint32_t)kvc_below(c, rows);
    const kvc_pair out = kvc_output(c, "destination", kvc_u8, count, width, width);
    KVC_BOTH(v) kv_gather_rows(c->level[v], out.at[v], source, stride, indices, count, width);
}

void kvc_check_find_beyond(kvc_case *c) {
    const float limit = kvc_chance(c, 50) ? 65504 : 0.5f + kvc_unit(c) / 2;
    const size_t count = kvc_length(c, 400);
    kvc_shape(c, "count %zu limit %a", count, (double)limit);
    float *const source = kvc_floats(c, "source", 1, count, count, limit);
    for (size_t left = count ? kvc_below(c, 4) : 0; left > 0; left--) {
        const float beyond[] = {NAN,   -NAN,   INFINITY, -INFINITY, nextafterf(limit, INFINITY),
                                limit, -limit, -1e30f};
        source[kvc_below(c, count)] = beyond[kvc_below(c, 8)];
    }
    size_t found[2];
    KVC_BOTH(v) found[v] = kv_find_beyond(c->level[v], source, count, limit);
    kvc_same(c, "index", found[0], found[1]);
}

void kvc_check_norm_rows(kvc_case *c) {
    const size_t dim = kvc_dim(c), stride = kvc_stride(c, dim), count = kvc_entries(c, 40, dim);
    kvc_shape(c, "count %zu dim %zu stride %zu", count, dim, stride);
    const float *const rows = kvc_floats(c, "rows", count, dim, stride, 1e15f);
    const kvc_pair out = kvc_output(c, "norms", kvc_f32, 1, count, count);
    KVC_BOTH(v) kv_norm_rows(c->level[v], out.at[v], rows, stride, count, dim);
}

void kvc_check_dot_adjacent(kvc_case *c) {
    const size_t dim = kvc_dim(c), stride = kvc_stride(c, dim), count = kvc_entries(c, 40, dim);
    kvc_shape(c, "count %zu dim %zu stride %zu", count, dim, stride);
    const float *const rows = kvc_floats(c, "rows", count, dim, stride, 1e15f);
    const size_t dots = count ? count - 1 : 0;
    const kvc_pair out = kvc_output(c, "dots", kvc_f32, 1, dots, dots);
    KVC_BOTH(v) kv_dot_adjacent(c->level[v], out.at[v], rows, stride, count, dim);
}

void kvc_check_channel_ranges(kvc_case *c) {
    const size_t dim = kvc_dim(c), stride = kvc_stride(c, dim);
    const size_t count = kvc_between(c, 1, 40);
    kvc_shape(c, "count %zu dim %zu stride %zu", count, dim, stride);
    const float *const rows = kvc_floats(c, "rows", count, dim, stride, 1e15f);
    const kvc_pair low = kvc_output(c, "minimum", kvc_f32, 1, dim, dim);
    const kvc_pair high = kvc_output(c, "maximum", kvc_f32, 1, dim, dim);
    KVC_BOTH(v) kv_channel_ranges(c->level[v], low.at[v], high.at[v], rows, stride, count, dim);
}

void kvc_check_spread_rows(kvc_case *c) {
    const size_t dim = kvc_dim(c), stride = kvc_stride(c, dim), count = kvc_entries(c, 40, dim);
    kvc_shape(c, "count %zu dim %zu stride %zu", count, dim, stride);
    const float *const rows = kvc_floats(c, "rows", count, dim, stride, 1e6f);
    const float *const offset = kvc_floats(c, "offset", 1, dim, dim, 1e6f);
    const float *const factor = kvc_floats(c, "factor", 1, dim, dim, 1e6f);
    const kvc_pair out = kvc_output(c, "spreads", kvc_f32, 1, count, count);
    KVC_BOTH(v)
    kv_spread_rows(c->level[v], out.at[v], rows, stride, count, dim, offset, factor);
}

void kvc_check_hadamard(kvc_case *c) {
    const size_t dim = kvc_dim(c), stride = kvc_stride(c, dim), count = kvc_entries(c, 20, dim);
    kvc_shape(c, "count %zu dim %zu stride %zu", count, dim, stride);
    if (kvc_chance(c, 50)) {
        const kvc_pair rows = kvc_floats_in_place(c, "rows", count, dim, stride, 1e15f);
        KVC_BOTH(v) kv_hadamard(c->level[v], rows.at[v], rows.at[v], stride, count, dim);
    } else {
        const float *const rows = kvc_floats(c, "rows", count, dim, stride, 1e15f);
        const kvc_pair rotated = kvc_output(c, "rotated", kvc_f32, count, dim, stride);
        KVC_BOTH(v) kv_hadamard(c->level[v], rotated.at[v], rows, stride, count, dim);
    }
}

void kvc_check_rope_rows(kvc_case *c) {
    const size_t dim = kvc_dim(c), pairs = kvc_below(c, dim / 2 + 1), stride = kvc_stride(c, dim);
    const size_t count = kvc_entries(c, 20, dim);
    const bool interleaved = kvc_chance(c, 50), inverse = kvc_chance(c, 50);
    kvc_shape(c, "count %zu dim %zu pairs %zu stride %zu interleaved %d inverse %d", count, dim,
              pairs, stride, interleaved, inverse);
    uint32_t *const positions = kvc_input(c, "positions", kvc_u32, 1, count, count);
    for (size_t i = 0; i < count; i++)
        positions[i] = (uint32_t)kvc_next(c) >> kvc_between(c, 1, 31);
    float *const frequencies = kvc_input(c, "frequencies", kvc_f32, 1, pairs, pairs);
    for (size_t i = 0; i < pairs; i++)
        frequencies[i] = kvc_chance(c, 20) ? 1 : fabsf(kvc_unit(c)) * powf(2, -(float)(i % 30));
    const kvc_pair rows = kvc_floats_in_place(c, "rows", count, dim, stride, 1e15f);
    KVC_BOTH(v)
    kv_rope_rows(c->level[v], rows.at[v], stride, count, positions, frequencies, pairs, interleaved,
                 inverse);
}
