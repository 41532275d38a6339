// Norms of rows and dots of neighbours: the lanes body on AVX-512.
#include "dispatch/target.h"
#include "dispatch/variants.h"

#if defined(__x86_64__)
#include <immintrin.h>
#pragma STDC FP_CONTRACT OFF

KV_TARGET_BEGIN(KV_AVX512)
#include "common/lanes_avx512.h"
#include "rows/dots_lanes.h"

void kv_norm_rows_avx512(float *norms, const float *rows, size_t stride, size_t count, size_t dim) {
    norm_rows(norms, rows, stride, count, dim);
}

void kv_dot_adjacent_avx512(float *dots, const float *rows, size_t stride, size_t count,
                            size_t dim) {
    dot_adjacent(dots, rows, stride, count, dim);
}

KV_TARGET_END
#endif
