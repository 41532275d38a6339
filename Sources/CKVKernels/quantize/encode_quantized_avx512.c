// encode_q8 and encode_q4 on AVX-512; the body is encode_quantized_lanes.h.
#if defined(__x86_64__)
#include "dispatch/variants.h"
#include "dispatch/target.h"
#include <immintrin.h>
#pragma STDC FP_CONTRACT OFF
KV_TARGET_BEGIN(KV_AVX512)
#include "common/lanes_avx512.h"
#include "quantize/integers_avx512.h"
#include "quantize/encode_quantized_lanes.h"

void kv_encode_q8_avx512(uint8_t *tiles, uint16_t *scales, uint16_t *zeros, const float *rows,
                         size_t stride, size_t n, kv_quantizer quantizer) {
    encode(8, tiles, scales, zeros, rows, stride, n, quantizer);
}

void kv_encode_q4_avx512(uint8_t *tiles, uint16_t *scales, uint16_t *zeros, const float *rows,
                         size_t stride, size_t n, kv_quantizer quantizer) {
    encode(4, tiles, scales, zeros, rows, stride, n, quantizer);
}

KV_TARGET_END
#endif
