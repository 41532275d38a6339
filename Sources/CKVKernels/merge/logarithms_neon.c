// Logarithms of a vector: the lanes body on NEON.
#include "dispatch/target.h"
#include "dispatch/variants.h"

#if defined(__aarch64__)
#include <arm_neon.h>
#pragma STDC FP_CONTRACT OFF

KV_TARGET_BEGIN(KV_NEON)
#include "common/lanes_neon.h"
#include "merge/logarithms_lanes.h"

void kv_logarithms_neon(float *results, const float *x, size_t count) {
    logarithms(results, x, count);
}

KV_TARGET_END
#endif
