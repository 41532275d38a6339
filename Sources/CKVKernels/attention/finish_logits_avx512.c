// finish_logits on AVX-512: the body is in logits_lanes.h.
#if defined(__x86_64__)
#include "dispatch/target.h"
#include "dispatch/variants.h"
#include <immintrin.h>

#pragma STDC FP_CONTRACT OFF
KV_TARGET_BEGIN(KV_AVX512)
#include "common/lanes_avx512.h"
#include "attention/logits_lanes.h"

void kv_finish_logits_avx512(float *logits, size_t logits_stride, size_t rows, size_t n,
                             const uint32_t *visible, float scale, float softcap,
                             const kv_entry_vectors *vectors) {
    const kv_entry_vectors present = vectors ? *vectors : (kv_entry_vectors){0};
    finish_logits(logits, logits_stride, rows, n, visible, (logit_terms){scale, softcap, present});
}

KV_TARGET_END
#endif
