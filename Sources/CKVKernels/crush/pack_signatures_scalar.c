// KVCrush signatures: one bit per head and token, set for the tokens above the head's threshold,
// and for the first of those that equal it.
//
// scores is heads x tokens, a head's row `stride` apart. `page` tokens share a signature,
// token-major; bits beyond the last token of a partial page, and those that fill the last byte, are
// 0.
#include "common/arithmetic.h"
#include "dispatch/variants.h"

void kv_pack_signatures_scalar(uint8_t *signatures, size_t bytes, const float *scores,
                               size_t stride, size_t heads, size_t tokens, size_t page,
                               const float *threshold, const uint32_t *tie_end) {
    memset(signatures, 0, (tokens + page - 1) / page * bytes);
    for (size_t t = 0; t < tokens; t++)
        for (size_t h = 0; h < heads; h++) {
            const float score = scores[h * stride + t];
            const bool set = score > threshold[h] || (score == threshold[h] && t < tie_end[h]);
            const size_t bit = t % page * heads + h;
            signatures[t / page * bytes + bit / 8] |= (uint8_t)(set << bit % 8);
        }
}
