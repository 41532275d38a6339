// Checks of share/: dots and weighted sums of pairs of rows, angles, and weights on great circles.
#include "harness.h"

void kvc_check_add_pair_dots(kvc_case *c) {
    const size_t dim = kvc_dim(c), count = kvc_entries(c, 40, dim);
    const size_t x_stride = kvc_stride(c, dim), y_stride = kvc_stride(c, dim);
    kvc_shape(c, "count %zu dim %zu strides %zu %zu", count, dim, x_stride, y_stride);
    const float *const x = kvc_floats(c, "x", count, dim, x_stride, 1e15f);
    const float *const y = kvc_floats(c, "y", count, dim, y_stride, 1e15f);
    const kvc_pair xx = kvc_floats_in_place(c, "xx", 1, count, count, 1e30f);
    const kvc_pair yy = kvc_floats_in_place(c, "yy", 1, count, count, 1e30f);
    const kvc_pair xy = kvc_floats_in_place(c, "xy", 1, count, count, 1e30f);
    KVC_BOTH(v)
    kv_add_pair_dots(c->level[v], xx.at[v], yy.at[v], xy.at[v], x, x_stride, y, y_stride, count,
                     dim);
}

void kvc_check_pair_angles(kvc_case *c) {
    const size_t count = kvc_length(c, 100);
    kvc_shape(c, "count %zu", count);
    float *const xx = kvc_floats(c, "xx", 1, count, count, 1e30f);
    float *const yy = kvc_floats(c, "yy", 1, count, count, 1e30f);
    float *const xy = kvc_floats(c, "xy", 1, count, count, 1e30f);
    for (size_t i = 0; i < count; i++) xx[i] = fabsf(xx[i]), yy[i] = fabsf(yy[i]);
    const kvc_pair cosines = kvc_output(c, "cosines", kvc_f32, 1, count, count);
    const kvc_pair angles = kvc_output(c, "angles", kvc_f32, 1, count, count);
    KVC_BOTH(v) kv_pair_angles(c->level[v], cosines.at[v], angles.at[v], xx, yy, xy, count);
}

void kvc_check_slerp_weights(kvc_case *c) {
    const size_t count = kvc_length(c, 100);
    const float t = kvc_chance(c, 20) ? (float)kvc_below(c, 2) : fabsf(kvc_unit(c));
    kvc_shape(c, "count %zu t %a", count, (double)t);
    float *const xx = kvc_floats(c, "xx", 1, count, count, 1e30f);
    float *const yy = kvc_floats(c, "yy", 1, count, count, 1e30f);
    float *const angles = kvc_floats(c, "angles", 1, count, count, 3.14159274f);
    for (size_t i = 0; i < count; i++) {
        xx[i] = fabsf(xx[i]), yy[i] = fabsf(yy[i]);
        angles[i] = fabsf(angles[i]);
    }
    const kvc_pair x = kvc_output(c, "x_weights", kvc_f32, 1, count, count);
    const kvc_pair y = kvc_output(c, "y_weights", kvc_f32, 1, count, count);
    KVC_BOTH(v) kv_slerp_weights(c->level[v], x.at[v], y.at[v], angles, xx, yy, t, count);
}

void kvc_check_blend_rows(kvc_case *c) {
    const size_t dim = kvc_dim(c), count = kvc_entries(c, 40, dim);
    const size_t x_stride = kvc_stride(c, dim), y_stride = kvc_stride(c, dim);
    kvc_shape(c, "count %zu dim %zu strides %zu %zu", count, dim, x_stride, y_stride);
    const float *const x = kvc_floats(c, "x", count, dim, x_stride, 1e15f);
    const float *const y = kvc_floats(c, "y", count, dim, y_stride, 1e15f);
    const float *const x_weights = kvc_floats(c, "x_weights", 1, count, count, 1e15f);
    const float *const y_weights = kvc_floats(c, "y_weights", 1, count, count, 1e15f);
    const kvc_pair blends = kvc_output(c, "blends", kvc_f32, count, dim, dim);
    KVC_BOTH(v)
    kv_blend_rows(c->level[v], blends.at[v], x, x_stride, x_weights, y, y_stride, y_weights, count,
                  dim);
}
