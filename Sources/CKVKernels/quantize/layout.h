// Where the bytes of tiles and of prepared queries lie: the one place that knows, for all variants.
#pragma once
#include "CKVKernels.h"
#include "common/arithmetic.h"

#define KV_INLINED static inline __attribute__((always_inline))

/// Defines `variant(bits, isa)` for every format.
#define KV_EACH_FORMAT(variant, isa) variant(8, isa) variant(4, isa) variant(3, isa) variant(2, isa)

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

/// Codes of one lane in one vector of a tile: the quads of codes that 32 bits hold. Of 3-bit codes
/// these are the lower two bits; their third bits lie behind the vector, quad after quad.
static inline size_t kv_vector_codes(int bits) { return bits == 8 ? 4 : bits == 4 ? 8 : 16; }
static inline int kv_vector_bits(int bits) { return bits == 3 ? 2 : bits; }
static inline size_t kv_lanes(kv_quantizer quantizer) {
    return quantizer.values ? quantizer.dim : kv_tile;
}
static inline size_t kv_vectors(kv_quantizer quantizer, int bits) {
    return kv_divided_up(quantizer.values ? kv_tile : quantizer.dim, kv_vector_codes(bits));
}
/// The third bits of one quad of `lanes` lanes: a nibble each.
static inline size_t kv_third_bytes(size_t lanes) { return kv_divided_up(lanes, 2); }
static inline size_t kv_vector_bytes(kv_quantizer quantizer, int bits) {
    const size_t lanes = kv_lanes(quantizer);
    return 4 * lanes + (bits == 3 ? 4 * kv_third_bytes(lanes) : 0);
}
static inline size_t kv_code_bytes(kv_quantizer quantizer, int bits) {
    return kv_vectors(quantizer, bits) * kv_vector_bytes(quantizer, bits);
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

/// Byte and shift, within a tile, of the code of token t and element e, and of its third bit.
typedef struct kv_code_place {
    size_t byte, third_byte;
    int shift, third_shift;
} kv_code_place;
static inline kv_code_place kv_place(kv_quantizer quantizer, int bits, size_t t, size_t e) {
    const size_t lanes = kv_lanes(quantizer);
    const size_t lane = quantizer.values ? e : t, i = quantizer.values ? t : e;
    const size_t vector = i / kv_vector_codes(bits) * kv_vector_bytes(quantizer, bits);
    const size_t quad = i % kv_vector_codes(bits) / 4;
    return (kv_code_place){
        .byte = vector + 4 * lane + i % 4,
        .shift = (int)quad * kv_vector_bits(bits),
        .third_byte = vector + 4 * lanes + quad * kv_third_bytes(lanes) + lane / 2,
        .third_shift = (int)(lane % 2 * 4 + i % 4),
    };
}

/// The stored code that integer dots count from: sums of signed codes cancel, those of others swamp
/// what they differ by.
static inline int kv_middle_code(int bits) { return 1 << (bits - 1); }

/// The byte that integer dots count from: of levels, which they take as bytes level + 128, or of
/// codes.
static inline int kv_middle_byte(kv_quantizer quantizer, int bits) {
    return quantizer.codebook ? 128 : kv_middle_code(bits);
}

/// What a stored code is above the code it stands for, and the largest code.
static inline int kv_code_offset(kv_quantizer quantizer, int bits) {
    return quantizer.asymmetric ? 0 : kv_middle_code(bits);
}
static inline int kv_code_peak(kv_quantizer quantizer, int bits) {
    return quantizer.asymmetric ? (1 << bits) - 1 : (1 << (bits - 1)) - 1;
}

/// Where code k of a codebook begins, k > 0: halfway between its level and the one below.
static inline float kv_boundary(kv_quantizer quantizer, int k) {
    return (float)(quantizer.levels[k - 1] + quantizer.levels[k]) * 0.5f;
}

// ---- Prepared queries

typedef struct kv_prepared_layout {
    size_t sums, words, high, low, end, bytes; ///< offsets; the step lies at 0
} kv_prepared_layout;
static inline kv_prepared_layout kv_prepared(size_t dim, size_t group) {
    const size_t padded = (dim + 15) / 16 * 16, sums = sizeof(float);
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
