// Checks of crush/: signatures, distances, sorting.
#include "harness.h"

void kvc_check_pack_signatures(kvc_case *c) {
    const size_t heads = kvc_between(c, 1, 70), tokens = kvc_length(c, 191);
    const size_t page = kvc_chance(c, 50) ? 1 : kvc_between(c, 2, 32);
    const size_t bytes = (page * heads + 7) / 8, signatures = (tokens + page - 1) / page;
    const size_t stride = kvc_stride(c, tokens);
    kvc_shape(c, "heads %zu tokens %zu page %zu stride %zu", heads, tokens, page, stride);
    float *const scores = kvc_floats(c, "scores", heads, tokens, stride, 1);
    if (kvc_chance(c, 50)) // few distinct scores, so that thresholds tie
        for (size_t h = 0; h < heads; h++)
            for (size_t t = 0; t < tokens; t++) scores[h * stride + t] = (float)kvc_below(c, 4) / 4;
    float *const threshold = kvc_input(c, "threshold", kvc_f32, 1, heads, heads);
    uint32_t *const tie_end = kvc_input(c, "tie_end", kvc_u32, 1, heads, heads);
    for (size_t h = 0; h < heads; h++) {
        threshold[h] = tokens ? scores[h * stride + kvc_below(c, tokens)] : 0;
        tie_end[h] = (uint32_t)kvc_below(c, tokens + 2);
    }
    const kvc_pair out = kvc_output(c, "signatures", kvc_u8, signatures, bytes, bytes);
    KVC_BOTH(v)
    kv_pack_signatures(c->level[v], out.at[v], bytes, scores, stride, heads, tokens, page,
                       threshold, tie_end);
}

void kvc_check_hamming(kvc_case *c) {
    const size_t bytes = kvc_chance(c, 50) ? kvc_between(c, 1, 16) : kvc_between(c, 1, 300);
    const size_t count = kvc_length(c, 191);
    kvc_shape(c, "count %zu bytes %zu", count, bytes);
    uint8_t *const signatures = kvc_input(c, "signatures", kvc_u8, count, bytes, bytes);
    uint8_t *const anchor = kvc_input(c, "anchor", kvc_u8, 1, bytes, bytes);
    for (size_t i = 0; i < count * bytes; i++) signatures[i] = (uint8_t)kvc_next(c);
    for (size_t i = 0; i < bytes; i++) anchor[i] = (uint8_t)kvc_next(c);
    const kvc_pair out = kvc_output(c, "distances", kvc_u32, 1, count, count);
    KVC_BOTH(v) kv_hamming(c->level[v], out.at[v], signatures, count, bytes, anchor);
}

void kvc_check_sort_by_distance(kvc_case *c) {
    const size_t count = kvc_length(c, 500);
    const uint32_t largest = (uint32_t)kvc_below(c, 300);
    kvc_shape(c, "count %zu largest %u", count, largest);
    uint32_t *const distances = kvc_input(c, "distances", kvc_u32, 1, count, count);
    for (size_t i = 0; i < count; i++) distances[i] = (uint32_t)kvc_below(c, largest + 1);
    const kvc_pair order = kvc_output(c, "order", kvc_u32, 1, count, count);
    const kvc_pair counts = kvc_scratch(c, "counts", kvc_u32, largest + 2);
    KVC_BOTH(v)
    kv_sort_by_distance(c->level[v], order.at[v], distances, count, largest, counts.at[v]);
}
