// Copies the rows that an index list names. The lines of a row a few indices ahead are requested
// early: kept entries are scattered, so that the hardware does not foresee them.
#pragma once

enum { gather_ahead = 8 };

// In pieces of 64 bytes; the last one ends with the row and overlaps the one before.
static inline void copy_row(uint8_t *to, const uint8_t *from, size_t bytes) {
    if (bytes < 64) {
        memcpy(to, from, bytes);
        return;
    }
    for (size_t i = 0; i + 64 < bytes; i += 64) copy_64_bytes(to + i, from + i);
    copy_64_bytes(to + bytes - 64, from + bytes - 64);
}

static inline void gather_rows(uint8_t *destination, const uint8_t *source, size_t stride,
                               const uint32_t *indices, size_t count, size_t bytes) {
    for (size_t i = 0; i < count; i++) {
        if (i + gather_ahead < count) {
            const uint8_t *next = source + indices[i + gather_ahead] * stride;
            for (size_t b = 0; b < bytes; b += 64) prefetch(next + b);
        }
        copy_row(destination + i * bytes, source + indices[i] * stride, bytes);
    }
}
