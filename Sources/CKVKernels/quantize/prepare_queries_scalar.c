// Queries to 16-bit fixed point, q = 256 * high + low with signed bytes, so that integer dot
// products with codes are exact on every level: |q| <= 127 * 256, and 128 products of |q| and 255
// stay below 2^31. Layout of a row: kv_prepared in layout.h.
#include "dispatch/variants.h"
#include "quantize/fixed_point.h"

#pragma STDC FP_CONTRACT OFF

void kv_prepare_queries_scalar(void *prepared, const float *queries, size_t rows, size_t dim,
                               size_t group) {
    const kv_prepared_layout layout = kv_prepared(dim, group);
    for (size_t r = 0; r < rows; r++) {
        uint8_t *row = (uint8_t *)prepared + r * layout.bytes;
        int16_t q[kv_largest_dim];
        const float top = kv_fixed_point(q, queries + r * dim, dim);
        memset(row, 0, layout.bytes);
        kv_store_f32(row, top / KV_FIXED_PEAK);
        for (size_t g = 0; g < kv_groups(dim, group); g++)
            kv_store_i32(row + layout.sums + g * sizeof(int32_t),
                         kv_fixed_sum(q + g * group, kv_group_width(dim, group, g)));
        for (size_t c = 0; c < dim; c++) {
            const int high = (q[c] + 128) >> 8;
            kv_store_i16(row + layout.words + c * sizeof(int16_t), q[c]);
            row[layout.high + c] = (uint8_t)high;
            row[layout.low + c] = (uint8_t)(q[c] - 256 * high);
        }
    }
}
