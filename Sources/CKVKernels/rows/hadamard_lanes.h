// The vector form of hadamard_scalar.c: distances below 16 inside a vector, the others between
// vectors; the same on every level. A block below 16 is one vector of which the first lanes count.
#pragma once
#include "common/lanes_tail.h"
#include "common/prefetch.h"

// a + b in the lower lane of a pair, a - b in the upper: fma(own, +-1, other) rounds the same.
static inline f32x16 butterflies(f32x16 x, size_t size) {
    static const float sign[4][16] = {
        {1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1},
        {1, 1, -1, -1, 1, 1, -1, -1, 1, 1, -1, -1, 1, 1, -1, -1},
        {1, 1, 1, 1, -1, -1, -1, -1, 1, 1, 1, 1, -1, -1, -1, -1},
        {1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1, -1},
    };
    if (size > 1) x = fused(x, load(sign[0]), swap_1(x));
    if (size > 2) x = fused(x, load(sign[1]), swap_2(x));
    if (size > 4) x = fused(x, load(sign[2]), swap_4(x));
    if (size > 8) x = fused(x, load(sign[3]), swap_8(x));
    return x;
}

/// A block of 16 * count elements, or the first part of a larger one, without leaving the
/// registers.
static inline __attribute__((always_inline)) void transform_vectors(float *y, const float *x,
                                                                    size_t count, f32x16 factor) {
    f32x16 v[8];
#pragma clang loop unroll(full)
    for (size_t i = 0; i < count; i++) v[i] = butterflies(load(x + 16 * i), 16);
#pragma clang loop unroll(full)
    for (size_t distance = 1; distance < count; distance *= 2)
#pragma clang loop unroll(full)
        for (size_t i = 0; i < count; i++)
            if (!(i & distance)) {
                const f32x16 a = v[i], b = v[i + distance];
                v[i] = add(a, b);
                v[i + distance] = sub(a, b);
            }
#pragma clang loop unroll(full)
    for (size_t i = 0; i < count; i++) store(y + 16 * i, mul(v[i], factor));
}

static inline void transform(float *y, const float *x, size_t size) {
    const f32x16 factor = splat((float)(1 / sqrt((double)size)));
    const f32x16 one = splat(1); // times 1 is exact
    if (size < 16) {
        store_first(y, mul(butterflies(load_first(x, size), size), factor), size);
        return;
    }
    switch (size) {
    case 16:
        transform_vectors(y, x, 1, factor);
        return;
    case 32:
        transform_vectors(y, x, 2, factor);
        return;
    case 64:
        transform_vectors(y, x, 4, factor);
        return;
    case 128:
        transform_vectors(y, x, 8, factor);
        return;
    }
    for (size_t i = 0; i < size; i += 128) transform_vectors(y + i, x + i, 8, one);
    for (size_t distance = 128; distance < size; distance *= 2) {
        const f32x16 last = distance * 2 == size ? factor : one;
        for (size_t block = 0; block < size; block += 2 * distance)
            for (size_t i = block; i < block + distance; i += 16) {
                const f32x16 a = load(y + i), b = load(y + i + distance);
                store(y + i, mul(add(a, b), last));
                store(y + i + distance, mul(sub(a, b), last));
            }
    }
}

static inline void hadamard(float *rotated, const float *rows, size_t stride, size_t count,
                            size_t dim) {
    for (size_t r = 0; r < count; r++) {
        const float *row = rows + r * stride;
        float *to = rotated + r * stride;
        // Rows in place are near already.
        if (row != to)
            for (size_t e = 0; e < dim; e += 16) prefetch_window(row + e);
        for (size_t left = dim, size; left > 0; left -= size, row += size, to += size) {
            size = (size_t)1 << (63 - __builtin_clzll(left));
            transform(to, row, size);
        }
    }
}
