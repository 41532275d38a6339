// Hamming distance of one signature of any width by 64-bit words, for the x86 levels (POPCNT): 8
// bytes per cycle, more than memory delivers.
#pragma once
#include <string.h>

/// Below 8 bytes, in pieces of 4, 2 and 1: no byte beyond them is read, and their order is all one.
static inline uint64_t partial_word(const uint8_t *p, size_t bytes) {
    uint64_t word = 0;
    uint32_t four;
    uint16_t two;
    if (bytes & 4) memcpy(&four, p, 4), p += 4, word = four;
    if (bytes & 2) memcpy(&two, p, 2), p += 2, word = word << 16 | two;
    if (bytes & 1) word = word << 8 | *p;
    return word;
}

static inline uint32_t distance_of(const uint8_t *a, const uint8_t *b, size_t bytes) {
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
