// What a softmax sees of a raw dot.
#pragma once
#include "CKVKernels.h"
#include "common/arithmetic.h"

#pragma STDC FP_CONTRACT OFF

static inline float kv_logit(float dot, size_t t, float scale, float softcap,
                             const kv_entry_vectors *vectors) {
    float x = dot * scale;
    if (vectors && vectors->key_scale) x *= vectors->key_scale[t];
    if (softcap > 0) x = softcap * kv_tanh(x / softcap);
    if (vectors && vectors->logit_bias) x += vectors->logit_bias[t];
    return x;
}
