// encode_q8 ... encode_q2 on AVX-512; the body is encode_quantized_lanes.h.
#if defined(__x86_64__)
#include "dispatch/variants.h"
#include "dispatch/target.h"
#include <immintrin.h>
#pragma STDC FP_CONTRACT OFF
KV_TARGET_BEGIN(KV_AVX512)
#include "common/lanes_avx512.h"
#include "quantize/integers_avx512.h"
#include "quantize/encode_usual_avx512.h"

KV_EACH_FORMAT(KV_ENCODE_USUAL, avx512)

KV_TARGET_END
#endif
