// Conversion of elements: the lanes body on NEON; fcvt rounds to nearest even as the specification
// does.
#include "dispatch/target.h"
#include "dispatch/variants.h"

#if defined(__aarch64__)
#include <arm_neon.h>
#pragma STDC FP_CONTRACT OFF

KV_TARGET_BEGIN(KV_NEON)
#include "common/lanes_neon.h"
#include "rows/convert_lanes.h"

void kv_convert_f16_f32_neon(float *destination, const uint16_t *source, size_t count) {
    convert_f16_f32(destination, source, count);
}

void kv_convert_bf16_f32_neon(float *destination, const uint16_t *source, size_t count) {
    convert_bf16_f32(destination, source, count);
}

void kv_convert_f32_f16_neon(uint16_t *destination, const float *source, size_t count) {
    convert_f32_f16(destination, source, count);
}

void kv_convert_f32_bf16_neon(uint16_t *destination, const float *source, size_t count) {
    convert_f32_bf16(destination, source, count);
}

KV_TARGET_END
#endif
