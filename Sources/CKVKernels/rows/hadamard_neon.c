// hadamard on NEON: the body is in hadamard_lanes.h.
#if defined(__aarch64__)
#include "dispatch/target.h"
#include "dispatch/variants.h"
#include <arm_neon.h>

#pragma STDC FP_CONTRACT OFF
KV_TARGET_BEGIN(KV_NEON)
#include "common/lanes_neon.h"
#include "rows/hadamard_lanes.h"

void kv_hadamard_neon(float *rotated, const float *rows, size_t stride, size_t count, size_t dim) {
    hadamard(rotated, rows, stride, count, dim);
}

KV_TARGET_END
#endif
