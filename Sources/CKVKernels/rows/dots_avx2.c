// Norms of rows and dots of neighbours: the lanes body on AVX2.
#include "dispatch/target.h"
#include "dispatch/variants.h"

#if defined(__x86_64__)
#include <immintrin.h>
#pragma STDC FP_CONTRACT OFF

KV_TARGET_BEGIN(KV_AVX2)
#include "common/lanes_avx2.h"
#include "rows/dots_lanes.h"

void kv_norm_rows_avx2(float *norms, const float *rows, size_t stride, size_t count, size_t dim) {
    norm_rows(norms, rows, stride, count, dim);
}

void kv_dot_adjacent_avx2(float *dots, const float *rows, size_t stride, size_t count, size_t dim) {
    dot_adjacent(dots, rows, stride, count, dim);
}

KV_TARGET_END
#endif
