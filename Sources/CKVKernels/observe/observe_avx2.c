// observe on AVX2: the body is in observe_lanes.h.
#if defined(__x86_64__)
#include "dispatch/target.h"
#include "dispatch/variants.h"
#include <immintrin.h>

#pragma STDC FP_CONTRACT OFF
KV_TARGET_BEGIN(KV_AVX2)
#include "common/lanes_avx2.h"
#include "observe/observe_lanes.h"

void kv_observe_avx2(kv_observation observation, float *logits, size_t stride, size_t rows,
                     size_t keys, const uint32_t *visible, float scale, size_t window_start,
                     float threshold) {
    observe(observation, logits, stride, rows, keys, visible, scale, window_start, threshold);
}

KV_TARGET_END
#endif
