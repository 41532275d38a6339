// What a check is written with: randomness, guarded buffers, and the case that ties them together.
// A check draws a shape, makes inputs and outputs, and calls its kernel once per `level`; comparing
// is the harness's business.
#pragma once
#include "CKVChecks.h"
#include <math.h>
#include <string.h>

/// Elements; kvc_tiles are bytes that hold f16 scales too, and are aligned for these.
typedef enum kvc_kind { kvc_u8, kvc_tiles, kvc_u16, kvc_u32, kvc_f32 } kvc_kind;

/// Rows in a guarded buffer. An output exists twice, once per level; an input has one copy.
typedef struct kvc_buffer {
    const char *name;
    kvc_kind kind;
    uint8_t *at[2];
    size_t rows, row_bytes, stride_bytes, bytes;
    bool output, compared;
} kvc_buffer;

/// The two copies of an output, scalar's first.
typedef struct kvc_pair {
    void *at[2];
    size_t bytes;
} kvc_pair;

enum { kvc_slot_bytes = 1 << 20, kvc_slot_count = 32, kvc_most_buffers = 16 };

typedef struct kvc_case {
    kv_isa level[2]; ///< scalar, and the level that is checked
    uint64_t random; ///< splitmix64 state
    uint8_t *arena;  ///< kvc_slot_count slots, an unmapped page on either side of each
    size_t slots, buffers;
    kvc_buffer buffer[kvc_most_buffers];
    char shape[192];
    char *message;
    size_t capacity;
    bool failed;
} kvc_case;

#define KVC_CHECK(name) void kvc_check_##name(kvc_case *c);
#include "checks.def"
#undef KVC_CHECK

/// The loop over both levels: `v` is 0 for scalar and 1 for the variant.
#define KVC_BOTH(v) for (int v = 0; v < 2; v++)

// random.c ------------------------------------------------------------------------------------

uint64_t kvc_next(kvc_case *c);
size_t kvc_below(kvc_case *c, size_t bound);                ///< 0 ..< bound
size_t kvc_between(kvc_case *c, size_t least, size_t most); ///< least ... most
bool kvc_chance(kvc_case *c, unsigned percent);
float kvc_unit(kvc_case *c); ///< [-1, 1)

size_t kvc_dim(kvc_case *c);                 ///< 1 ... 1024: every tail, and the usual sizes +-1
size_t kvc_length(kvc_case *c, size_t most); ///< 0 ... most, often around multiples of 16
size_t kvc_entries(kvc_case *c, size_t most,
                   size_t cost_each);         ///< as kvc_length, less where each is dear
size_t kvc_stride(kvc_case *c, size_t width); ///< width, or somewhat more

/// Writes finite floats of at most `limit` in magnitude, in a style drawn at random: uniform,
/// outlier channels, constant, zeros, signed zeros, denormals, the limit itself, every exponent.
void kvc_fill(kvc_case *c, float *rows, size_t count, size_t width, size_t stride, float limit);

// arena.c -------------------------------------------------------------------------------------

bool kvc_open_arena(kvc_case *c);
void kvc_close_arena(kvc_case *c);
void kvc_reset_arena(kvc_case *c);

/// Rows of `width` elements, `stride` apart, without bytes after the last row. The bytes between
/// and around an input's rows are all ones (NaN), those of an output's rows are canaries. An output
/// starts with the same noise at both levels.
void *kvc_input(kvc_case *c, const char *name, kvc_kind kind, size_t rows, size_t width,
                size_t stride);
kvc_pair kvc_output(kvc_case *c, const char *name, kvc_kind kind, size_t rows, size_t width,
                    size_t stride);
/// An output that is the kernel's to use, and is not compared.
kvc_pair kvc_scratch(kvc_case *c, const char *name, kvc_kind kind, size_t count);

/// An input of floats from kvc_fill, and an output that starts with them.
float *kvc_floats(kvc_case *c, const char *name, size_t rows, size_t width, size_t stride,
                  float limit);
kvc_pair kvc_floats_in_place(kvc_case *c, const char *name, size_t rows, size_t width,
                             size_t stride, float limit);
/// An ascending list of indices below `bound`; `*count` tells how many.
uint32_t *kvc_indices(kvc_case *c, const char *name, size_t bound, size_t *count);

/// Gives the variant's copy of an output what scalar's holds.
static inline void kvc_mirror(kvc_pair pair) { memcpy(pair.at[1], pair.at[0], pair.bytes); }

/// Whether the bytes around copy `v` of a buffer, and between its rows, are as they were.
bool kvc_canaries_live(const kvc_case *c, const kvc_buffer *b, int v);

size_t kvc_element_bytes(kvc_kind kind);

/// Where a fault happened, in words, for the message.
void kvc_describe_address(const kvc_case *c, const void *address, char *text, size_t capacity);

// harness.c -----------------------------------------------------------------------------------

/// Adds to what the message will say about the case; call it before the kernels.
__attribute__((format(printf, 2, 3))) void kvc_shape(kvc_case *c, const char *format, ...);
__attribute__((format(printf, 2, 3))) void kvc_fail(kvc_case *c, const char *format, ...);
/// For kernels that return a value.
void kvc_same(kvc_case *c, const char *name, uint64_t scalar, uint64_t variant);
