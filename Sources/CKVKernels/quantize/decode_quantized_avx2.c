// decode_q8 and decode_q4 on AVX2; the body is decode_quantized_lanes.h.
#if defined(__x86_64__)
#include "dispatch/variants.h"
#include "dispatch/target.h"
#include <immintrin.h>
#pragma STDC FP_CONTRACT OFF
KV_TARGET_BEGIN(KV_AVX2)
#include "common/lanes_avx2.h"
#include "quantize/integers_avx2.h"
#include "quantize/decode_quantized_lanes.h"

void kv_decode_q8_avx2(float *rows, const uint8_t *tiles, const uint16_t *scales,
                       const uint16_t *zeros, size_t first, size_t n, kv_quantizer quantizer) {
    decode(8, rows, tiles, scales, zeros, first, n, quantizer);
}

void kv_decode_q4_avx2(float *rows, const uint8_t *tiles, const uint16_t *scales,
                       const uint16_t *zeros, size_t first, size_t n, kv_quantizer quantizer) {
    decode(4, rows, tiles, scales, zeros, first, n, quantizer);
}

KV_TARGET_END
#endif
