// The first element beyond a limit, 16 elements per comparison.
#pragma once
#include <float.h>

static inline size_t find_beyond(const float *source, size_t count, float limit) {
    const f32x16 largest_allowed = splat(limit < FLT_MAX ? limit : FLT_MAX);
    size_t i = 0;
    for (; i + 16 <= count; i += 16) {
        const uint32_t beyond = bits_not_at_most(magnitude(load(source + i)), largest_allowed);
        if (beyond) return i + (size_t)__builtin_ctz(beyond);
    }
    if (i == count) return count;
    const f32x16 rest = magnitude(load_first(source + i, count - i));
    // The bit after the last element stands for "none"; a negative limit may set it and those
    // above.
    const uint32_t beyond = bits_not_at_most(rest, largest_allowed) | 1u << (count - i);
    return i + (size_t)__builtin_ctz(beyond);
}
