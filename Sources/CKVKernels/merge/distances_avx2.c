// Squared distances to one row: the lanes body on AVX2.
#include "dispatch/target.h"
#include "dispatch/variants.h"

#if defined(__x86_64__)
#include <immintrin.h>
#pragma STDC FP_CONTRACT OFF

KV_TARGET_BEGIN(KV_AVX2)
#include "common/lanes_avx2.h"
#include "merge/distances_lanes.h"

void kv_squared_distances_avx2(float *distances, const float *rows, size_t stride, size_t count,
                               const float *row, size_t dim) {
    squared_distances(distances, rows, stride, count, row, dim);
}

KV_TARGET_END
#endif
