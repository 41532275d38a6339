// CKVKernels: the arithmetic of KVCompress on rows, as a C API in its own right.
//
// Every function is total over the argument ranges written beside it: it allocates nothing, keeps
// no state, starts no thread, reports no error. Sizes are the caller's to check; counts may be 0.
//
// One promise holds for all of them: the same input gives the same bits at every level of `kv_isa`.
// The scalar variants (`*_scalar.c`) are the specification. What they share:
//   - "tree sum" of n products: 16 lanes, lane j = fma chain over the elements j, j+16, j+32, ...
//     starting from +0, then lane i += lane i+8, i+4, i+2, i+1 (see common/arithmetic.h);
//   - fma wherever this header says fma, one rounding each, and no other contraction;
//   - one polynomial exp, f16 rounding to nearest even, and integer dots that are exact.
// Inputs whose products or sums overflow f32 are outside the promise.
//
// Matrices are row-major. Strides count elements, not bytes, unless the name ends in `_bytes`.
// Pointers need the alignment of their element type and no more: tiles that of uint16_t, prepared
// queries that of float, other bytes none. f16 and bf16 travel as their bit patterns in uint16_t.
#ifndef CKVKERNELS_H
#define CKVKERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__clang__)
#define KV_CLOSED_ENUM __attribute__((enum_extensibility(closed)))
#else
#define KV_CLOSED_ENUM
#endif

