// Checks of quantize/: tiles written and read, integer scores and sums.
#include "harness.h"

enum { tile = 16, block = 64 };

typedef void encode(kv_isa, uint8_t *, uint16_t *, uint16_t *, const float *, size_t, size_t,
                    kv_quantizer);
typedef void decode(kv_isa, float *, const uint8_t *, const uint16_t *, const uint16_t *, size_t,
                    size_t, kv_quantizer);
typedef void score(kv_isa, float *, size_t, const void *, size_t, const uint8_t *, const uint16_t *,
                   const uint16_t *, size_t, size_t, kv_quantizer);
typedef void accumulate(kv_isa, float *, const float *, size_t, const float *, size_t,
                        const uint8_t *, const uint16_t *, const uint16_t *, size_t, size_t,
                        const uint32_t *, size_t, kv_quantizer);

typedef struct format {
    int bits;
    size_t (*tile_bytes)(kv_quantizer);
    encode *encode;
    decode *decode;
    score *score;
    accumulate *accumulate;
} format;

#define KVC_FORMAT(bits)                                                                           \
    {bits,                                                                                         \
     kv_tile_bytes_q##bits,                                                                        \
     kv_encode_q##bits,                                                                            \
     kv_decode_q##bits,                                                                            \
     kv_score_q##bits,                                                                             \
     kv_accumulate_q##bits}
static const format q8 = KVC_FORMAT(8), q4 = KVC_FORMAT(4), q3 = KVC_FORMAT(3), q2 = KVC_FORMAT(2);

// Ascending levels anywhere in their range.
static void draw_codebook(kvc_case *c, const format *f, kv_quantizer *q) {
    q->codebook = true;
    q->per_channel = q->asymmetric = false;
    q->step = kvc_chance(c, 20) ? 1 : 0.05f * fabsf(kvc_unit(c));
    const int count = 1 << f->bits, room = 256 / count;
    for (int k = 0; k < count; k++)
        q->levels[k] = (int8_t)(k * room - 128 + (int)kvc_below(c, (size_t)room));
}

static kv_quantizer draw_quantizer(kvc_case *c, const format *f) {
    kv_quantizer q = {.dim = (uint32_t)kvc_dim(c),
                      .group = 32u << kvc_below(c, 3),
                      .per_channel = kvc_chance(c, 40),
                      .asymmetric = kvc_chance(c, 50),
                      .values = kvc_chance(c, 50)};
    if (f->bits <= 4 && kvc_chance(c, 25)) draw_codebook(c, f, &q);
    return q;
}

static void describe(kvc_case *c, kv_quantizer q) {
    kvc_shape(c, "dim %u group %u %s %s %s ", q.dim, q.group,
              q.per_channel ? "per channel" : "per token",
              q.codebook     ? "codebook"
              : q.asymmetric ? "asymmetric"
                             : "symmetric",
              q.values ? "values" : "keys");
}

static size_t tiles_of(size_t n) { return (n + tile - 1) / tile; }

static void check_encode(kvc_case *c, const format *f) {
    const kv_quantizer q = draw_quantizer(c, f);
    size_t n = kvc_entries(c, 191, 4 * q.dim);
    if (q.per_channel) n = q.group * kvc_below(c, q.dim > 256 ? 2 : 3);
    const size_t stride = kvc_stride(c, q.dim);
    describe(c, q);
    kvc_shape(c, "n %zu stride %zu", n, stride);
    const float *const rows = kvc_floats(c, "rows", n, q.dim, stride, 65504);
    const size_t bytes = f->tile_bytes(q), groups = q.per_channel ? n / q.group : 0;
    const kvc_pair tiles = kvc_output(c, "tiles", kvc_tiles, tiles_of(n), bytes, bytes);
    kvc_pair scales = {0}, zeros = {0};
    if (q.per_channel) scales = kvc_output(c, "scales", kvc_u16, groups, q.dim, q.dim);
    if (q.per_channel && q.asymmetric)
        zeros = kvc_output(c, "zeros", kvc_u16, groups, q.dim, q.dim);
    KVC_BOTH(v) f->encode(c->level[v], tiles.at[v], scales.at[v], zeros.at[v], rows, stride, n, q);
}

void kvc_check_encode_q8(kvc_case *c) { check_encode(c, &q8); }
void kvc_check_encode_q4(kvc_case *c) { check_encode(c, &q4); }
void kvc_check_encode_q3(kvc_case *c) { check_encode(c, &q3); }
void kvc_check_encode_q2(kvc_case *c) { check_encode(c, &q2); }

// Encoded entries as a block sees them: n of them from a tile boundary, which per channel may lie
// in the middle of a group.
typedef struct stored {
    kv_quantizer q;
    size_t first, n;
    const uint8_t *tiles;
    const uint16_t *scales, *zeros;
} stored;

static const void *copy_of(kvc_case *c, const char *name, kvc_kind kind, const void *from,
                           size_t rows, size_t width) {
    void *const input = kvc_input(c, name, kind, rows, width, width);
    memcpy(input, from, rows * width * kvc_element_bytes(kind));
    return input;
}

static stored draw_stored(kvc_case *c, const format *f, kv_quantizer q) {
    stored s = {.q = q};
    const size_t dim = s.q.dim, group = s.q.group, bytes = f->tile_bytes(s.q);
    size_t total = kvc_length(c, 150), skip;
    if (s.q.per_channel) total = group * kvc_between(c, 1, dim > 256 ? 1 : 128 / group);
    skip = tile * kvc_below(c, tiles_of(total) + 1);
    if (skip > total) skip = total;
    skip -= skip % tile;
    s.n = total - skip < block ? total - skip : block;
    if (kvc_chance(c, 30)) s.n = kvc_below(c, s.n + 1); // an open end inside a tile
    s.first = skip % group;
    describe(c, s.q);
    kvc_shape(c, "first %zu n %zu", s.first, s.n);

    const float *const rows = kvc_floats(c, "rows", total, dim, dim, kvc_chance(c, 20) ? 65504 : 8);
    const size_t groups = s.q.per_channel ? total / group : 0;
    uint8_t *const tiles = kvc_scratch(c, "encoded", kvc_tiles, tiles_of(total) * bytes).at[0];
    uint16_t *scales = 0, *zeros = 0;
    if (s.q.per_channel) {
        scales = kvc_scratch(c, "encoded scales", kvc_u16, groups * dim).at[0];
        if (s.q.asymmetric) zeros = kvc_scratch(c, "encoded zeros", kvc_u16, groups * dim).at[0];
    }
    f->encode(kv_isa_scalar, tiles, scales, zeros, rows, dim, total, s.q);

    s.tiles = copy_of(c, "tiles", kvc_tiles, tiles + skip / tile * bytes, tiles_of(s.n), bytes);
    const size_t planes = s.n ? (s.first + s.n - 1) / group + 1 : 0;
    if (scales) s.scales = copy_of(c, "scales", kvc_u16, scales + skip / group * dim, planes, dim);
    if (zeros) s.zeros = copy_of(c, "zeros", kvc_u16, zeros + skip / group * dim, planes, dim);
    return s;
}

static void check_decode(kvc_case *c, const format *f) {
    const stored s = draw_stored(c, f, draw_quantizer(c, f));
    const kvc_pair rows = kvc_output(c, "decoded", kvc_f32, s.n, s.q.dim, s.q.dim);
    KVC_BOTH(v) f->decode(c->level[v], rows.at[v], s.tiles, s.scales, s.zeros, s.first, s.n, s.q);
}

void kvc_check_decode_q8(kvc_case *c) { check_decode(c, &q8); }
void kvc_check_decode_q4(kvc_case *c) { check_decode(c, &q4); }
void kvc_check_decode_q3(kvc_case *c) { check_decode(c, &q3); }
void kvc_check_decode_q2(kvc_case *c) { check_decode(c, &q2); }

void kvc_check_prepare_queries(kvc_case *c) {
    const size_t rows = kvc_between(c, 1, 16), dim = kvc_dim(c);
    const size_t group = (size_t)32 << kvc_below(c, 3), bytes = kv_prepared_bytes(dim, group);
    kvc_shape(c, "rows %zu dim %zu group %zu", rows, dim, group);
    const float *const queries = kvc_floats(c, "queries", rows, dim, dim, 1e6f);
    const kvc_pair out = kvc_output(c, "prepared", kvc_u32, rows, bytes / 4, bytes / 4);
    KVC_BOTH(v) kv_prepare_queries(c->level[v], out.at[v], queries, rows, dim, group);
}

static void check_score(kvc_case *c, const format *f) {
    kv_quantizer q = draw_quantizer(c, f);
    q.values = false;
    const stored s = draw_stored(c, f, q);
    const size_t rows = kvc_between(c, 1, 16), stride = kvc_stride(c, s.n), dim = s.q.dim;
    kvc_shape(c, " rows %zu stride %zu", rows, stride);
    const void *queries = kvc_floats(c, "queries", rows, dim, dim, 1000);
    if (!s.q.per_channel) {
        const size_t bytes = kv_prepared_bytes(dim, s.q.group);
        void *const prepared = kvc_input(c, "prepared", kvc_u32, rows, bytes / 4, bytes / 4);
        kv_prepare_queries(kv_isa_scalar, prepared, queries, rows, dim, s.q.group);
        queries = prepared;
    }
    const kvc_pair logits = kvc_output(c, "logits", kvc_f32, rows, s.n, stride);
    KVC_BOTH(v)
    f->score(c->level[v], logits.at[v], stride, queries, rows, s.tiles, s.scales, s.zeros, s.first,
             s.n, s.q);
}

void kvc_check_score_q8(kvc_case *c) { check_score(c, &q8); }
void kvc_check_score_q4(kvc_case *c) { check_score(c, &q4); }
void kvc_check_score_q3(kvc_case *c) { check_score(c, &q3); }
void kvc_check_score_q2(kvc_case *c) { check_score(c, &q2); }

static void check_accumulate(kvc_case *c, const format *f) {
    kv_quantizer q = draw_quantizer(c, f);
    q.values = true;
    const stored s = draw_stored(c, f, q);
    const size_t rows = kvc_between(c, 1, 16), stride = kvc_stride(c, s.n), dim = s.q.dim;
    const kvc_pair accumulator = kvc_floats_in_place(c, "accumulator", rows, dim, dim, 1000);
    const float *const rescale = kvc_floats(c, "rescale", 1, rows, rows, 1);
    float *const weights = kvc_floats(c, "weights", rows, s.n, stride, 2);
    if (kvc_chance(c, 70)) // as softmax leaves them: most are not negative, some are 0
        for (size_t r = 0; r < rows; r++)
            for (size_t t = 0; t < s.n; t++)
                weights[r * stride + t] = kvc_chance(c, 10) ? 0 : fabsf(weights[r * stride + t]);
    size_t index_count = 0;
    const uint32_t *const indices =
        kvc_chance(c, 40) ? kvc_indices(c, "indices", s.n, &index_count) : 0;
    kvc_shape(c, " rows %zu stride %zu %s %zu", rows, stride, indices ? "indices" : "all",
              indices ? index_count : s.n);
    KVC_BOTH(v)
    f->accumulate(c->level[v], accumulator.at[v], rescale, rows, weights, stride, s.tiles, s.scales,
                  s.zeros, s.first, s.n, indices, index_count, s.q);
}

void kvc_check_accumulate_q8(kvc_case *c) { check_accumulate(c, &q8); }
void kvc_check_accumulate_q4(kvc_case *c) { check_accumulate(c, &q4); }
void kvc_check_accumulate_q3(kvc_case *c) { check_accumulate(c, &q3); }
void kvc_check_accumulate_q2(kvc_case *c) { check_accumulate(c, &q2); }
