// The first element beyond a limit: the lanes body on NEON.
#include "dispatch/target.h"
#include "dispatch/variants.h"

#if defined(__aarch64__)
#include <arm_neon.h>
#pragma STDC FP_CONTRACT OFF

KV_TARGET_BEGIN(KV_NEON)
#include "common/lanes_neon.h"
#include "rows/find_beyond_lanes.h"

size_t kv_find_beyond_neon(const float *source, size_t count, float limit) {
    return find_beyond(source, count, limit);
}

KV_TARGET_END
#endif
