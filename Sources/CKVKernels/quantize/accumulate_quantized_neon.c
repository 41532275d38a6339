// accumulate_q8 ... accumulate_q2 on NEON; the body is accumulate_quantized_lanes.h.
#if defined(__aarch64__)
#include "dispatch/variants.h"
#include "dispatch/target.h"
#include <arm_neon.h>
#pragma STDC FP_CONTRACT OFF
KV_TARGET_BEGIN(KV_NEON)
#include "common/lanes_neon.h"
#include "quantize/integers_neon.h"
#include "quantize/accumulate_quantized_lanes.h"

KV_EACH_FORMAT(KV_ACCUMULATE, neon)

KV_TARGET_END
#endif
