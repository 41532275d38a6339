// Conversion of elements between f32, f16 and bf16; widening is exact, narrowing rounds to nearest
// even.
#include "common/arithmetic.h"
#include "dispatch/variants.h"

void kv_convert_f16_f32_scalar(float *destination, const uint16_t *source, size_t count) {
    for (size_t i = 0; i < count; i++) destination[i] = kv_from_f16(source[i]);
}

void kv_convert_bf16_f32_scalar(float *destination, const uint16_t *source, size_t count) {
    for (size_t i = 0; i < count; i++) destination[i] = kv_from_bf16(source[i]);
}

void kv_convert_f32_f16_scalar(uint16_t *destination, const float *source, size_t count) {
    for (size_t i = 0; i < count; i++) destination[i] = kv_to_f16(source[i]);
}

void kv_convert_f32_bf16_scalar(uint16_t *destination, const float *source, size_t count) {
    for (size_t i = 0; i < count; i++) destination[i] = kv_to_bf16(source[i]);
}
