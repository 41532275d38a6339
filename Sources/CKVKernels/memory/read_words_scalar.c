// Exclusive or of a buffer's 64-bit words: the cheapest use of every byte.
#include "dispatch/variants.h"
#include <string.h>

uint64_t kv_read_words_scalar(const void *bytes, size_t count) {
    const uint8_t *p = bytes;
    uint64_t all = 0;
    for (size_t i = 0; i < count / 8; i++) {
        uint64_t word;
        memcpy(&word, p + 8 * i, 8);
        all ^= word;
    }
    return all;
}
