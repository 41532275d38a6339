// Guarded memory. Every buffer gets a slot of its own between two unmapped pages and lies at the
// slot's end, at its start, or at an odd place inside, with canaries on whatever sides remain.
#include "harness.h"
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

enum { canary_bytes = 256, input_canary = 0xff, output_canary = 0xa5 };

static size_t page(void) { return (size_t)sysconf(_SC_PAGESIZE); }
static size_t pitch(void) { return kvc_slot_bytes + page(); }
static uint8_t *slot(const kvc_case *c, size_t index) {
    return c->arena + page() + index * pitch();
}

size_t kvc_element_bytes(kvc_kind kind) { return kind <= kvc_tiles ? 1 : kind == kvc_u16 ? 2 : 4; }

bool kvc_open_arena(kvc_case *c) {
    const size_t bytes = kvc_slot_count * pitch() + page();
    c->arena = mmap(0, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (c->arena == MAP_FAILED) return false;
    for (size_t i = 0; i < kvc_slot_count; i++)
        if (mprotect(slot(c, i), kvc_slot_bytes, PROT_READ | PROT_WRITE)) return false;
    return true;
}

void kvc_close_arena(kvc_case *c) { munmap(c->arena, kvc_slot_count * pitch() + page()); }

void kvc_reset_arena(kvc_case *c) { c->slots = c->buffers = 0; }

static uint8_t *place(kvc_case *c, size_t bytes, size_t alignment, int canary) {
    if (bytes > kvc_slot_bytes - 3 * canary_bytes || c->slots == kvc_slot_count)
        __builtin_trap(); // a check that asks for this is wrong itself
    uint8_t *const start = slot(c, c->slots++), *const end = start + kvc_slot_bytes;
    uint8_t *at = start;
    switch (kvc_below(c, 4)) {
    case 0:
        break;
    case 1:
        at = start + canary_bytes + kvc_below(c, canary_bytes) / alignment * alignment;
        break;
    default:
        at = end - (bytes + alignment - 1) / alignment * alignment;
    }
    uint8_t *const low = at - start < canary_bytes ? start : at - canary_bytes;
    uint8_t *const high = end - (at + bytes) < canary_bytes ? end : at + bytes + canary_bytes;
    memset(low, canary, (size_t)(high - low));
    return at;
}

static kvc_buffer *add(kvc_case *c, const char *name, kvc_kind kind, size_t rows, size_t width,
                       size_t stride, bool output) {
    if (c->buffers == kvc_most_buffers) __builtin_trap();
    kvc_buffer *const b = &c->buffer[c->buffers++];
    *b = (kvc_buffer){
        .name = name, .kind = kind, .rows = rows, .output = output, .compared = output};
    const size_t element = kvc_element_bytes(kind), alignment = kind == kvc_tiles ? 2 : element;
    b->row_bytes = width * element, b->stride_bytes = stride * element;
    b->bytes = rows ? (rows - 1) * b->stride_bytes + b->row_bytes : 0;
    const int canary = output ? output_canary : input_canary;
    for (int v = 0; v < (output ? 2 : 1); v++) b->at[v] = place(c, b->bytes, alignment, canary);
    return b;
}

void *kvc_input(kvc_case *c, const char *name, kvc_kind kind, size_t rows, size_t width,
                size_t stride) {
    return add(c, name, kind, rows, width, stride, false)->at[0];
}

kvc_pair kvc_output(kvc_case *c, const char *name, kvc_kind kind, size_t rows, size_t width,
                    size_t stride) {
    kvc_buffer *const b = add(c, name, kind, rows, width, stride, true);
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < b->row_bytes; i++)
            b->at[0][r * b->stride_bytes + i] = b->at[1][r * b->stride_bytes + i] =
                (uint8_t)(r * 131 + i * 29 + c->random);
    return (kvc_pair){{b->at[0], b->at[1]}, b->bytes};
}

kvc_pair kvc_scratch(kvc_case *c, const char *name, kvc_kind kind, size_t count) {
    const kvc_pair pair = kvc_output(c, name, kind, 1, count, count);
    c->buffer[c->buffers - 1].compared = false;
    return pair;
}

float *kvc_floats(kvc_case *c, const char *name, size_t rows, size_t width, size_t stride,
                  float limit) {
    float *const input = kvc_input(c, name, kvc_f32, rows, width, stride);
    kvc_fill(c, input, rows, width, stride, limit);
    return input;
}

kvc_pair kvc_floats_in_place(kvc_case *c, const char *name, size_t rows, size_t width,
                             size_t stride, float limit) {
    const kvc_pair pair = kvc_output(c, name, kvc_f32, rows, width, stride);
    kvc_fill(c, pair.at[0], rows, width, stride, limit);
    kvc_mirror(pair);
    return pair;
}

uint32_t *kvc_indices(kvc_case *c, const char *name, size_t bound, size_t *count) {
    const unsigned percent = (unsigned)kvc_below(c, 101);
    const uint64_t again = c->random;
    *count = 0;
    for (size_t i = 0; i < bound; i++) *count += kvc_chance(c, percent);
    // The count decides the size, so the same draws are made twice.
    uint32_t *const indices = kvc_input(c, name, kvc_u32, 1, *count, *count), *next = indices;
    const uint64_t after = c->random;
    c->random = again;
    for (size_t i = 0; i < bound; i++)
        if (kvc_chance(c, percent)) *next++ = (uint32_t)i;
    c->random = after;
    return indices;
}

void kvc_describe_address(const kvc_case *c, const void *address, char *text, size_t capacity) {
    const uint8_t *const p = address;
    for (size_t i = 0; i < c->buffers; i++)
        for (int v = 0; v < 2 && c->buffer[i].at[v]; v++) {
            const kvc_buffer *const b = &c->buffer[i];
            const ptrdiff_t before = b->at[v] - p, after = p - (b->at[v] + b->bytes);
            if (before > 0 && before <= (ptrdiff_t)page())
                snprintf(text, capacity, "%td bytes before '%s'", before, b->name);
            else if (after >= 0 && after < (ptrdiff_t)page())
                snprintf(text, capacity, "%td bytes after the end of '%s'", after, b->name);
            else
                continue;
            return;
        }
    snprintf(text, capacity, "address %p, near none of its buffers", address);
}

static bool all_equal(const uint8_t *from, const uint8_t *to, uint8_t byte) {
    for (; from < to; from++)
        if (*from != byte) return false;
    return true;
}

bool kvc_canaries_live(const kvc_case *c, const kvc_buffer *b, int v) {
    const uint8_t canary = b->output ? output_canary : input_canary;
    const uint8_t *const at = b->at[v], *const past = at + b->bytes;
    const size_t index = (size_t)(at - slot(c, 0)) / pitch();
    const uint8_t *const start = slot(c, index), *const end = start + kvc_slot_bytes;
    const uint8_t *const low = at - start < canary_bytes ? start : at - canary_bytes;
    const uint8_t *const high = end - past < canary_bytes ? end : past + canary_bytes;
    if (!all_equal(low, at, canary) || !all_equal(past, high, canary)) return false;
    for (size_t r = 0; r + 1 < b->rows; r++) {
        const uint8_t *const row = at + r * b->stride_bytes;
        if (!all_equal(row + b->row_bytes, row + b->stride_bytes, canary)) return false;
    }
    return true;
}
