// Checks of observe/: attention probabilities and their reductions per key.
#include "harness.h"

void kvc_check_observe(kvc_case *c) {
    const size_t rows = kvc_length(c, 48), keys = kvc_length(c, 191), stride = kvc_stride(c, keys);
    const size_t window_start = kvc_below(c, rows + 2);
    const float scale = 0.01f + fabsf(kvc_unit(c)), threshold = 2 * fabsf(kvc_unit(c));
    const kvc_pair logits = kvc_floats_in_place(c, "logits", rows, keys, stride, 200);
    uint32_t *const visible = kvc_input(c, "visible", kvc_u32, 1, rows, rows);
    const bool causal = kvc_chance(c, 50);
    for (size_t r = 0; r < rows; r++) {
        const size_t least = keys > rows ? keys - rows : 0;
        visible[r] =
            (uint32_t)(causal ? least + r < keys ? least + r : keys : kvc_below(c, keys + 1));
    }
    static const char *const names[] = {"sum",     "window_sum", "sum_squares",
                                        "entropy", "below",      "maximum"};
    const unsigned wanted = kvc_chance(c, 50) ? 63 : (unsigned)kvc_below(c, 64);
    kvc_shape(c, "rows %zu keys %zu stride %zu window_start %zu scale %a threshold %a wanted %#x",
              rows, keys, stride, window_start, (double)scale, (double)threshold, wanted);
    kvc_pair reduction[6] = {0};
    for (int i = 0; i < 6; i++) {
        if (!(wanted >> i & 1)) continue;
        reduction[i] = kvc_floats_in_place(c, names[i], 1, keys, keys, i < 5 ? 20 : 1);
        float *const x = reduction[i].at[0]; // what went before is never negative
        for (size_t t = 0; t < keys; t++) x[t] = fabsf(x[t]);
        kvc_mirror(reduction[i]);
    }
    KVC_BOTH(v) {
        const kv_observation observation = {reduction[0].at[v], reduction[1].at[v],
                                            reduction[2].at[v], reduction[3].at[v],
                                            reduction[4].at[v], reduction[5].at[v]};
        kv_observe(c->level[v], observation, logits.at[v], stride, rows, keys, visible, scale,
                   window_start, threshold);
    }
}
