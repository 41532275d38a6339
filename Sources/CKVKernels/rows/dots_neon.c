// Norms of rows and dots of neighbours: the lanes body on NEON.
#include "dispatch/target.h"
#include "dispatch/variants.h"

#if defined(__aarch64__)
#include <arm_neon.h>
#pragma STDC FP_CONTRACT OFF

KV_TARGET_BEGIN(KV_NEON)
#include "common/lanes_neon.h"
#include "rows/dots_lanes.h"

void kv_norm_rows_neon(float *norms, const float *rows, size_t stride, size_t count, size_t dim) {
    norm_rows(norms, rows, stride, count, dim);
}

void kv_dot_adjacent_neon(float *dots, const float *rows, size_t stride, size_t count, size_t dim) {
    dot_adjacent(dots, rows, stride, count, dim);
}

KV_TARGET_END
#endif
