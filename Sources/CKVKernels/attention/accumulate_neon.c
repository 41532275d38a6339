// Weighted sums of plain values on NEON: 4 sums of 16 elements are 16 of the 32 registers.
#include "dispatch/target.h"
#include "dispatch/variants.h"

#if defined(__aarch64__)
#include <arm_neon.h>
#pragma STDC FP_CONTRACT OFF

KV_TARGET_BEGIN(KV_NEON)
#include "common/lanes_neon.h"
enum { tile_sums = 4, chunk_tile = 4 };
#include "attention/accumulate_lanes.h"

void kv_accumulate_f32_neon(float *accumulator, const float *rescale, size_t rows, size_t dim,
                            const float *weights, size_t weights_stride, const float *values,
                            size_t value_stride, size_t n, const uint32_t *indices,
                            size_t index_count) {
    const plain_rows all = {values, value_stride, format_f32};
    const entry_list list = {indices, indices ? index_count : n};
    accumulate(accumulator, rescale, rows, dim, weights, weights_stride, all, list);
}

void kv_accumulate_f16_neon(float *accumulator, const float *rescale, size_t rows, size_t dim,
                            const float *weights, size_t weights_stride, const uint16_t *values,
                            size_t value_stride, size_t n, const uint32_t *indices,
                            size_t index_count) {
    const plain_rows all = {values, value_stride, format_f16};
    const entry_list list = {indices, indices ? index_count : n};
    accumulate(accumulator, rescale, rows, dim, weights, weights_stride, all, list);
}

void kv_accumulate_bf16_neon(float *accumulator, const float *rescale, size_t rows, size_t dim,
                             const float *weights, size_t weights_stride, const uint16_t *values,
                             size_t value_stride, size_t n, const uint32_t *indices,
                             size_t index_count) {
    const plain_rows all = {values, value_stride, format_bf16};
    const entry_list list = {indices, indices ? index_count : n};
    accumulate(accumulator, rescale, rows, dim, weights, weights_stride, all, list);
}

KV_TARGET_END
#endif
