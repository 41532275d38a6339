// rope_rows on AVX-512: the loops are in rope_rows_loops.h.
#if defined(__x86_64__)
#include "dispatch/target.h"
#include "dispatch/variants.h"

#pragma STDC FP_CONTRACT OFF
KV_TARGET_BEGIN(KV_AVX512)
#include "rows/rope_rows_loops.h"

void kv_rope_rows_avx512(float *rows, size_t stride, size_t count, const uint32_t *positions,
                         const float *frequencies, size_t pairs, bool interleaved, bool inverse) {
    rope_rows(rows, stride, count, positions, frequencies, pairs, interleaved, inverse);
}

KV_TARGET_END
#endif
