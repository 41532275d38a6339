// finish_logits on NEON: the body is in logits_lanes.h.
#if defined(__aarch64__)
#include "dispatch/target.h"
#include "dispatch/variants.h"
#include <arm_neon.h>

#pragma STDC FP_CONTRACT OFF
KV_TARGET_BEGIN(KV_NEON)
#include "common/lanes_neon.h"
#include "attention/logits_lanes.h"

void kv_finish_logits_neon(float *logits, size_t logits_stride, size_t rows, size_t n,
                           const uint32_t *visible, float scale, float softcap,
                           const kv_entry_vectors *vectors) {
    const kv_entry_vectors present = vectors ? *vectors : (kv_entry_vectors){0};
    finish_logits(logits, logits_stride, rows, n, visible, (logit_terms){scale, softcap, present});
}

KV_TARGET_END
#endif
