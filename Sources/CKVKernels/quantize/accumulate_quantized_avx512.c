// accumulate_q8 and accumulate_q4 on AVX-512; the body is accumulate_quantized_lanes.h.
#if defined(__x86_64__)
#include "dispatch/variants.h"
#include "dispatch/target.h"
#include <immintrin.h>
#pragma STDC FP_CONTRACT OFF
KV_TARGET_BEGIN(KV_AVX512)
#include "common/lanes_avx512.h"
#include "quantize/integers_avx512.h"
#include "quantize/accumulate_quantized_lanes.h"

void kv_accumulate_q8_avx512(float *accumulator, const float *rescale, size_t rows,
                             const float *weights, size_t weights_stride, const uint8_t *tiles,
                             const uint16_t *scales, const uint16_t *zeros, size_t first, size_t n,
                             const uint32_t *indices, size_t index_count, kv_quantizer quantizer) {
    accumulate(8, accumulator, rescale, rows, weights, weights_stride, tiles, scales, zeros, first,
               n, indices, index_count, quantizer);
}

void kv_accumulate_q4_avx512(float *accumulator, const float *rescale, size_t rows,
                             const float *weights, size_t weights_stride, const uint8_t *tiles,
                             const uint16_t *scales, const uint16_t *zeros, size_t first, size_t n,
                             const uint32_t *indices, size_t index_count, kv_quantizer quantizer) {
    accumulate(4, accumulator, rescale, rows, weights, weights_stride, tiles, scales, zeros, first,
               n, indices, index_count, quantizer);
}

KV_TARGET_END
#endif
