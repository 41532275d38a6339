// Weighted sums of plain values, widened to f32 exactly, in the order of the entries.
#include "common/arithmetic.h"
#include "dispatch/variants.h"

void kv_accumulate_f32_scalar(float *accumulator, const float *rescale, size_t rows, size_t dim,
                              const float *weights, size_t weights_stride, const float *values,
                              size_t value_stride, size_t n, const uint32_t *indices,
                              size_t index_count) {
    const size_t count = indices ? index_count : n;
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < dim; c++) {
            float a = accumulator[r * dim + c] * rescale[r];
            for (size_t i = 0; i < count; i++) {
                const size_t t = indices ? indices[i] : i;
                const float value = values[t * value_stride + c];
                a = kv_fma(weights[r * weights_stride + t], value, a);
            }
            accumulator[r * dim + c] = a;
        }
}

void kv_accumulate_f16_scalar(float *accumulator, const float *rescale, size_t rows, size_t dim,
                              const float *weights, size_t weights_stride, const uint16_t *values,
                              size_t value_stride, size_t n, const uint32_t *indices,
                              size_t index_count) {
    const size_t count = indices ? index_count : n;
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < dim; c++) {
            float a = accumulator[r * dim + c] * rescale[r];
            for (size_t i = 0; i < count; i++) {
                const size_t t = indices ? indices[i] : i;
                const float value = kv_from_f16(values[t * value_stride + c]);
                a = kv_fma(weights[r * weights_stride + t], value, a);
            }
            accumulator[r * dim + c] = a;
        }
}

void kv_accumulate_bf16_scalar(float *accumulator, const float *rescale, size_t rows, size_t dim,
                               const float *weights, size_t weights_stride, const uint16_t *values,
                               size_t value_stride, size_t n, const uint32_t *indices,
                               size_t index_count) {
    const size_t count = indices ? index_count : n;
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < dim; c++) {
            float a = accumulator[r * dim + c] * rescale[r];
            for (size_t i = 0; i < count; i++) {
                const size_t t = indices ? indices[i] : i;
                const float value = kv_from_bf16(values[t * value_stride + c]);
                a = kv_fma(weights[r * weights_stride + t], value, a);
            }
            accumulator[r * dim + c] = a;
        }
}
