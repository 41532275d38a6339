// Conversion of elements: the lanes body on AVX-512, whose tails are masked loads and stores.
#include "dispatch/target.h"
#include "dispatch/variants.h"

#if defined(__x86_64__)
#include <immintrin.h>
#pragma STDC FP_CONTRACT OFF

KV_TARGET_BEGIN(KV_AVX512)
#include "common/lanes_avx512.h"
#include "rows/convert_lanes.h"

void kv_convert_f16_f32_avx512(float *destination, const uint16_t *source, size_t count) {
    convert_f16_f32(destination, source, count);
}

void kv_convert_bf16_f32_avx512(float *destination, const uint16_t *source, size_t count) {
    convert_bf16_f32(destination, source, count);
}

void kv_convert_f32_f16_avx512(uint16_t *destination, const float *source, size_t count) {
    convert_f32_f16(destination, source, count);
}

void kv_convert_f32_bf16_avx512(uint16_t *destination, const float *source, size_t count) {
    convert_f32_bf16(destination, source, count);
}

KV_TARGET_END
#endif
