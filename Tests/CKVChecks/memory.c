// Checks of memory/: checksums and reads of whole buffers.
#include "harness.h"

static const uint8_t *bytes(kvc_case *c, size_t count) {
    uint8_t *const input = kvc_input(c, "bytes", kvc_u8, 1, count, count);
    for (size_t i = 0; i < count; i++) input[i] = (uint8_t)kvc_next(c);
    kvc_shape(c, "count %zu", count);
    return input;
}

void kvc_check_crc32c(kvc_case *c) {
    const size_t count = kvc_length(c, kvc_chance(c, 50) ? 64 : 20000);
    const uint8_t *const input = bytes(c, count);
    const uint32_t start = kvc_chance(c, 50) ? 0 : (uint32_t)kvc_next(c);
    uint32_t crc[2];
    KVC_BOTH(v) crc[v] = kv_crc32c(c->level[v], start, input, count);
    kvc_same(c, "crc", crc[0], crc[1]);
}

void kvc_check_read_words(kvc_case *c) {
    const size_t count = kvc_length(c, kvc_chance(c, 50) ? 300 : 5000);
    const uint8_t *const input = bytes(c, count);
    uint64_t words[2];
    KVC_BOTH(v) words[v] = kv_read_words(c->level[v], input, count);
    kvc_same(c, "words", words[0], words[1]);
}
