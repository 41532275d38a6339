// The angle by which RoPE turns one pair of elements, as its cosine and sine.
#pragma once
#include "common/arithmetic.h"

#pragma STDC FP_CONTRACT OFF

/// Cosine and sine of position * frequency, which is exact in double (31 bits times 24).
///
/// The angle less quarters * pi/2, whose two parts go through fma, lies within pi/4 of 0, where
/// Taylor polynomials of degree 11 and 12 err by less than 1e-11. Frequencies are 0 ... 1, so
/// quarters fit 32 bits.
static inline void kv_rope_angle(uint32_t position, float frequency, float *cosine, float *sine) {
    const double half_pi = 0x1.921fb54442d18p+0, half_pi_rest = 0x1.1a62633145c07p-54;
    const double angle = (double)position * (double)frequency;
    const double quarters = rint(angle * 0x1.45f306dc9c883p-1); // 2 / pi
    double x = __builtin_fma(-quarters, half_pi, angle);
    x = __builtin_fma(-quarters, half_pi_rest, x);
    const double z = x * x;
    double s = -1.0 / 39916800;
    s = __builtin_fma(s, z, 1.0 / 362880);
    s = __builtin_fma(s, z, -1.0 / 5040);
    s = __builtin_fma(s, z, 1.0 / 120);
    s = __builtin_fma(s, z, -1.0 / 6);
    s = __builtin_fma(s * z, x, x);
    double c = 1.0 / 479001600;
    c = __builtin_fma(c, z, -1.0 / 3628800);
    c = __builtin_fma(c, z, 1.0 / 40320);
    c = __builtin_fma(c, z, -1.0 / 720);
    c = __builtin_fma(c, z, 1.0 / 24);
    c = __builtin_fma(c, z, -0.5);
    c = __builtin_fma(c, z, 1.0);
    const int32_t quadrant = (int32_t)quarters & 3;
    const double across = quadrant & 1 ? s : c, up = quadrant & 1 ? c : s;
    *cosine = (float)(quadrant == 1 || quadrant == 2 ? -across : across);
    *sine = (float)(quadrant & 2 ? -up : up);
}
