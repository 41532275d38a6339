// The end of a fold, merge and finish: the lanes body on AVX-512.
#include "dispatch/target.h"
#include "dispatch/variants.h"

#if defined(__x86_64__)
#include <immintrin.h>
#pragma STDC FP_CONTRACT OFF

KV_TARGET_BEGIN(KV_AVX512)
#include "common/lanes_avx512.h"
#include "attention/states_lanes.h"

void kv_merge_states_avx512(float *maximum_a, float *sum_a, float *accumulator_a,
                            const float *maximum_b, const float *sum_b, const float *accumulator_b,
                            size_t rows, size_t dim) {
    merge_states(maximum_a, sum_a, accumulator_a, maximum_b, sum_b, accumulator_b, rows, dim);
}

void kv_finish_states_avx512(float *output, const float *accumulator, const float *sum, size_t rows,
                             size_t dim) {
    finish_states(output, accumulator, sum, rows, dim);
}

KV_TARGET_END
#endif
