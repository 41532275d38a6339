// The nearest entry of every row: the lanes body on NEON.
#include "dispatch/target.h"
#include "dispatch/variants.h"

#if defined(__aarch64__)
#include <arm_neon.h>
#pragma STDC FP_CONTRACT OFF

KV_TARGET_BEGIN(KV_NEON)
#include "common/lanes_neon.h"
#include "merge/nearest_lanes.h"

void kv_find_nearest_neon(uint32_t *nearest, float *largest, const float *logits, size_t stride,
                          size_t rows, size_t n, const float *factors) {
    find_nearest(nearest, largest, logits, stride, rows, n, factors);
}

KV_TARGET_END
#endif
