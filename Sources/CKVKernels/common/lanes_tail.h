// The last lanes of rows whose length is no multiple of 16, in terms of any lanes_*.h, which is
// included before it in the same target region. n is what is left of the row and may exceed 16.
#pragma once

/// The lanes below n from memory, +0 in the others; nothing beyond them is touched.
static inline f32x16 load_up_to(const float *p, size_t n) {
    return n < 16 ? load_first(p, n) : load(p);
}

static inline void store_up_to(float *p, f32x16 v, size_t n) {
    if (n < 16)
        store_first(p, v, n);
    else
        store(p, v);
}

/// The lanes below n of v, `other` in the rest.
static inline f32x16 keep_below(size_t n, f32x16 v, float other) {
    static const float lane[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    if (n >= 16) return v;
    return select_less(load(lane), splat((float)n), v, splat(other));
}
