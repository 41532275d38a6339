// Hamming distance of one signature of any width by 64-bit words, for the x86 levels (POPCNT): 8
// bytes per cycle, more than memory delivers.
#pragma once
#include <string.h>

static inline uint64_t partial_word(const uint8_t *p, size_t bytes) {
    uint64_t word = 0;
    for (size_t b = 0; b < bytes; b++) word |= (uint64_t)p[b] << 8 * b;
    return word;
}

static inline uint32_t distance_of_words(const uint8_t *a, const uint8_t *b, size_t bytes) {
    uint64_t distance = 0;
    size_t i = 0;
    for (; i + 8 <= bytes; i += 8) {
        uint64_t x, y;
        memcpy(&x, a + i, 8);
        memcpy(&y, b + i, 8);
        distance += (uint64_t)__builtin_popcountll(x ^ y);
    }
    const uint64_t rest = partial_word(a + i, bytes - i) ^ partial_word(b + i, bytes - i);
    return (uint32_t)(distance + (uint64_t)__builtin_popcountll(rest));
}
