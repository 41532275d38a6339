// Opens and closes the region of a file that may use one level's instructions. SwiftPM has no flags per
// file, and a flag for the whole target would let the compiler use the level anywhere.
#pragma once

#if !defined(__clang__)
#error "the kernels use clang's attribute push; the public header alone compiles with other compilers"
#endif

#define KV_PRAGMA(x) _Pragma(#x)
#define KV_TARGET_BEGIN(features) \
    KV_PRAGMA(clang attribute push(__attribute__((target(features))), apply_to = function))
#define KV_TARGET_END KV_PRAGMA(clang attribute pop)

#define KV_AVX2 "sse4.2,avx2,fma,f16c,bmi,bmi2,lzcnt,popcnt"
#define KV_AVX512 KV_AVX2 ",avx512f,avx512bw,avx512dq,avx512vl,avx512vnni"
#define KV_NEON "crc"
