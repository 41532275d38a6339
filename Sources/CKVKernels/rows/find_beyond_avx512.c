// The first element beyond a limit: the lanes body on AVX-512.
#include "dispatch/target.h"
#include "dispatch/variants.h"

#if defined(__x86_64__)
#include <immintrin.h>
#pragma STDC FP_CONTRACT OFF

KV_TARGET_BEGIN(KV_AVX512)
#include "common/lanes_avx512.h"
#include "rows/find_beyond_lanes.h"

size_t kv_find_beyond_avx512(const float *source, size_t count, float limit) {
    return find_beyond(source, count, limit);
}

KV_TARGET_END
#endif
