// Weighted sums of neighbouring rows: what merged tokens become.
#include "common/arithmetic.h"
#include "dispatch/variants.h"

#pragma STDC FP_CONTRACT OFF

void kv_mix_rows_scalar(float *sums, const float *rows, size_t stride, const float *weights,
                        const uint32_t *ends, size_t count, size_t dim) {
    for (size_t e = 0, first = 0; e < count; first = ends[e++])
        for (size_t c = 0; c < dim; c++) {
            float sum = 0;
            for (size_t i = first; i < ends[e]; i++)
                sum = kv_fma(weights[i], rows[i * stride + c], sum);
            sums[e * dim + c] = sum;
        }
}
