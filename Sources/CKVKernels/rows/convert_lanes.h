// Conversion of elements, 16 at a time and the rest under a mask.
#pragma once
#include "common/prefetch.h"

// What is narrow comes from memory, and its next rows when these were worked on; a few rows may be
// all that is wanted.
enum { convert_few = 2048 };

static inline void convert_f16_f32(float *destination, const uint16_t *source, size_t count) {
    size_t i = 0;
    if (count >= convert_few)
        for (; i + 32 <= count; i += 32) {
            prefetch_window(source + i);
            store(destination + i, load_f16(source + i));
            store(destination + i + 16, load_f16(source + i + 16));
        }
    for (; i + 16 <= count; i += 16) store(destination + i, load_f16(source + i));
    if (i < count) store_first(destination + i, load_f16_first(source + i, count - i), count - i);
}

static inline void convert_bf16_f32(float *destination, const uint16_t *source, size_t count) {
    size_t i = 0;
    if (count >= convert_few)
        for (; i + 32 <= count; i += 32) {
            prefetch_window(source + i);
            store(destination + i, load_bf16(source + i));
            store(destination + i + 16, load_bf16(source + i + 16));
        }
    for (; i + 16 <= count; i += 16) store(destination + i, load_bf16(source + i));
    if (i < count) store_first(destination + i, load_bf16_first(source + i, count - i), count - i);
}

static inline void convert_f32_f16(uint16_t *destination, const float *source, size_t count) {
    size_t i = 0;
    for (; i + 16 <= count; i += 16) store_f16(destination + i, load(source + i));
    if (i < count) store_f16_first(destination + i, load_first(source + i, count - i), count - i);
}

static inline void convert_f32_bf16(uint16_t *destination, const float *source, size_t count) {
    size_t i = 0;
    for (; i + 16 <= count; i += 16) store_bf16(destination + i, load(source + i));
    if (i < count) store_bf16_first(destination + i, load_first(source + i, count - i), count - i);
}
