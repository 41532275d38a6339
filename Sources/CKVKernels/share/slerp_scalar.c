// Spherical interpolation between pairs of rows (MiniCache, arXiv 2405.14366, section 3): the angle
// of each pair, and the weights that blend the two rows into their common direction. Per pair only
// a few numbers, so that one body serves every level.
#include "common/arithmetic.h"
#include "dispatch/variants.h"

#pragma STDC FP_CONTRACT OFF

// Squares below this have lost digits to underflow: such a row counts as 0, without a direction.
#define KV_LEAST_SQUARE 1e-30f
// Where sin(angle) is below this, the great circle is too short, or one of too many.
#define KV_LEAST_SINE 1e-3f

void kv_pair_angles_scalar(float *cosines, float *angles, const float *xx, const float *yy,
                           const float *xy, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const bool has_both = xx[i] >= KV_LEAST_SQUARE && yy[i] >= KV_LEAST_SQUARE;
        const float cosine = has_both ? xy[i] / (sqrtf(xx[i]) * sqrtf(yy[i])) : 1;
        cosines[i] = fminf(fmaxf(cosine, -1), 1);
        angles[i] = kv_acos(cosines[i]);
    }
}

void kv_slerp_weights_scalar(float *x_weights, float *y_weights, const float *angles,
                             const float *xx, const float *yy, float t, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const bool has_x = xx[i] >= KV_LEAST_SQUARE, has_y = yy[i] >= KV_LEAST_SQUARE;
        const float sine = kv_sin(angles[i]);
        float x = t, y = 1 - t;
        if (!has_x || !has_y) {
            x = has_x, y = has_y;
        } else if (sine >= KV_LEAST_SINE) {
            x = kv_sin(t * angles[i]) / sine;
            y = kv_sin((1 - t) * angles[i]) / sine;
        } else if (angles[i] > 1) { // opposite rows: the nearer one's own direction
            x = t >= 0.5f, y = 1 - x;
        }
        x_weights[i] = has_x ? x / sqrtf(xx[i]) : 0;
        y_weights[i] = has_y ? y / sqrtf(yy[i]) : 0;
    }
}
