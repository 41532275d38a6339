// CRC-32C by an instruction of three cycles' latency and one cycle's throughput, which the includer
// wraps as crc_word and crc_byte: three stripes side by side keep it busy. A remainder moves over
// the stripe behind it by a multiplication with x^(8 * stripe) modulo the polynomial.
#pragma once
#include <string.h>

enum { stripe = 16384 };

static inline uint64_t word_at(const uint8_t *p) {
    uint64_t word;
    memcpy(&word, p, 8);
    return word;
}

/// a * x^(8 * stripe); bit 31 is the coefficient of x^0.
static inline uint32_t moved_over_stripe(uint32_t a) {
    uint32_t product = 0, power = 0xbf455269; // times x at each step
    for (uint32_t bit = 1u << 31; bit; bit >>= 1) {
        product ^= a & bit ? power : 0;
        power = power >> 1 ^ (power & 1 ? 0x82f63b78 : 0);
    }
    return product;
}

static inline uint32_t crc32c(uint32_t crc, const uint8_t *p, size_t count) {
    crc = ~crc;
    for (; count >= 3 * stripe; p += 3 * stripe, count -= 3 * stripe) {
        uint32_t second = 0, third = 0;
        for (size_t i = 0; i < stripe; i += 8) {
            crc = crc_word(crc, word_at(p + i));
            second = crc_word(second, word_at(p + stripe + i));
            third = crc_word(third, word_at(p + 2 * stripe + i));
        }
        crc = moved_over_stripe(moved_over_stripe(crc) ^ second) ^ third;
    }
    for (; count >= 8; p += 8, count -= 8) crc = crc_word(crc, word_at(p));
    for (; count > 0; p++, count--) crc = crc_byte(crc, *p);
    return ~crc;
}
