// decode_q8 ... decode_q2 on AVX2; the body is decode_quantized_lanes.h.
#if defined(__x86_64__)
#include "dispatch/variants.h"
#include "dispatch/target.h"
#include <immintrin.h>
#pragma STDC FP_CONTRACT OFF
KV_TARGET_BEGIN(KV_AVX2)
#include "common/lanes_avx2.h"
#include "quantize/integers_avx2.h"
#include "quantize/decode_quantized_lanes.h"

KV_EACH_FORMAT(KV_DECODE, avx2)

KV_TARGET_END
#endif
