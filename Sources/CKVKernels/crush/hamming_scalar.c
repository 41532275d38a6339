// Hamming distance of packed signatures to one anchor: differing bits, signature by signature.
// The largest distance is 8 * bytes.
#include "dispatch/variants.h"

void kv_hamming_scalar(uint32_t *distances, const uint8_t *signatures, size_t count, size_t bytes,
                       const uint8_t *anchor) {
    for (size_t i = 0; i < count; i++) {
        uint32_t distance = 0;
        for (size_t b = 0; b < bytes; b++)
            distance += (uint32_t)__builtin_popcount(signatures[i * bytes + b] ^ anchor[b]);
        distances[i] = distance;
    }
}
