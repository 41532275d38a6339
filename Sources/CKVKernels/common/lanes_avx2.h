// f32x16 on AVX2: two registers. The same names as in the other lanes_*.h; include in a target region.
#pragma once
#include "common/arithmetic.h"

typedef struct { __m256 a, b; } f32x16;

static inline __m256i lane_mask(size_t n, int from) {
    const __m256i lane = _mm256_add_epi32(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), _mm256_set1_epi32(from));
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), lane);
}

static inline f32x16 splat(float x) { return (f32x16){_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
static inline f32x16 load(const float *p) { return (f32x16){_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
static inline void store(float *p, f32x16 v) { _mm256_storeu_ps(p, v.a), _mm256_storeu_ps(p + 8, v.b); }
/// The first n < 16 elements, the other lanes +0; nothing beyond them is touched.
static inline f32x16 load_first(const float *p, size_t n) {
    return (f32x16){_mm256_maskload_ps(p, lane_mask(n, 0)), n > 8 ? _mm256_maskload_ps(p + 8, lane_mask(n, 8)) : _mm256_setzero_ps()};
}
static inline void store_first(float *p, f32x16 v, size_t n) {
    _mm256_maskstore_ps(p, lane_mask(n, 0), v.a);
    if (n > 8) _mm256_maskstore_ps(p + 8, lane_mask(n, 8), v.b);
}

static inline f32x16 load_f16(const uint16_t *p) {
    return (f32x16){_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p)), _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(p + 8)))};
}
/// The first n < 16 halves, the others 0: whole words under a mask, then an odd half beside them.
static inline __m256i load_halves_first(const uint16_t *p, size_t n) {
    const __m256i words = _mm256_maskload_epi32((const int *)p, lane_mask(n / 2, 0));
    if (n % 2 == 0) return words;
    const __m256i last = _mm256_andnot_si256(lane_mask(n / 2, 0), lane_mask(n / 2 + 1, 0));
    return _mm256_or_si256(words, _mm256_and_si256(last, _mm256_set1_epi32(p[n - 1])));
}
static inline f32x16 load_f16_first(const uint16_t *p, size_t n) {
    const __m256i halves = load_halves_first(p, n);
    return (f32x16){_mm256_cvtph_ps(_mm256_castsi256_si128(halves)), _mm256_cvtph_ps(_mm256_extracti128_si256(halves, 1))};
}
static inline __m256 widen_bf16(__m128i v) { return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(v), 16)); }
static inline f32x16 load_bf16(const uint16_t *p) {
    return (f32x16){widen_bf16(_mm_loadu_si128((const __m128i *)p)), widen_bf16(_mm_loadu_si128((const __m128i *)(p + 8)))};
}
static inline f32x16 load_bf16_first(const uint16_t *p, size_t n) {
    const __m256i halves = load_halves_first(p, n);
    return (f32x16){widen_bf16(_mm256_castsi256_si128(halves)), widen_bf16(_mm256_extracti128_si256(halves, 1))};
}
static inline void store_f16(uint16_t *p, f32x16 v) {
    _mm_storeu_si128((__m128i *)p, _mm256_cvtps_ph(v.a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
    _mm_storeu_si128((__m128i *)(p + 8), _mm256_cvtps_ph(v.b, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}

static inline f32x16 add(f32x16 a, f32x16 b) { return (f32x16){_mm256_add_ps(a.a, b.a), _mm256_add_ps(a.b, b.b)}; }
static inline f32x16 sub(f32x16 a, f32x16 b) { return (f32x16){_mm256_sub_ps(a.a, b.a), _mm256_sub_ps(a.b, b.b)}; }
static inline f32x16 mul(f32x16 a, f32x16 b) { return (f32x16){_mm256_mul_ps(a.a, b.a), _mm256_mul_ps(a.b, b.b)}; }
static inline f32x16 divide(f32x16 a, f32x16 b) { return (f32x16){_mm256_div_ps(a.a, b.a), _mm256_div_ps(a.b, b.b)}; }
static inline f32x16 fused(f32x16 a, f32x16 b, f32x16 c) { return (f32x16){_mm256_fmadd_ps(a.a, b.a, c.a), _mm256_fmadd_ps(a.b, b.b, c.b)}; }
static inline f32x16 maximum(f32x16 a, f32x16 b) { return (f32x16){_mm256_max_ps(a.a, b.a), _mm256_max_ps(a.b, b.b)}; }
static inline f32x16 minimum(f32x16 a, f32x16 b) { return (f32x16){_mm256_min_ps(a.a, b.a), _mm256_min_ps(a.b, b.b)}; }
static inline f32x16 magnitude(f32x16 v) {
    const __m256 sign = _mm256_set1_ps(-0.0f);
    return (f32x16){_mm256_andnot_ps(sign, v.a), _mm256_andnot_ps(sign, v.b)};
}
static inline f32x16 nearest(f32x16 v) {
    return (f32x16){_mm256_round_ps(v.a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC), _mm256_round_ps(v.b, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
/// a < b ? x : y per lane.
static inline f32x16 select_less(f32x16 a, f32x16 b, f32x16 x, f32x16 y) {
    return (f32x16){_mm256_blendv_ps(y.a, x.a, _mm256_cmp_ps(a.a, b.a, _CMP_LT_OQ)), _mm256_blendv_ps(y.b, x.b, _mm256_cmp_ps(a.b, b.b, _CMP_LT_OQ))};
}
/// The magnitude of a with the sign of b.
static inline f32x16 with_sign(f32x16 a, f32x16 b) {
    const __m256 sign = _mm256_set1_ps(-0.0f);
    a = magnitude(a);
    return (f32x16){_mm256_or_ps(a.a, _mm256_and_ps(sign, b.a)), _mm256_or_ps(a.b, _mm256_and_ps(sign, b.b))};
}
/// One bit per lane, lane 0 lowest. Comparisons with NaN are false, so not_at_most is true for it.
#define KV_LANE_BITS(compare) ((uint32_t)_mm256_movemask_ps(_mm256_cmp_ps(a.a, b.a, compare)) | (uint32_t)_mm256_movemask_ps(_mm256_cmp_ps(a.b, b.b, compare)) << 8)
static inline uint32_t bits_greater(f32x16 a, f32x16 b) { return KV_LANE_BITS(_CMP_GT_OQ); }
static inline uint32_t bits_equal(f32x16 a, f32x16 b) { return KV_LANE_BITS(_CMP_EQ_OQ); }
static inline uint32_t bits_not_at_most(f32x16 a, f32x16 b) { return KV_LANE_BITS(_CMP_NLE_UQ); }

static inline float tree_sum(f32x16 v) {
    const __m256 t8 = _mm256_add_ps(v.a, v.b);
    const __m128 t4 = _mm_add_ps(_mm256_castps256_ps128(t8), _mm256_extractf128_ps(t8, 1));
    const __m128 t2 = _mm_add_ps(t4, _mm_movehl_ps(t4, t4));
    return _mm_cvtss_f32(_mm_add_ss(t2, _mm_shuffle_ps(t2, t2, 1)));
}
static inline float largest(f32x16 v) {
    const __m256 t8 = _mm256_max_ps(v.a, v.b);
    const __m128 t4 = _mm_max_ps(_mm256_castps256_ps128(t8), _mm256_extractf128_ps(t8, 1));
    const __m128 t2 = _mm_max_ps(t4, _mm_movehl_ps(t4, t4));
    return _mm_cvtss_f32(_mm_max_ss(t2, _mm_shuffle_ps(t2, t2, 1)));
}

static inline __m256 scale_by_power(__m256 p, __m256 n, __m256 x) {
    const __m256i scaled = _mm256_add_epi32(_mm256_castps_si256(p), _mm256_slli_epi32(_mm256_cvtps_epi32(n), 23));
    return _mm256_and_ps(_mm256_castsi256_ps(scaled), _mm256_cmp_ps(x, _mm256_set1_ps(KV_EXP_LOWEST), _CMP_GE_OQ));
}
static inline f32x16 exponential(f32x16 x) {
    const f32x16 capped = minimum(x, splat(KV_EXP_HIGHEST));
    const f32x16 n = nearest(mul(capped, splat(KV_LOG2_E)));
    f32x16 r = fused(n, splat(-KV_LN2_HIGH), capped);
    r = fused(n, splat(-KV_LN2_LOW), r);
    f32x16 p = splat(KV_EXP_P0);
    p = fused(p, r, splat(KV_EXP_P1));
    p = fused(p, r, splat(KV_EXP_P2));
    p = fused(p, r, splat(KV_EXP_P3));
    p = fused(p, r, splat(KV_EXP_P4));
    p = fused(p, r, splat(KV_EXP_P5));
    p = add(fused(p, mul(r, r), r), splat(1));
    return (f32x16){scale_by_power(p.a, n.a, x.a), scale_by_power(p.b, n.b, x.b)};
}

/// m of x = 2^e m, 0.5 <= m < 1, for positive normal floats.
static inline __m256 mantissa(__m256 v) {
    const __m256i kept = _mm256_and_si256(_mm256_castps_si256(v), _mm256_set1_epi32(0x007fffff));
    return _mm256_castsi256_ps(_mm256_or_si256(kept, _mm256_set1_epi32(0x3f000000)));
}
static inline __m256 exponent(__m256 v) {
    return _mm256_cvtepi32_ps(_mm256_sub_epi32(_mm256_srli_epi32(_mm256_castps_si256(v), 23), _mm256_set1_epi32(126)));
}
static inline f32x16 split_power(f32x16 x, f32x16 *e) {
    *e = (f32x16){exponent(x.a), exponent(x.b)};
    return (f32x16){mantissa(x.a), mantissa(x.b)};
}

/// The first n < 16 elements, the other lanes -0: multiplied by +0 they leave every sum its bits, -0 too.
static inline f32x16 load_factor_first(const float *p, size_t n) {
    const __m256i sign = _mm256_set1_epi32((int)0x80000000);
    const f32x16 v = load_first(p, n);
    return (f32x16){_mm256_or_ps(v.a, _mm256_castsi256_ps(_mm256_andnot_si256(lane_mask(n, 0), sign))),
                    _mm256_or_ps(v.b, _mm256_castsi256_ps(_mm256_andnot_si256(lane_mask(n, 8), sign)))};
}
static inline __m256i round_bf16(__m256 v) {
    const __m256i bits = _mm256_castps_si256(v), high = _mm256_srli_epi32(bits, 16);
    const __m256i half = _mm256_add_epi32(_mm256_set1_epi32(0x7fff), _mm256_and_si256(high, _mm256_set1_epi32(1)));
    const __m256i nearest_even = _mm256_srli_epi32(_mm256_add_epi32(bits, half), 16);
    const __m256i quiet = _mm256_or_si256(high, _mm256_set1_epi32(0x40));
    return _mm256_blendv_epi8(nearest_even, quiet, _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_UNORD_Q)));
}
static inline void store_bf16(uint16_t *p, f32x16 v) {
    const __m256i halves = _mm256_packus_epi32(round_bf16(v.a), round_bf16(v.b)); // interleaved by 128 bits
    _mm256_storeu_si256((__m256i *)p, _mm256_permute4x64_epi64(halves, 0xd8));
}
static inline void store_f16_first(uint16_t *p, f32x16 v, size_t n) {
    uint16_t all[16];
    store_f16(all, v);
    memcpy(p, all, n * sizeof *p);
}
static inline void store_bf16_first(uint16_t *p, f32x16 v, size_t n) {
    uint16_t all[16];
    store_bf16(all, v);
    memcpy(p, all, n * sizeof *p);
}
static inline void copy_64_bytes(void *to, const void *from) {
    const __m256i low = _mm256_loadu_si256((const __m256i *)from), high = _mm256_loadu_si256((const __m256i *)from + 1);
    _mm256_storeu_si256((__m256i *)to, low);
    _mm256_storeu_si256((__m256i *)to + 1, high);
}
/// The tree sums of four vectors.
static inline void store_tree_sums(float *p, const f32x16 *v) { for (int i = 0; i < 4; i++) p[i] = tree_sum(v[i]); }
/// Those of 4 x 4 vectors, four to a row of p.
static inline void store_tile_sums(float *p, size_t stride, const f32x16 *v) { for (int i = 0; i < 4; i++) store_tree_sums(p + i * stride, v + 4 * i); }
/// A hint; it never faults, so that it may point beyond the rows.
static inline void prefetch(const void *p) { _mm_prefetch((const char *)p, _MM_HINT_T0); }
/// swap_d: lane i receives lane i ^ d.
static inline f32x16 swap_1(f32x16 v) { return (f32x16){_mm256_permute_ps(v.a, 0xb1), _mm256_permute_ps(v.b, 0xb1)}; }
static inline f32x16 swap_2(f32x16 v) { return (f32x16){_mm256_permute_ps(v.a, 0x4e), _mm256_permute_ps(v.b, 0x4e)}; }
static inline f32x16 swap_4(f32x16 v) { return (f32x16){_mm256_permute2f128_ps(v.a, v.a, 1), _mm256_permute2f128_ps(v.b, v.b, 1)}; }
static inline f32x16 swap_8(f32x16 v) { return (f32x16){v.b, v.a}; }
