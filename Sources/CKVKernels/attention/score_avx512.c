// Logits of plain keys on AVX-512: 4 query rows x 4 keys are 16 of the 32 registers, whose tree
// sums are taken together.
#include "dispatch/target.h"
#include "dispatch/variants.h"

#if defined(__x86_64__)
#include <immintrin.h>
#pragma STDC FP_CONTRACT OFF

KV_TARGET_BEGIN(KV_AVX512)
#include "common/lanes_avx512.h"
enum { key_tile = 4 };
#include "attention/score_lanes.h"

void kv_score_f32_avx512(float *logits, size_t logits_stride, const float *queries, size_t rows,
                         size_t dim, const float *keys, size_t key_stride, size_t n) {
    const plain_rows all = {keys, key_stride, format_f32};
    score(logits, logits_stride, queries, rows, dim, all, n);
}

void kv_score_f16_avx512(float *logits, size_t logits_stride, const float *queries, size_t rows,
                         size_t dim, const uint16_t *keys, size_t key_stride, size_t n) {
    const plain_rows all = {keys, key_stride, format_f16};
    score(logits, logits_stride, queries, rows, dim, all, n);
}

void kv_score_bf16_avx512(float *logits, size_t logits_stride, const float *queries, size_t rows,
                          size_t dim, const uint16_t *keys, size_t key_stride, size_t n) {
    const plain_rows all = {keys, key_stride, format_bf16};
    score(logits, logits_stride, queries, rows, dim, all, n);
}

KV_TARGET_END
#endif
