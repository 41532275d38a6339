// softmax_fold on AVX-512: the body is in softmax_fold_lanes.h.
#if defined(__x86_64__)
#include "dispatch/target.h"
#include "dispatch/variants.h"
#include <immintrin.h>

#pragma STDC FP_CONTRACT OFF
KV_TARGET_BEGIN(KV_AVX512)
#include "common/lanes_avx512.h"
#include "attention/softmax_fold_lanes.h"

void kv_softmax_fold_avx512(float *logits, size_t logits_stride, size_t rows, size_t n,
                            const uint32_t *visible, float scale, float softcap,
                            const kv_entry_vectors *vectors, float *tops, float *sums,
                            float *rescale) {
    const kv_entry_vectors present = vectors ? *vectors : (kv_entry_vectors){0};
    softmax_fold(logits, logits_stride, rows, n, visible, (logit_terms){scale, softcap, present},
                 tops, sums, rescale);
}

KV_TARGET_END
#endif
