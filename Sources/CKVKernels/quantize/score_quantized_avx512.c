// score_q8 and score_q4 on AVX-512; the body is score_quantized_lanes.h.
#if defined(__x86_64__)
#include "dispatch/variants.h"
#include "dispatch/target.h"
#include <immintrin.h>
#pragma STDC FP_CONTRACT OFF
KV_TARGET_BEGIN(KV_AVX512)
#include "common/lanes_avx512.h"
#include "quantize/integers_avx512.h"
#include "quantize/score_quantized_lanes.h"

void kv_score_q8_avx512(float *logits, size_t logits_stride, const void *queries, size_t rows,
                        const uint8_t *tiles, const uint16_t *scales, const uint16_t *zeros,
                        size_t first, size_t n, kv_quantizer quantizer) {
    score(8, logits, logits_stride, queries, rows, tiles, scales, zeros, first, n, quantizer);
}

void kv_score_q4_avx512(float *logits, size_t logits_stride, const void *queries, size_t rows,
                        const uint8_t *tiles, const uint16_t *scales, const uint16_t *zeros,
                        size_t first, size_t n, kv_quantizer quantizer) {
    score(4, logits, logits_stride, queries, rows, tiles, scales, zeros, first, n, quantizer);
}

KV_TARGET_END
#endif
