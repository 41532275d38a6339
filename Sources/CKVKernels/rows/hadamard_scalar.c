// Normalised Sylvester-Hadamard transform of rows: its own inverse and an isometry, used
// to spread outlier channels before quantization.
//
// A row of any length is cut into blocks of powers of two, largest first (80 = 64 + 16); the blocks
// are transformed on their own. One rounding per addition, log2(size) of them, and one for the
// factor.
#include "common/arithmetic.h"
#include "dispatch/variants.h"

#pragma STDC FP_CONTRACT OFF

static void transform(float *x, size_t size) {
    for (size_t distance = 1; distance < size; distance *= 2)
        for (size_t i = 0; i < size; i++)
            if (!(i & distance)) {
                const float a = x[i], b = x[i + distance];
                x[i] = a + b;
                x[i + distance] = a - b;
            }
    const float factor = (float)(1 / sqrt((double)size));
    for (size_t i = 0; i < size; i++) x[i] *= factor;
}

void kv_hadamard_scalar(float *rotated, const float *rows, size_t stride, size_t count,
                        size_t dim) {
    for (size_t r = 0; r < count; r++) {
        float *row = rotated + r * stride;
        memmove(row, rows + r * stride, dim * sizeof *row);
        for (size_t left = dim, size; left > 0; left -= size, row += size) {
            size = 1;
            while (size * 2 <= left) size *= 2;
            transform(row, size);
        }
    }
}
