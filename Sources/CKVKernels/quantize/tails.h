// Loads and stores of 16 lanes, or of the first n where a row ends; include after a lanes_*.h.
#pragma once

static inline f32x16 load_up_to_16(const float *p, size_t n) {
    return n >= 16 ? load(p) : load_first(p, n);
}
static inline f32x16 halves_up_to_16(const uint16_t *p, size_t n) {
    return n >= 16 ? load_f16(p) : load_f16_first(p, n);
}
static inline void store_up_to_16(float *p, f32x16 x, size_t n) {
    if (n >= 16)
        store(p, x);
    else
        store_first(p, x, n);
}
