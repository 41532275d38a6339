// The prototypes of every variant, made from kernels.def: a variant that differs does not compile.
#pragma once
#include "CKVKernels.h"

#define KV_KERNEL(name, on_avx2, on_avx512, on_neon, returns, parameters, arguments) \
    returns kv_##name##_scalar parameters;                                           \
    returns kv_##name##_avx2 parameters;                                             \
    returns kv_##name##_avx512 parameters;                                           \
    returns kv_##name##_neon parameters;
#include "dispatch/kernels.def"
#undef KV_KERNEL
