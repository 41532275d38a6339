// Copies the rows that an index list names: the lanes body on AVX2.
#include "dispatch/target.h"
#include "dispatch/variants.h"

#if defined(__x86_64__)
#include <immintrin.h>
#pragma STDC FP_CONTRACT OFF

KV_TARGET_BEGIN(KV_AVX2)
#include "common/lanes_avx2.h"
#include "rows/gather_rows_lanes.h"

void kv_gather_rows_avx2(void *destination, const void *source, size_t source_stride_bytes,
                         const uint32_t *indices, size_t count, size_t row_bytes) {
    gather_rows(destination, source, source_stride_bytes, indices, count, row_bytes);
}

KV_TARGET_END
#endif