#ifdef __cplusplus
extern "C" {
#endif

// ---------------------------------------------------------------------------------------------
// Levels

/// An instruction-set level. Each includes what the one before it in its family has.
///   avx2    AVX2, FMA, F16C, BMI2, SSE4.2
///   avx512  avx2 and AVX-512 F, BW, DQ, VL, VNNI
///   neon    AArch64 baseline with the CRC extension
enum KV_CLOSED_ENUM kv_isa { kv_isa_scalar, kv_isa_avx2, kv_isa_avx512, kv_isa_neon };
typedef enum kv_isa kv_isa;

/// Bit mask (1 << level) of what this machine and its operating system can run. Pure: asks the CPU
/// at every call, so keep the answer. Bit `kv_isa_scalar` is always set.
uint32_t kv_isa_detect(void);

/// The number of kernels in the table, the name of kernel `index`, and the level of the code that
/// `isa` really runs for it (a level without a variant of its own runs the best one below it).
size_t kv_kernel_count(void);
const char *kv_kernel_name(size_t index);
kv_isa kv_kernel_level(kv_isa isa, size_t index);

// ---------------------------------------------------------------------------------------------
// rows/: conversion and simple reductions

/// Element-wise conversion of `count` values. f32 to f16 rounds to nearest even and overflows to
/// infinity; f32 to bf16 rounds to nearest even. NaN stays NaN (its payload is not promised).
void kv_convert_f16_f32(kv_isa isa, float *destination, const uint16_t *source, size_t count);
void kv_convert_bf16_f32(kv_isa isa, float *destination, const uint16_t *source, size_t count);
void kv_convert_f32_f16(kv_isa isa, uint16_t *destination, const float *source, size_t count);
void kv_convert_f32_bf16(kv_isa isa, uint16_t *destination, const float *source, size_t count);

/// destination row i = source row indices[i]; rows of `row_bytes` bytes, the source ones
/// `source_stride_bytes` apart, the destination ones packed.
void kv_gather_rows(kv_isa isa, void *destination, const void *source, size_t source_stride_bytes,
                    const uint32_t *indices, size_t count, size_t row_bytes);

/// The index of the first element that is NaN, infinite or larger in magnitude than `limit`;
/// `count` when there is none. A NaN limit counts as the largest float.
size_t kv_find_beyond(kv_isa isa, const float *source, size_t count, float limit);

/// norms[i] = sqrt(tree sum of row i with itself).
void kv_norm_rows(kv_isa isa, float *norms, const float *rows, size_t stride, size_t count,
                  size_t dim);

/// dots[i] = tree sum of row i with row i + 1, for i in 0 ..< count - 1 (nothing for count < 2).
/// Divided by both norms it is the cosine of neighbours (KVMerger, section 3).
void kv_dot_adjacent(kv_isa isa, float *dots, const float *rows, size_t stride, size_t count,
                     size_t dim);

/// minimum[c] and maximum[c] of each of `dim` channels over count >= 1 rows; between zeros of both
/// signs the first row's stays. Rows are finite.
void kv_channel_ranges(kv_isa isa, float *minimum, float *maximum, const float *rows, size_t stride,
                       size_t count, size_t dim);

/// spreads[i] = how far the channels x[c] = (row i [c] - offset[c]) * factor[c] lie apart (LagKV):
///   mean = (tree sum of x) / dim; y = x - mean; sqrt((tree sum of y with itself) / (dim - 1))
/// and 0 when dim is 1.
void kv_spread_rows(kv_isa isa, float *spreads, const float *rows, size_t stride, size_t count,
                    size_t dim, const float *offset, const float *factor);

/// In place, every row: normalised Sylvester-Hadamard transform, in blocks of powers of two,
/// largest first (80 = 64 + 16). Its own inverse. Butterflies (a + b, a - b) at distance 1, 2, 4,
/// ..., then one multiplication of each element by the block's rounded 1 / sqrt(size).
void kv_hadamard(kv_isa isa, float *rows, size_t stride, size_t count, size_t dim);

/// In place, every row at its position: RoPE turns pair i, elements (x, y), by the angle
/// position * frequencies[i], `inverse` by its negative:
///   x' = fma(x, cos, -(y * sin)), y' = fma(y, cos, x * sin)
/// with cosine and sine rounded once from double. Pair i is (i, i + pairs), or (2i, 2i + 1) when
/// `interleaved`; further elements stay as they are. Positions are below 2^31, frequencies 0 ... 1.
void kv_rope_rows(kv_isa isa, float *rows, size_t stride, size_t count, const uint32_t *positions,
                  const float *frequencies, size_t pairs, bool interleaved, bool inverse);

// ---------------------------------------------------------------------------------------------
// attention/: score, fold and accumulate on plain rows
//
// One call serves all query rows (tokens x group) that share a kv head, so that keys and values are
// read once. dim is 1 ... 1024.

/// logits[r * logits_stride + t] = tree sum of queries row r (packed, dim wide) with keys row t.
/// Entries 0 ..< n of each logits row are written.
void kv_score_f32(kv_isa isa, float *logits, size_t logits_stride, const float *queries,
                  size_t rows, size_t dim, const float *keys, size_t key_stride, size_t n);
void kv_score_f16(kv_isa isa, float *logits, size_t logits_stride, const float *queries,
                  size_t rows, size_t dim, const uint16_t *keys, size_t key_stride, size_t n);
void kv_score_bf16(kv_isa isa, float *logits, size_t logits_stride, const float *queries,
                   size_t rows, size_t dim, const uint16_t *keys, size_t key_stride, size_t n);

/// The per-entry vectors of a block; each is `n` long, or null when the block has none.
typedef struct kv_entry_vectors {
    const float *logit_bias;  ///< added to the logit; -infinity marks a hole
    const float *key_scale;   ///< multiplies the raw logit
    const float *value_scale; ///< multiplies the weight after it has been summed
} kv_entry_vectors;

/// Online softmax of one block, in place over logits (raw dots in, weights out), per row r:
///   x[t]    = logit[t] * scale (* key_scale[t]); softcap > 0: x = softcap * tanh(x / softcap);
///             (+ logit_bias[t]); t >= visible[r]: -infinity
///   m'      = max(maximum[r], max over t of x[t]);  rescale[r] = exp(maximum[r] - m')
///   w[t]    = exp(x[t] - m');  sum[r] = fma(sum[r], rescale[r], tree sum over t of w[t])
///   logits[t] = w[t] (* value_scale[t]);  maximum[r] = m'
/// An empty state is maximum = -infinity, sum = 0; one that sees only holes is left as it was, with
/// weights 0 and rescale 1. A maximum of zero is stored as +0. A NaN logit counts as a hole, but
/// under a softcap as softcap with its sign. `visible` is not null; above n it means n. Entries
/// t >= visible[r] go through value_scale too, except in a row left as it was. On |y|,
/// tanh(y) = 1 - 2 / (exp(2 y) + 1), sign restored.
void kv_softmax_fold(kv_isa isa, float *logits, size_t logits_stride, size_t rows, size_t n,
                     const uint32_t *visible, float scale, float softcap,
                     const kv_entry_vectors *vectors, float *maximum, float *sum, float *rescale);

/// The logits x of kv_softmax_fold alone, in place. Folded later with scale 1, softcap 0, the same
/// `visible` and no vectors but value_scale, they give the bits that the raw dots would have given.
void kv_finish_logits(kv_isa isa, float *logits, size_t logits_stride, size_t rows, size_t n,
                      const uint32_t *visible, float scale, float softcap,
                      const kv_entry_vectors *vectors);

/// accumulator (rows x dim, packed), per row r and element c:
///   a = accumulator * rescale[r]; then for t ascending: a = fma(weights[r][t], values[t][c], a)
/// over t in 0 ..< n, or over the ascending `indices` when not null. Leaving out entries of weight
/// 0 by an index list gives the same values.
void kv_accumulate_f32(kv_isa isa, float *accumulator, const float *rescale, size_t rows,
                       size_t dim, const float *weights, size_t weights_stride, const float *values,
                       size_t value_stride, size_t n, const uint32_t *indices, size_t index_count);
void kv_accumulate_f16(kv_isa isa, float *accumulator, const float *rescale, size_t rows,
                       size_t dim, const float *weights, size_t weights_stride,
                       const uint16_t *values, size_t value_stride, size_t n,
                       const uint32_t *indices, size_t index_count);
void kv_accumulate_bf16(kv_isa isa, float *accumulator, const float *rescale, size_t rows,
                        size_t dim, const float *weights, size_t weights_stride,
                        const uint16_t *values, size_t value_stride, size_t n,
                        const uint32_t *indices, size_t index_count);

/// Folds state b into state a (both rows x dim):
///   m = max(ma, mb), ea = exp(ma - m), eb = exp(mb - m), sum_a = fma(sum_a, ea, sum_b * eb),
///   accumulator_a = fma(accumulator_a, ea, accumulator_b * eb)
/// Where b is empty (maximum -infinity) a stays as it is; where only a is, it takes b's bits.
void kv_merge_states(kv_isa isa, float *maximum_a, float *sum_a, float *accumulator_a,
                     const float *maximum_b, const float *sum_b, const float *accumulator_b,
                     size_t rows, size_t dim);

/// output[r][c] = accumulator[r][c] / sum[r]; a row with sum 0 (it saw nothing) gives +0.
void kv_finish_states(kv_isa isa, float *output, const float *accumulator, const float *sum,
                      size_t rows, size_t dim);

// ---------------------------------------------------------------------------------------------
// quantize/: q8, q4, q3 and q2
//
// Codes are grouped under an f16 scale (and, asymmetric, an f16 zero):
//   per token    `group` consecutive elements of one row (the last group of a row may be shorter)
//   per channel  `group` consecutive tokens of one channel
// with group 32, 64 or 128. b bits, element x, group extremes:
//   symmetric    scale = f16 up(max|x| / q), code = clamp(rint(x / scale), -q, q), q = 2^(b-1) - 1;
//                stored as code + 2^(b-1). Codes of q2 are -1, 0 and 1
//   asymmetric   zero = f16 down(min), scale = f16 up((max - zero) / q),
//                code = rint((x - zero) / scale) clamped to 0 ... q, q = 2^b - 1
// where x / scale is computed as x * (1 / scale), and scale 0 gives the code of 0. The extremes
// (max|x|, min, max) get + 0 before they are rounded, so that no scale or zero is -0. Callers
// refuse |x| > 65504, so scales are finite.
//
// With a codebook, per token and at most 4 bits, code k stands for levels[k] * scale (TurboQuant,
// arXiv 2504.19874):
//   scale = f16(sqrt(tree sum of the group with itself) * (step / sqrt(its elements))), to nearest
//   code  = the number of k > 0 with x / scale above (levels[k - 1] + levels[k]) / 2
//
// Entries lie in tiles of 16. Inside a tile the codes are interleaved four at a time, so that one
// 32-bit lane holds four codes that an integer dot product consumes together (VNNI, AMX, NEON).
// Among keys lane = token (16 lanes) and i = element, among values lane = element (dim lanes) and
// i = token of the tile; quad j = i 4j ..< 4j+4, and c = i % 4:
//   q8  byte (j * lanes + lane) * 4 + c
//   q4  byte (j/2 * lanes + lane) * 4 + c, the low nibble for even j, the high one for odd j
//   q2  byte (j/4 * lanes + lane) * 4 + c, bits 2(j%4) and 2(j%4) + 1
//   q3  vectors of 4 quads, each 4 lanes + 4 h bytes, h = ceil(lanes / 2): first the lower two bits
//       as in q2, then the third bits, quad j at 4 lanes + (j%4) h: byte lane/2, bit lane%2 * 4 + c
// Codes, scales and zeros of elements or tokens that do not exist are 0.
// Per token, a tile's codes are followed by its scales, f16 [groups][16 tokens], then, asymmetric,
// its zeros in the same shape. Per channel, codes are followed by nothing: scales and zeros are
// planes of their own, f16 [n / group][dim].

/// How the rows of one store are quantized.
typedef struct kv_quantizer {
    uint32_t dim;      ///< elements per row, 1 ... 1024
    uint32_t group;    ///< 32, 64 or 128
    bool per_channel;  ///< groups along tokens instead of along the row
    bool asymmetric;   ///< with a zero beside each scale
    bool values;       ///< interleaved as values, not as keys
    bool codebook;     ///< codes stand for levels; neither per channel nor asymmetric
    int8_t levels[16]; ///< what the codes stand for, ascending, in units of the scale
    float step;        ///< the scale of a group whose mean square is 1; at most 1
} kv_quantizer;

/// Bytes of one tile of 16 entries: its codes alone, and with what follows them (per token: scales
/// and zeros). Per channel both are equal.
size_t kv_code_bytes_q8(kv_quantizer quantizer);
size_t kv_code_bytes_q4(kv_quantizer quantizer);
size_t kv_code_bytes_q3(kv_quantizer quantizer);
size_t kv_code_bytes_q2(kv_quantizer quantizer);
size_t kv_tile_bytes_q8(kv_quantizer quantizer);
size_t kv_tile_bytes_q4(kv_quantizer quantizer);
size_t kv_tile_bytes_q3(kv_quantizer quantizer);
size_t kv_tile_bytes_q2(kv_quantizer quantizer);

/// Encodes n rows into ceil(n / 16) tiles and writes every byte of them. Per channel, n is a
/// multiple of `group` and `scales` (and `zeros`, asymmetric) receive [n / group][dim]; per token
/// both are null.
void kv_encode_q8(kv_isa isa, uint8_t *tiles, uint16_t *scales, uint16_t *zeros, const float *rows,
                  size_t stride, size_t n, kv_quantizer quantizer);
void kv_encode_q4(kv_isa isa, uint8_t *tiles, uint16_t *scales, uint16_t *zeros, const float *rows,
                  size_t stride, size_t n, kv_quantizer quantizer);
void kv_encode_q3(kv_isa isa, uint8_t *tiles, uint16_t *scales, uint16_t *zeros, const float *rows,
                  size_t stride, size_t n, kv_quantizer quantizer);
void kv_encode_q2(kv_isa isa, uint8_t *tiles, uint16_t *scales, uint16_t *zeros, const float *rows,
                  size_t stride, size_t n, kv_quantizer quantizer);

/// The inverse: rows (packed, n x dim), symmetric (code - 2^(b-1)) * scale, with a codebook
/// levels[code] * scale, asymmetric fma(code, scale, zero). `first` is the index of tiles' entry 0
/// within its channel group (0 unless a group spans several calls); the scales that it uses start
/// at row 0.
void kv_decode_q8(kv_isa isa, float *rows, const uint8_t *tiles, const uint16_t *scales,
                  const uint16_t *zeros, size_t first, size_t n, kv_quantizer quantizer);
void kv_decode_q4(kv_isa isa, float *rows, const uint8_t *tiles, const uint16_t *scales,
                  const uint16_t *zeros, size_t first, size_t n, kv_quantizer quantizer);
void kv_decode_q3(kv_isa isa, float *rows, const uint8_t *tiles, const uint16_t *scales,
                  const uint16_t *zeros, size_t first, size_t n, kv_quantizer quantizer);
void kv_decode_q2(kv_isa isa, float *rows, const uint8_t *tiles, const uint16_t *scales,
                  const uint16_t *zeros, size_t first, size_t n, kv_quantizer quantizer);

/// A query in 16-bit fixed point: q[c] = rint(query[c] * (32512 / max|query|)), |q| <= 127 * 256,
/// so that its high and low bytes are signed: q = 256 * high + low. Zeros pad it to padded_dim, dim
/// rounded up to 16. A query with max|query| < 1e-30 gives zeros and step 0.
/// A prepared row is kv_prepared_bytes(dim, group) long, its layout:
///   float step (= max|query| / 32512); int32 sums[groups] of q over each `group` elements;
///   int16 q[padded_dim]; int8 high[padded_dim]; int8 low[padded_dim]; zeros to a multiple of 8
size_t kv_prepared_bytes(size_t dim, size_t group);
void kv_prepare_queries(kv_isa isa, void *prepared, const float *queries, size_t rows, size_t dim,
                        size_t group);

// Scores and sums take codes from the middle one, o = 2^(b-1), asymmetric ones too: sums of signed
// codes cancel, so that little is lost to fixed point. There the middle stands for
// z' = fma(float(o), scale, zero), which takes the place of the zero. With a codebook, levels[code]
// takes the place of (stored code - o).

/// Scores n <= 64 entries from a tile boundary, all rows at once. quantizer.values is false.
/// Per token (`queries` are prepared rows of the quantizer's group):
///   f = 0; for each group g ascending: I = integer dot of q and (stored code - o) over g;
///   f = fma(float(I), scale[t][g], f); asymmetric: f = fma(float(sums[g]), z'[t][g], f)
///   logit = f * step
/// Per channel (`queries` are packed f32 rows), for each run of entries under one row of scales:
///   q'[c] = query[c] * scale[c], the folded query, prepared with group 128
///   f = 0; for each 128 elements ascending: I likewise, of q'; f = f + float(I)
///   symmetric: logit = f * step'
///   asymmetric: logit = fma(f, step', tree sum of query with z')
void kv_score_q8(kv_isa isa, float *logits, size_t logits_stride, const void *queries, size_t rows,
                 const uint8_t *tiles, const uint16_t *scales, const uint16_t *zeros, size_t first,
                 size_t n, kv_quantizer quantizer);
void kv_score_q4(kv_isa isa, float *logits, size_t logits_stride, const void *queries, size_t rows,
                 const uint8_t *tiles, const uint16_t *scales, const uint16_t *zeros, size_t first,
                 size_t n, kv_quantizer quantizer);
void kv_score_q3(kv_isa isa, float *logits, size_t logits_stride, const void *queries, size_t rows,
                 const uint8_t *tiles, const uint16_t *scales, const uint16_t *zeros, size_t first,
                 size_t n, kv_quantizer quantizer);
void kv_score_q2(kv_isa isa, float *logits, size_t logits_stride, const void *queries, size_t rows,
                 const uint8_t *tiles, const uint16_t *scales, const uint16_t *zeros, size_t first,
                 size_t n, kv_quantizer quantizer);

/// Accumulates n <= 64 entries from a tile boundary, or those of the ascending `indices`, in
/// integers. quantizer.values is true. First a = accumulator * rescale[r].
/// Per token, for each row r and group g of elements:
///   u[t] = w[t] * scale[t][g]; top = max|u|; if top >= 1e-30: v[t] = rint(u[t] * (32512 / top)),
///   I[c] = sum over t of v[t] * (stored code - o), a[c] = fma(float(I[c]), top / 32512, a[c])
///   asymmetric, then: a[c] = a[c] + tree sum over t of w[t] with z'[t][g]
/// Per channel, for each row r and run of entries under one row of scales ascending:
///   top = max|w|; if top >= 1e-30: v[t] = rint(w[t] * (32512 / top)), I[c] likewise,
///   a[c] = fma(float(I[c]), (top / 32512) * scale[c], a[c])
///   asymmetric, then: a[c] = fma(tree sum over t of w[t] with 1, z'[c], a[c])
/// A top below 1e-30 adds no integers: a keeps its bits. The tree sums run over t = 0 ..< 64,
/// counted from the block's start; entries left out by n, `indices` or the run have weight 0.
void kv_accumulate_q8(kv_isa isa, float *accumulator, const float *rescale, size_t rows,
                      const float *weights, size_t weights_stride, const uint8_t *tiles,
                      const uint16_t *scales, const uint16_t *zeros, size_t first, size_t n,
                      const uint32_t *indices, size_t index_count, kv_quantizer quantizer);
void kv_accumulate_q4(kv_isa isa, float *accumulator, const float *rescale, size_t rows,
                      const float *weights, size_t weights_stride, const uint8_t *tiles,
                      const uint16_t *scales, const uint16_t *zeros, size_t first, size_t n,
                      const uint32_t *indices, size_t index_count, kv_quantizer quantizer);
void kv_accumulate_q3(kv_isa isa, float *accumulator, const float *rescale, size_t rows,
                      const float *weights, size_t weights_stride, const uint8_t *tiles,
                      const uint16_t *scales, const uint16_t *zeros, size_t first, size_t n,
                      const uint32_t *indices, size_t index_count, kv_quantizer quantizer);
void kv_accumulate_q2(kv_isa isa, float *accumulator, const float *rescale, size_t rows,
                      const float *weights, size_t weights_stride, const uint8_t *tiles,
                      const uint16_t *scales, const uint16_t *zeros, size_t first, size_t n,
                      const uint32_t *indices, size_t index_count, kv_quantizer quantizer);

// ---------------------------------------------------------------------------------------------
// observe/: what the given queries say about the keys

/// Reductions per key, each `keys` long and added to (maximum: raised), or null when not wanted.
typedef struct kv_observation {
    float *sum;         ///< sum of p
    float *window_sum;  ///< sum of p over the rows >= window_start
    float *sum_squares; ///< fma(p, p, .)
    float *entropy;     ///< sum of -p ln p, as fma(-p, x - log-sum-exp, .) where p > 0
    float *below;       ///< number of rows that see the key and have p < threshold / visible[r]
    float *maximum;     ///< largest p
} kv_observation;

/// Turns a block of raw dots, `rows` x `keys`, into attention probabilities in place, row by row:
///   x = logit * scale, p = exp(x - max x) * (1 / tree sum) over the first visible[r] keys
///   p = 0 beyond
/// and adds them to the observation, rows in ascending order. A visible[r] above `keys` means
/// `keys`, in threshold / visible[r] too.
void kv_observe(kv_isa isa, kv_observation observation, float *logits, size_t stride, size_t rows,
                size_t keys, const uint32_t *visible, float scale, size_t window_start,
                float threshold);

// ---------------------------------------------------------------------------------------------
// crush/: KVCrush (arXiv 2503.00022, section 3)

/// Signature bit of head h and token t: 1 if scores[h][t] > threshold[h], or if equal and
/// t < tie_end[h]. Tokens are taken `page` at a time (1: token signatures); signature t / page
/// holds it at bit (t % page) * heads + h, bit b in byte b / 8 at 1 << b % 8. Each signature has
/// `bytes` = ceil(page * heads / 8) bytes; unused bits are 0. The last page may be partial.
void kv_pack_signatures(kv_isa isa, uint8_t *signatures, size_t bytes, const float *scores,
                        size_t stride, size_t heads, size_t tokens, size_t page,
                        const float *threshold, const uint32_t *tie_end);

/// distances[i] = number of bits in which signature i differs from the anchor.
void kv_hamming(kv_isa isa, uint32_t *distances, const uint8_t *signatures, size_t count,
                size_t bytes, const uint8_t *anchor);

/// order = the indices 0 ..< count sorted by (distance, index); counting sort with `counts`,
/// scratch of largest + 2 elements, where no distance exceeds `largest`.
void kv_sort_by_distance(kv_isa isa, uint32_t *order, const uint32_t *distances, size_t count,
                         uint32_t largest, uint32_t *counts);

// ---------------------------------------------------------------------------------------------
// merge/: what becomes of tokens that resemble each other

/// distances[i] = tree sum of the squared elements of (row i - row), each difference rounded once.
void kv_squared_distances(kv_isa isa, float *distances, const float *rows, size_t stride,
                          size_t count, const float *row, size_t dim);

/// sums (packed) row e = the weighted sum of rows ends[e - 1] ..< ends[e] (from 0 for the first),
/// ends ascending: per element a chain of fma over ascending rows from +0; +0 of no rows.
void kv_mix_rows(kv_isa isa, float *sums, const float *rows, size_t stride, const float *weights,
                 const uint32_t *ends, size_t count, size_t dim);

/// Per row r of logits: largest[r] = the largest product logits[r][t] * factors[t] over t in
/// 0 ..< n, n <= 2^24, plus +0, and nearest[r] the lowest t that has it. A NaN product is passed
/// over; where none is above -infinity, nearest is 0 and largest -infinity.
void kv_find_nearest(kv_isa isa, uint32_t *nearest, float *largest, const float *logits,
                     size_t stride, size_t rows, size_t n, const float *factors);

/// results[i] = exp(x[i]): 0 below -87 and for NaN; x above 88 counts as 88.
void kv_exponentials(kv_isa isa, float *results, const float *x, size_t count);

/// results[i] = the natural logarithm of x[i], a positive normal float, or -infinity of 0. The
/// results may take the place of x.
void kv_logarithms(kv_isa isa, float *results, const float *x, size_t count);

// share/: one direction for the rows of two layers (MiniCache, arXiv 2405.14366, section 3)
//
// x are the rows of the upper layer, y those of the lower one; pair i is row i of both. Where a row
// is the concatenation of several heads' rows, the kernels take it head by head.

/// Adds to xx[i], yy[i] and xy[i] the tree sums of x's row i with itself, of y's with itself and of
/// both with each other: begin with zeros, add head after head.
void kv_add_pair_dots(kv_isa isa, float *xx, float *yy, float *xy, const float *x, size_t x_stride,
                      const float *y, size_t y_stride, size_t count, size_t dim);

/// The cosine and the angle (0 ... pi) of each pair, from the dots of x with x, y with y, x with y:
///   cosine = xy / (sqrt(xx) * sqrt(yy)) clamped to -1 ... 1, angle = acos(cosine)
/// A row with xx (or yy) below 1e-30 counts as 0 and has no direction: its pair has cosine 1, and
/// the angle of that, 0. The cosines may take the place of xy.
void kv_pair_angles(kv_isa isa, float *cosines, float *angles, const float *xx, const float *yy,
                    const float *xy, size_t count);

/// What to multiply the rows of each pair with, so that their sum is the direction at t (0 ... 1)
/// on the great circle from y to x; s = sin(angle):
///   x_weights = (sin(t * angle) / s) / sqrt(xx), y_weights = (sin((1 - t) * angle) / s) / sqrt(yy)
/// Where s < 1e-3, t and 1 - t take the place of the quotients of sines; but of opposite rows
/// (angle > 1) the nearer one's direction is taken, x's when t >= 0.5: 1 and 0 or 0 and 1. Of rows
/// one of which has no direction the other one's is taken; both weights of two such rows are 0.
void kv_slerp_weights(kv_isa isa, float *x_weights, float *y_weights, const float *angles,
                      const float *xx, const float *yy, float t, size_t count);

/// blends (packed) row i = fma(x_weights[i], x's row i, y_weights[i] * y's row i), per element.
void kv_blend_rows(kv_isa isa, float *blends, const float *x, size_t x_stride,
                   const float *x_weights, const float *y, size_t y_stride, const float *y_weights,
                   size_t count, size_t dim);

// ---------------------------------------------------------------------------------------------
// memory/: whole buffers

/// CRC-32C (Castagnoli) of `count` bytes, continuing from `crc` (0 at the start).
uint32_t kv_crc32c(kv_isa isa, uint32_t crc, const void *bytes, size_t count);

/// Exclusive or of the buffer's 64-bit words (count bytes, the rest below 8 ignored): the cheapest
/// use of every byte, to measure what memory can deliver.
uint64_t kv_read_words(kv_isa isa, const void *bytes, size_t count);

#ifdef __cplusplus
}
#endif
#endif
