// encode_q8 ... encode_q2 on NEON; the body is encode_quantized_lanes.h.
#if defined(__aarch64__)
#include "dispatch/variants.h"
#include "dispatch/target.h"
#include <arm_neon.h>
#pragma STDC FP_CONTRACT OFF
KV_TARGET_BEGIN(KV_NEON)
#include "common/lanes_neon.h"
#include "quantize/integers_neon.h"
#include "quantize/encode_quantized_lanes.h"

KV_EACH_FORMAT(KV_ENCODE, neon)

KV_TARGET_END
#endif
