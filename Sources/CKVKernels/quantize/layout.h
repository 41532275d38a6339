// Where the bytes of tiles and of prepared queries lie: the one place that knows, for all variants.
#pragma once
#include "CKVKernels.h"
#include "common/arithmetic.h"

#define KV_INLINED static inline __attribute__((always_inline))

enum {
    kv_tile = 16,
    kv_block = 64,
    kv_largest_dim = 1024,
    kv_largest_groups = kv_largest_dim / 32,
    kv_fold_group = 128,
    kv_largest_folded_bytes = 8 + 4 * kv_largest_dim / kv_fold_group + 4 * kv_largest_dim,
};

/// The largest fixed-point magnitude, 127 * 256, and the peak below which a row counts as zero.
#define KV_FIXED_PEAK  32512.0f
#define KV_FIXED_LEAST 1e-30f

static inline size_t kv_least(size_t a, size_t b) { return a < b ? a : b; }
static inline size_t kv_divided_up(size_t a, size_t b) { return (a + b - 1) / b; }

// ---- Tiles

/// Codes of one lane in one vector of a tile: one quad of bytes, or two quads of nibbles.
static inline size_t kv_vector_codes(int bits) { return bits == 8 ? 4 : 8; }
static inline size_t kv_lanes(kv_quantizer quantizer) {
    return quantizer.values ? quantizer.dim : kv_tile;
}
static inline size_t kv_vectors(kv_quantizer quantizer, int bits) {
    return kv_divided_up(quantizer.values ? kv_tile : quantizer.dim, kv_vector_codes(bits));
}
static inline size_t kv_code_bytes(kv_quantizer quantizer, int bits) {
    return 4 * kv_vectors(quantizer, bits) * kv_lanes(quantizer);
}

/// Groups along a row, and the elements of group g (the last may be short).
static inline size_t kv_groups(size_t dim, size_t group) { return kv_divided_up(dim, group); }
static inline size_t kv_group_width(size_t dim, size_t group, size_t g) {
    return kv_least(group, dim - g * group);
}

/// Scales of a tile with groups along the row, in bytes; as many for its zeros.
static inline size_t kv_scale_bytes(kv_quantizer quantizer) {
    return kv_groups(quantizer.dim, quantizer.group) * kv_tile * sizeof(uint16_t);
}
static inline size_t kv_tile_bytes(kv_quantizer quantizer, int bits) {
    const size_t codes = kv_code_bytes(quantizer, bits);
    if (quantizer.per_channel) return codes;
    return codes + kv_scale_bytes(quantizer) * (quantizer.asymmetric ? 2 : 1);
}

/// Byte and shift, within a tile, of the code of token t and element e.
typedef struct kv_code_place {
    size_t byte;
    int shift;
} kv_code_place;
static inline kv_code_place kv_place(kv_quantizer quantizer, int bits, size_t t, size_t e) {
    const size_t lane = quantizer.values ? e : t, i = quantizer.values ? t : e;
    const size_t vector = i / kv_vector_codes(bits), within = i % kv_vector_codes(bits);
    return (kv_code_place){(vector * kv_lanes(quantizer) + lane) * 4 + within % 4,
                           within < 4 ? 0 : 4};
}

/// The stored code that integer dots count from: sums of signed codes cancel, those of others swamp
/// what they differ by.
static inline int kv_middle_code(int bits) { return 1 << (bits - 1); }

/// What a stored code is above the code it stands for, and the largest code.
static inline int kv_code_offset(kv_quantizer quantizer, int bits) {
    return quantizer.asymmetric ? 0 : kv_middle_code(bits);
}
static inline int kv_code_peak(kv_quantizer quantizer, int bits) {
    return quantizer.asymmetric ? (1 << bits) - 1 : (1 << (bits - 1)) - 1;
}

// ---- Prepared queries

typedef struct kv_prepared_layout {
    size_t sums, words, high, low, end, bytes; ///< offsets; the step lies at 0
} kv_prepared_layout;
static inline kv_prepared_layout kv_prepared(size_t dim, size_t group) {
    const size_t padded = (dim + 7) / 8 * 8, sums = sizeof(float);
    const size_t words = sums + kv_groups(dim, group) * sizeof(int32_t);
    const size_t high = words + padded * sizeof(int16_t), low = high + padded, end = low + padded;
    return (kv_prepared_layout){sums, words, high, low, end, (end + 7) / 8 * 8};
}

// ---- Loads and stores at any alignment

#define KV_UNALIGNED(type, suffix)                                                                 \
    static inline type kv_load_##suffix(const void *p) {                                           \
        type x;                                                                                    \
        memcpy(&x, p, sizeof x);                                                                   \
        return x;                                                                                  \
    }                                                                                              \
    static inline void kv_store_##suffix(void *p, type x) { memcpy(p, &x, sizeof x); }
KV_UNALIGNED(float, f32)
KV_UNALIGNED(uint16_t, u16)
KV_UNALIGNED(int16_t, i16)
KV_UNALIGNED(int32_t, i32)
KV_UNALIGNED(uint32_t, u32)
KV_UNALIGNED(uint64_t, u64)
#undef KV_UNALIGNED
