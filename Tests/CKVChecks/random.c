// splitmix64, and what checks draw with it: shapes that love the edges, and contents that KV caches
// have or must survive.
#include "harness.h"

uint64_t kvc_next(kvc_case *c) {
    uint64_t z = c->random += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

size_t kvc_below(kvc_case *c, size_t bound) { return (size_t)((kvc_next(c) >> 32) * bound >> 32); }

size_t kvc_between(kvc_case *c, size_t least, size_t most) {
    return least + kvc_below(c, most - least + 1);
}

bool kvc_chance(kvc_case *c, unsigned percent) { return kvc_below(c, 100) < percent; }

float kvc_unit(kvc_case *c) { return (float)((int32_t)(kvc_next(c) >> 40) - (1 << 23)) * 0x1p-23f; }

size_t kvc_dim(kvc_case *c) {
    static const size_t usual[] = {64, 80, 96, 128, 256, 1024};
    if (kvc_chance(c, 60)) return kvc_between(c, 1, 40);
    const size_t dim = usual[kvc_below(c, sizeof usual / sizeof *usual)] - 1 + kvc_below(c, 3);
    return dim > 1024 ? 1024 : dim;
}

size_t kvc_length(kvc_case *c, size_t most) {
    if (kvc_chance(c, 50)) return kvc_below(c, most + 1);
    const size_t near = 16 * kvc_below(c, most / 16 + 1) + kvc_below(c, 3);
    return near == 0 ? 0 : near - 1 > most ? most : near - 1;
}

size_t kvc_entries(kvc_case *c, size_t most, size_t cost_each) {
    const size_t affordable = 200000 / (cost_each + 1);
    return kvc_length(c, affordable < 20 ? 20 : affordable < most ? affordable : most);
}

size_t kvc_stride(kvc_case *c, size_t width) {
    return kvc_chance(c, 50) ? width : width + kvc_below(c, 40);
}

void kvc_fill(kvc_case *c, float *rows, size_t count, size_t width, size_t stride, float limit) {
    enum {
        uniform,
        outliers,
        constant,
        zeros,
        signed_zeros,
        denormals,
        extremes,
        exponents,
        styles
    };
    const size_t style = kvc_below(c, styles + 3); // the surplus falls to uniform
    const float size = kvc_chance(c, 50) ? fminf(1, limit) : limit * fabsf(kvc_unit(c));
    const float same = size * kvc_unit(c);
    const uint64_t loud = kvc_next(c) & kvc_next(c) & kvc_next(c); // about one channel in eight
    for (size_t r = 0; r < count; r++) {
        for (size_t i = 0; i < width; i++) {
            const float x = size * kvc_unit(c);
            float *out = &rows[r * stride + i];
            switch (style) {
            case outliers:
                *out = loud >> i % 64 & 1 ? x : x / 64;
                break;
            case constant:
                *out = same;
                break;
            case zeros:
                *out = 0;
                break;
            case signed_zeros:
                *out = copysignf(0, x);
                break;
            case denormals:
                *out = copysignf((float)kvc_below(c, 1 << 24) * 0x1p-149f, x);
                break;
            case extremes:
                *out = copysignf(limit, x);
                break;
            case exponents:
                *out = ldexpf(x, -(int)kvc_below(c, 140));
                break;
            default:
                *out = x;
            }
        }
    }
}
