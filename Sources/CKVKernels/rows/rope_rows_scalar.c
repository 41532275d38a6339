// RoPE: pair i of a row at position p is turned by the angle p * frequencies[i], or back.
//
// Pairs are (i, i + pairs), split-half, or (2i, 2i + 1), interleaved; elements behind the pairs
// stay as they are. Cosines and sines are rounded once from double (rope_angle.h), so a pair turned
// there and back is off by a few roundings of its length at any position.
#include "dispatch/variants.h"
#include "rows/rope_angle.h"

#pragma STDC FP_CONTRACT OFF

void kv_rope_rows_scalar(float *rows, size_t stride, size_t count, const uint32_t *positions,
                         const float *frequencies, size_t pairs, bool interleaved, bool inverse) {
    for (size_t r = 0; r < count; r++)
        for (size_t i = 0; i < pairs; i++) {
            float cosine, sine;
            kv_rope_angle(positions[r], frequencies[i], &cosine, &sine);
            if (inverse) sine = -sine;
            float *const a = rows + r * stride + (interleaved ? 2 * i : i);
            float *const b = a + (interleaved ? 1 : pairs);
            const float x = *a, y = *b;
            *a = kv_fma(x, cosine, -(y * sine));
            *b = kv_fma(y, cosine, x * sine);
        }
}
