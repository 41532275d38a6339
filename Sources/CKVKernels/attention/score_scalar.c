// Logits of plain keys: the tree sum of every query row with every key row, keys widened to f32
// exactly.
#include "common/arithmetic.h"
#include "dispatch/variants.h"

void kv_score_f32_scalar(float *logits, size_t logits_stride, const float *queries, size_t rows,
                         size_t dim, const float *keys, size_t key_stride, size_t n) {
    for (size_t r = 0; r < rows; r++)
        for (size_t t = 0; t < n; t++) {
            const float *query = queries + r * dim;
            const float *key = keys + t * key_stride;
            float lane[16] = {0};
            for (size_t c = 0; c < dim; c++) lane[c % 16] = kv_fma(query[c], key[c], lane[c % 16]);
            logits[r * logits_stride + t] = kv_tree(lane);
        }
}

void kv_score_f16_scalar(float *logits, size_t logits_stride, const float *queries, size_t rows,
                         size_t dim, const uint16_t *keys, size_t key_stride, size_t n) {
    for (size_t r = 0; r < rows; r++)
        for (size_t t = 0; t < n; t++) {
            const float *query = queries + r * dim;
            const uint16_t *key = keys + t * key_stride;
            float lane[16] = {0};
            for (size_t c = 0; c < dim; c++)
                lane[c % 16] = kv_fma(query[c], kv_from_f16(key[c]), lane[c % 16]);
            logits[r * logits_stride + t] = kv_tree(lane);
        }
}

void kv_score_bf16_scalar(float *logits, size_t logits_stride, const float *queries, size_t rows,
                          size_t dim, const uint16_t *keys, size_t key_stride, size_t n) {
    for (size_t r = 0; r < rows; r++)
        for (size_t t = 0; t < n; t++) {
            const float *query = queries + r * dim;
            const uint16_t *key = keys + t * key_stride;
            float lane[16] = {0};
            for (size_t c = 0; c < dim; c++)
                lane[c % 16] = kv_fma(query[c], kv_from_bf16(key[c]), lane[c % 16]);
            logits[r * logits_stride + t] = kv_tree(lane);
        }
}
