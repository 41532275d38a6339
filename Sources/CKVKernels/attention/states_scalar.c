// The end of a fold: two online-softmax states become one, and a state becomes the output.
//
// A state is, per query row, the largest logit seen, the sum of exp(logit - largest) and the values
// weighted alike. Raising `largest` scales both by exp(old - new) <= 1, so that nothing overflows.
#include "common/arithmetic.h"
#include "dispatch/variants.h"

void kv_merge_states_scalar(float *maximum_a, float *sum_a, float *accumulator_a,
                            const float *maximum_b, const float *sum_b, const float *accumulator_b,
                            size_t rows, size_t dim) {
    for (size_t r = 0; r < rows; r++) {
        float *a = accumulator_a + r * dim;
        const float *b = accumulator_b + r * dim;
        if (maximum_b[r] == -INFINITY) continue;
        if (maximum_a[r] == -INFINITY) {
            maximum_a[r] = maximum_b[r];
            sum_a[r] = sum_b[r];
            memcpy(a, b, dim * sizeof *a);
            continue;
        }
        const float m = kv_max(maximum_a[r], maximum_b[r]);
        const float ea = kv_exp(maximum_a[r] - m), eb = kv_exp(maximum_b[r] - m);
        maximum_a[r] = m;
        sum_a[r] = kv_fma(sum_a[r], ea, sum_b[r] * eb);
        for (size_t c = 0; c < dim; c++) a[c] = kv_fma(a[c], ea, b[c] * eb);
    }
}

void kv_finish_states_scalar(float *output, const float *accumulator, const float *sum, size_t rows,
                             size_t dim) {
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < dim; c++)
            output[r * dim + c] = sum[r] == 0 ? 0 : accumulator[r * dim + c] / sum[r];
}
