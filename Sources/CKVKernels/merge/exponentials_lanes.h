// Exponentials of a vector, 16 at a time.
#pragma once
#include "common/lanes_tail.h"

static inline void exponentials(float *results, const float *x, size_t count) {
    for (size_t i = 0; i < count; i += 16)
        store_up_to(results + i, exponential(load_up_to(x + i, count - i)), count - i);
}
