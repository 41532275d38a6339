// Squared distances to one row: the lanes body on NEON.
#include "dispatch/target.h"
#include "dispatch/variants.h"

#if defined(__aarch64__)
#include <arm_neon.h>
#pragma STDC FP_CONTRACT OFF

KV_TARGET_BEGIN(KV_NEON)
#include "common/lanes_neon.h"
#include "merge/distances_lanes.h"

void kv_squared_distances_neon(float *distances, const float *rows, size_t stride, size_t count,
                               const float *row, size_t dim) {
    squared_distances(distances, rows, stride, count, row, dim);
}

KV_TARGET_END
#endif
