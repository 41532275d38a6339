// The first element that a quantizer must refuse: NaN, infinite or larger in magnitude than a
// limit.
#include "common/arithmetic.h"
#include "dispatch/variants.h"
#include <float.h>

size_t kv_find_beyond_scalar(const float *source, size_t count, float limit) {
    const float largest = limit < FLT_MAX ? limit : FLT_MAX; // infinity is beyond every limit
    for (size_t i = 0; i < count; i++)
        if (!(fabsf(source[i]) <= largest)) return i; // as it is said, NaN is beyond too
    return count;
}
