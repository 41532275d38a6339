// f32x16 on AVX-512: one register. The same names as in the other lanes_*.h; include in a target region.
#pragma once
#include "common/arithmetic.h"

typedef __m512 f32x16;

static inline __mmask16 lane_mask(size_t n) { return (__mmask16)((1u << n) - 1); }

static inline f32x16 splat(float x) { return _mm512_set1_ps(x); }
static inline f32x16 load(const float *p) { return _mm512_loadu_ps(p); }
static inline void store(float *p, f32x16 v) { _mm512_storeu_ps(p, v); }
/// The first n < 16 elements, the other lanes +0; nothing beyond them is touched.
static inline f32x16 load_first(const float *p, size_t n) { return _mm512_maskz_loadu_ps(lane_mask(n), p); }
static inline void store_first(float *p, f32x16 v, size_t n) { _mm512_mask_storeu_ps(p, lane_mask(n), v); }

static inline f32x16 load_f16(const uint16_t *p) { return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p)); }
static inline f32x16 load_f16_first(const uint16_t *p, size_t n) { return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(lane_mask(n), p)); }
static inline f32x16 widen_bf16(__m256i v) { return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(v), 16)); }
static inline f32x16 load_bf16(const uint16_t *p) { return widen_bf16(_mm256_loadu_si256((const __m256i *)p)); }
static inline f32x16 load_bf16_first(const uint16_t *p, size_t n) { return widen_bf16(_mm256_maskz_loadu_epi16(lane_mask(n), p)); }
static inline void store_f16(uint16_t *p, f32x16 v) { _mm256_storeu_si256((__m256i *)p, _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)); }

static inline f32x16 add(f32x16 a, f32x16 b) { return _mm512_add_ps(a, b); }
static inline f32x16 sub(f32x16 a, f32x16 b) { return _mm512_sub_ps(a, b); }
static inline f32x16 mul(f32x16 a, f32x16 b) { return _mm512_mul_ps(a, b); }
static inline f32x16 divide(f32x16 a, f32x16 b) { return _mm512_div_ps(a, b); }
static inline f32x16 fused(f32x16 a, f32x16 b, f32x16 c) { return _mm512_fmadd_ps(a, b, c); }
static inline f32x16 maximum(f32x16 a, f32x16 b) { return _mm512_max_ps(a, b); }
static inline f32x16 minimum(f32x16 a, f32x16 b) { return _mm512_min_ps(a, b); }
static inline f32x16 magnitude(f32x16 a) { return _mm512_abs_ps(a); }
static inline f32x16 nearest(f32x16 a) { return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
/// a < b ? x : y per lane.
static inline f32x16 select_less(f32x16 a, f32x16 b, f32x16 x, f32x16 y) { return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), y, x); }
/// The magnitude of a with the sign of b.
static inline f32x16 with_sign(f32x16 a, f32x16 b) {
    const __m512i sign = _mm512_set1_epi32((int)0x80000000);
    return _mm512_castsi512_ps(_mm512_or_si512(_mm512_andnot_si512(sign, _mm512_castps_si512(a)), _mm512_and_si512(sign, _mm512_castps_si512(b))));
}
/// One bit per lane, lane 0 lowest. Comparisons with NaN are false, so not_at_most is true for it.
static inline uint32_t bits_greater(f32x16 a, f32x16 b) { return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ); }
static inline uint32_t bits_equal(f32x16 a, f32x16 b) { return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ); }
static inline uint32_t bits_not_at_most(f32x16 a, f32x16 b) { return _mm512_cmp_ps_mask(a, b, _CMP_NLE_UQ); }

static inline float tree_sum(f32x16 v) {
    const __m256 t8 = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
    const __m128 t4 = _mm_add_ps(_mm256_castps256_ps128(t8), _mm256_extractf128_ps(t8, 1));
    const __m128 t2 = _mm_add_ps(t4, _mm_movehl_ps(t4, t4));
    return _mm_cvtss_f32(_mm_add_ss(t2, _mm_shuffle_ps(t2, t2, 1)));
}
static inline float largest(f32x16 v) { return _mm512_reduce_max_ps(v); }

static inline f32x16 exponential(f32x16 x) {
    const __mmask16 normal = _mm512_cmp_ps_mask(x, splat(KV_EXP_LOWEST), _CMP_GE_OQ);
    x = minimum(x, splat(KV_EXP_HIGHEST));
    const __m512i power = _mm512_cvtps_epi32(mul(x, splat(KV_LOG2_E)));
    const f32x16 n = _mm512_cvtepi32_ps(power);
    f32x16 r = fused(n, splat(-KV_LN2_HIGH), x);
    r = fused(n, splat(-KV_LN2_LOW), r);
    f32x16 p = splat(KV_EXP_P0);
    p = fused(p, r, splat(KV_EXP_P1));
    p = fused(p, r, splat(KV_EXP_P2));
    p = fused(p, r, splat(KV_EXP_P3));
    p = fused(p, r, splat(KV_EXP_P4));
    p = fused(p, r, splat(KV_EXP_P5));
    p = add(fused(p, mul(r, r), r), splat(1));
    const __m512i shifted = _mm512_slli_epi32(power, 23);
    return _mm512_castsi512_ps(_mm512_maskz_add_epi32(normal, _mm512_castps_si512(p), shifted));
}

