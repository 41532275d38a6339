// What turns floats into 16-bit fixed point, for up to 16 rows at once: include after integers_*.h.
#pragma once
#include "quantize/coded_lanes.h"

typedef struct {
    float step[16], factor[16];
} fixed_steps;

/// Of rows whose largest magnitudes are `tops`. A row of nothing has the step -0, since
/// fma(0, -0, a) is a for every a, also for -0.
static inline fixed_steps steps_of(const float tops[16]) {
    const f32x16 top = load(tops), least = splat(KV_FIXED_LEAST), peak = splat(KV_FIXED_PEAK);
    fixed_steps steps;
    store(steps.factor, select_less(top, least, splat(0), divide(peak, top)));
    store(steps.step, select_less(top, least, splat(-0.0f), divide(top, peak)));
    return steps;
}
