// One constant table of functions per level, and the public functions that choose by it. A `no` in
// kernels.def falls to the level below at compile time, so a missing variant is slower, never absent.
#include "dispatch/variants.h"

#if defined(__x86_64__)
#define KV_X86_yes yes
#define KV_ARM_yes no
#elif defined(__aarch64__)
#define KV_X86_yes no
#define KV_ARM_yes yes
#else
#define KV_X86_yes no
#define KV_ARM_yes no
#endif
#define KV_X86_no no
#define KV_ARM_no no
#define KV_PASTE_(a, b) a##b
#define KV_PASTE(a, b) KV_PASTE_(a, b)
#define KV_PICK_yes(mine, below) mine
#define KV_PICK_no(mine, below) below
#define KV_PICK(on, mine, below) KV_PASTE(KV_PICK_, on)(mine, below)

#define KV_AT_scalar(name, on_avx2, on_avx512, on_neon, prefix) prefix##scalar
#define KV_AT_avx2(name, on_avx2, on_avx512, on_neon, prefix) \
    KV_PICK(KV_X86_##on_avx2, prefix##avx2, prefix##scalar)
#define KV_AT_avx512(name, on_avx2, on_avx512, on_neon, prefix) \
    KV_PICK(KV_X86_##on_avx512, prefix##avx512,                 \
            KV_PICK(KV_X86_##on_avx2, prefix##avx2, prefix##scalar))
#define KV_AT_neon(name, on_avx2, on_avx512, on_neon, prefix) \
    KV_PICK(KV_ARM_##on_neon, prefix##neon, prefix##scalar)

struct table {
#define KV_KERNEL(name, on_avx2, on_avx512, on_neon, returns, parameters, arguments) \
    returns(*name) parameters;
#include "dispatch/kernels.def"
#undef KV_KERNEL
};

static const struct table tables[] = {
#define KV_KERNEL(name, on_avx2, on_avx512, on_neon, returns, parameters, arguments) \
    KV_AT_scalar(name, on_avx2, on_avx512, on_neon, kv_##name##_),
    [kv_isa_scalar] = {
#include "dispatch/kernels.def"
    },
#undef KV_KERNEL
#define KV_KERNEL(name, on_avx2, on_avx512, on_neon, returns, parameters, arguments) \
    KV_AT_avx2(name, on_avx2, on_avx512, on_neon, kv_##name##_),
    [kv_isa_avx2] = {
#include "dispatch/kernels.def"
    },
#undef KV_KERNEL
#define KV_KERNEL(name, on_avx2, on_avx512, on_neon, returns, parameters, arguments) \
    KV_AT_avx512(name, on_avx2, on_avx512, on_neon, kv_##name##_),
    [kv_isa_avx512] = {
#include "dispatch/kernels.def"
    },
#undef KV_KERNEL
#define KV_KERNEL(name, on_avx2, on_avx512, on_neon, returns, parameters, arguments) \
    KV_AT_neon(name, on_avx2, on_avx512, on_neon, kv_##name##_),
    [kv_isa_neon] = {
#include "dispatch/kernels.def"
    },
#undef KV_KERNEL
};

#define KV_LIST(...) __VA_ARGS__
#define KV_KERNEL(name, on_avx2, on_avx512, on_neon, returns, parameters, arguments) \
    returns kv_##name(kv_isa isa, KV_LIST parameters) { return tables[isa].name arguments; }
#include "dispatch/kernels.def"
#undef KV_KERNEL

static const struct {
    const char *name;
    unsigned char level[4];
} kernels[] = {
#define KV_KERNEL(name, on_avx2, on_avx512, on_neon, returns, parameters, arguments)     \
    {#name,                                                                              \
     {kv_isa_scalar, KV_AT_avx2(name, on_avx2, on_avx512, on_neon, kv_isa_),             \
      KV_AT_avx512(name, on_avx2, on_avx512, on_neon, kv_isa_),                          \
      KV_AT_neon(name, on_avx2, on_avx512, on_neon, kv_isa_)}},
#include "dispatch/kernels.def"
#undef KV_KERNEL
};

size_t kv_kernel_count(void) { return sizeof kernels / sizeof *kernels; }
const char *kv_kernel_name(size_t index) { return kernels[index].name; }
kv_isa kv_kernel_level(kv_isa isa, size_t index) { return (kv_isa)kernels[index].level[isa]; }