/// m of x = 2^e m, 0.5 <= m < 1, for positive normal floats.
static inline f32x16 split_power(f32x16 x, f32x16 *e) {
    const __m512i bits = _mm512_castps_si512(x);
    *e = _mm512_cvtepi32_ps(_mm512_sub_epi32(_mm512_srli_epi32(bits, 23), _mm512_set1_epi32(126)));
    const __m512i kept = _mm512_and_si512(bits, _mm512_set1_epi32(0x007fffff));
    return _mm512_castsi512_ps(_mm512_or_si512(kept, _mm512_set1_epi32(0x3f000000)));
}

/// The first n < 16 elements, the other lanes -0: multiplied by +0 they leave every sum its bits, -0 too.
static inline f32x16 load_factor_first(const float *p, size_t n) { return _mm512_mask_loadu_ps(splat(-0.0f), lane_mask(n), p); }
static inline __m256i round_bf16(f32x16 v) {
    const __m512i bits = _mm512_castps_si512(v), high = _mm512_srli_epi32(bits, 16);
    const __m512i half = _mm512_add_epi32(_mm512_set1_epi32(0x7fff), _mm512_and_si512(high, _mm512_set1_epi32(1)));
    const __m512i nearest_even = _mm512_srli_epi32(_mm512_add_epi32(bits, half), 16);
    const __mmask16 nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
    return _mm512_cvtepi32_epi16(_mm512_mask_or_epi32(nearest_even, nan, high, _mm512_set1_epi32(0x40)));
}
static inline void store_bf16(uint16_t *p, f32x16 v) { _mm256_storeu_si256((__m256i *)p, round_bf16(v)); }
static inline void store_f16_first(uint16_t *p, f32x16 v, size_t n) { _mm256_mask_storeu_epi16(p, lane_mask(n), _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)); }
static inline void store_bf16_first(uint16_t *p, f32x16 v, size_t n) { _mm256_mask_storeu_epi16(p, lane_mask(n), round_bf16(v)); }
static inline void copy_64_bytes(void *to, const void *from) { _mm512_storeu_si512(to, _mm512_loadu_si512(from)); }
/// The tree sums of four vectors, which share each step of the tree: quarters are 128-bit parts.
static inline void store_tree_sums(float *p, const f32x16 *v) {
    const f32x16 t8_01 = add(_mm512_shuffle_f32x4(v[0], v[1], 0x44), _mm512_shuffle_f32x4(v[0], v[1], 0xee));
    const f32x16 t8_23 = add(_mm512_shuffle_f32x4(v[2], v[3], 0x44), _mm512_shuffle_f32x4(v[2], v[3], 0xee));
    const f32x16 t4 = add(_mm512_shuffle_f32x4(t8_01, t8_23, 0x88), _mm512_shuffle_f32x4(t8_01, t8_23, 0xdd)); // a quarter each
    const f32x16 t2 = add(t4, _mm512_permute_ps(t4, 0x4e));
    const f32x16 t1 = add(t2, _mm512_permute_ps(t2, 0xb1));
    _mm_storeu_ps(p, _mm512_castps512_ps128(_mm512_maskz_compress_ps(0x1111, t1)));
}
/// Those of 4 x 4 vectors, four to a row of p, which share each step of the tree: a quarter of a register is its 128-bit parts.
static inline void store_tile_sums(float *p, size_t stride, const f32x16 *v) {
    f32x16 t4[4];
#pragma unroll
    for (int k = 0; k < 4; k++) {
        // Key k of the four rows, a row in each quarter.
        const f32x16 t8_01 = add(_mm512_shuffle_f32x4(v[k], v[k + 4], 0x44), _mm512_shuffle_f32x4(v[k], v[k + 4], 0xee));
        const f32x16 t8_23 = add(_mm512_shuffle_f32x4(v[k + 8], v[k + 12], 0x44), _mm512_shuffle_f32x4(v[k + 8], v[k + 12], 0xee));
        t4[k] = add(_mm512_shuffle_f32x4(t8_01, t8_23, 0x88), _mm512_shuffle_f32x4(t8_01, t8_23, 0xdd));
    }
    // Keys 0 and 1, then 2 and 3, in the halves of a quarter.
    const f32x16 t2_01 = add(_mm512_shuffle_ps(t4[0], t4[1], 0x44), _mm512_shuffle_ps(t4[0], t4[1], 0xee));
    const f32x16 t2_23 = add(_mm512_shuffle_ps(t4[2], t4[3], 0x44), _mm512_shuffle_ps(t4[2], t4[3], 0xee));
    const f32x16 t1 = add(_mm512_shuffle_ps(t2_01, t2_23, 0x88), _mm512_shuffle_ps(t2_01, t2_23, 0xdd));
    _mm_storeu_ps(p, _mm512_castps512_ps128(t1));
    _mm_storeu_ps(p + stride, _mm512_extractf32x4_ps(t1, 1));
    _mm_storeu_ps(p + 2 * stride, _mm512_extractf32x4_ps(t1, 2));
    _mm_storeu_ps(p + 3 * stride, _mm512_extractf32x4_ps(t1, 3));
}
/// A hint; it never faults, so that it may point beyond the rows.
static inline void prefetch(const void *p) { _mm_prefetch((const char *)p, _MM_HINT_T0); }
/// swap_d: lane i receives lane i ^ d.
static inline f32x16 swap_1(f32x16 v) { return _mm512_permute_ps(v, 0xb1); }
static inline f32x16 swap_2(f32x16 v) { return _mm512_permute_ps(v, 0x4e); }
static inline f32x16 swap_4(f32x16 v) { return _mm512_shuffle_f32x4(v, v, 0xb1); }
static inline f32x16 swap_8(f32x16 v) { return _mm512_shuffle_f32x4(v, v, 0x4e); }
