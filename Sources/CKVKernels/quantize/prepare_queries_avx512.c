// prepare_queries on AVX-512; the body is prepare_queries_lanes.h.
#if defined(__x86_64__)
#include "dispatch/variants.h"
#include "dispatch/target.h"
#include <immintrin.h>
#pragma STDC FP_CONTRACT OFF
KV_TARGET_BEGIN(KV_AVX512)
#include "common/lanes_avx512.h"
#include "quantize/integers_avx512.h"
#include "quantize/prepare_queries_lanes.h"

void kv_prepare_queries_avx512(void *prepared, const float *queries, size_t rows, size_t dim,
                               size_t group) {
    prepare_queries(prepared, queries, rows, dim, group);
}

KV_TARGET_END
#endif
