// Dots and weighted sums of pairs of rows: the lanes body on AVX-512.
#include "dispatch/target.h"
#include "dispatch/variants.h"

#if defined(__x86_64__)
#include <immintrin.h>
#pragma STDC FP_CONTRACT OFF

KV_TARGET_BEGIN(KV_AVX512)
#include "common/lanes_avx512.h"
#include "share/pair_rows_lanes.h"

void kv_add_pair_dots_avx512(float *xx, float *yy, float *xy, const float *x, size_t x_stride,
                             const float *y, size_t y_stride, size_t count, size_t dim) {
    add_pair_dots(xx, yy, xy, x, x_stride, y, y_stride, count, dim);
}

void kv_blend_rows_avx512(float *blends, const float *x, size_t x_stride, const float *x_weights,
                          const float *y, size_t y_stride, const float *y_weights, size_t count,
                          size_t dim) {
    blend_rows(blends, x, x_stride, x_weights, y, y_stride, y_weights, count, dim);
}

KV_TARGET_END
#endif
