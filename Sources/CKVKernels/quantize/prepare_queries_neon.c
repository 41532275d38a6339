// prepare_queries on NEON; the body is prepare_queries_lanes.h.
#if defined(__aarch64__)
#include "dispatch/variants.h"
#include "dispatch/target.h"
#include <arm_neon.h>
#pragma STDC FP_CONTRACT OFF
KV_TARGET_BEGIN(KV_NEON)
#include "common/lanes_neon.h"
#include "quantize/integers_neon.h"
#include "quantize/prepare_queries_lanes.h"

void kv_prepare_queries_neon(void *prepared, const float *queries, size_t rows, size_t dim,
                             size_t group) {
    prepare_queries(prepared, queries, rows, dim, group);
}

KV_TARGET_END
#endif
