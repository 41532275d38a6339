// A row to 16-bit fixed point in the layout of a prepared query, over lanes. Queries, folded
// queries and weights all become such rows.
#pragma once
#include "quantize/tails.h"

static inline void prepare_row(uint8_t *prepared, const float *x, size_t dim, size_t group) {
    const kv_prepared_layout layout = kv_prepared(dim, group);
    f32x16 peak = splat(0);
    for (size_t e = 0; e < dim; e += 16)
        peak = maximum(magnitude(load_up_to_16(x + e, dim - e)), peak);
    const float top = largest(peak);
    if (!(top >= KV_FIXED_LEAST)) {
        memset(prepared, 0, layout.bytes);
        return;
    }
    kv_store_f32(prepared, top / KV_FIXED_PEAK);
    const f32x16 factor = splat(KV_FIXED_PEAK / top);
    for (size_t g = 0; g < kv_groups(dim, group); g++) {
        const size_t end = g * group + kv_group_width(dim, group, g);
        i32x16 sum = splat_integer(0);
        size_t e = g * group;
        for (; e + 16 <= end; e += 16) {
            const i32x16 q = to_integers(mul(load(x + e), factor));
            sum = add_integers(sum, q);
            store_fixed(prepared + layout.words + 2 * e, prepared + layout.high + e,
                        prepared + layout.low + e, q);
        }
        if (e < end) { // the row's end, padded with zeros to a multiple of 16
            const i32x16 q = to_integers(mul(load_first(x + e, end - e), factor));
            sum = add_integers(sum, q);
            store_fixed(prepared + layout.words + 2 * e, prepared + layout.high + e,
                        prepared + layout.low + e, q);
        }
        kv_store_i32(prepared + layout.sums + g * sizeof(int32_t), total(sum));
    }
    memset(prepared + layout.end, 0, layout.bytes - layout.end);
}

static inline void prepare_queries(void *prepared, const float *queries, size_t rows, size_t dim,
                                   size_t group) {
    const size_t bytes = kv_prepared(dim, group).bytes;
    for (size_t r = 0; r < rows; r++)
        prepare_row((uint8_t *)prepared + r * bytes, queries + r * dim, dim, group);
}
