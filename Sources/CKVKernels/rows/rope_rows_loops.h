// rope_rows_scalar.c in loops that the compiler turns into vectors of whichever level includes
// this: one over angles, one over pairs. Nothing in them may be reordered, so the bits are the
// same.
#pragma once
#include "rows/rope_angle.h"

#pragma STDC FP_CONTRACT OFF

enum { rope_chunk = 64 };

static inline void turn(float *restrict a, float *restrict b, size_t step, const float *cosine,
                        const float *sine, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const float x = a[i * step], y = b[i * step];
        a[i * step] = kv_fma(x, cosine[i], -(y * sine[i]));
        b[i * step] = kv_fma(y, cosine[i], x * sine[i]);
    }
}

static inline void rope_rows(float *rows, size_t stride, size_t count, const uint32_t *positions,
                             const float *frequencies, size_t pairs, bool interleaved,
                             bool inverse) {
    float cosine[rope_chunk], sine[rope_chunk];
    for (size_t first = 0; first < pairs; first += rope_chunk) {
        const size_t n = pairs - first < rope_chunk ? pairs - first : rope_chunk;
        for (size_t r = 0; r < count; r++) {
            for (size_t i = 0; i < n; i++)
                kv_rope_angle(positions[r], frequencies[first + i], cosine + i, sine + i);
            if (inverse)
                for (size_t i = 0; i < n; i++) sine[i] = -sine[i];
            float *const row = rows + r * stride;
            if (interleaved)
                turn(row + 2 * first, row + 2 * first + 1, 2, cosine, sine, n);
            else
                turn(row + first, row + pairs + first, 1, cosine, sine, n);
        }
    }
}
