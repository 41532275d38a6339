// pack_signatures on AVX-512: the body is in pack_signatures_lanes.h.
#if defined(__x86_64__)
#include "dispatch/target.h"
#include "dispatch/variants.h"
#include <immintrin.h>

#pragma STDC FP_CONTRACT OFF
KV_TARGET_BEGIN(KV_AVX512)
#include "common/lanes_avx512.h"
#include "crush/pack_signatures_lanes.h"

void kv_pack_signatures_avx512(uint8_t *signatures, size_t bytes, const float *scores,
                               size_t stride, size_t heads, size_t tokens, size_t page,
                               const float *threshold, const uint32_t *tie_end) {
    pack_signatures(signatures, bytes, scores, stride, heads, tokens, page, threshold, tie_end);
}

KV_TARGET_END
#endif
