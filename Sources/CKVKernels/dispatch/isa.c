// What the machine *and* its operating system can run: CPUID for the instructions, XGETBV for the
// registers that the system saves. macOS masks AVX-512 until first use and is asked by name.
#include "CKVKernels.h"

#if defined(__x86_64__)
#include <cpuid.h>
#if defined(__APPLE__)
#include <sys/sysctl.h>
#endif

static uint64_t saved_registers(void) {
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

static bool saves_avx512(uint64_t saved) {
#if defined(__APPLE__)
    int answer = 0;
    size_t size = sizeof answer;
    (void)saved;
    return sysctlbyname("hw.optional.avx512f", &answer, &size, 0, 0) == 0 && answer;
#else
    return (saved & 0xe0) == 0xe0;
#endif
}

static bool all(uint32_t word, uint32_t bits) { return (word & bits) == bits; }

uint32_t kv_isa_detect(void) {
    uint32_t levels = 1u << kv_isa_scalar, a, b, c, d;
    // SSE4.2, POPCNT, XSAVE in use, AVX, FMA, F16C.
    if (!__get_cpuid(1, &a, &b, &c, &d) ||
        !all(c, 1u << 20 | 1u << 23 | 1u << 27 | 1u << 28 | 1u << 12 | 1u << 29))
        return levels;
    const uint64_t saved = saved_registers();
    if ((saved & 6) != 6) return levels;
    uint32_t e;
    if (!__get_cpuid(0x80000001, &a, &b, &e, &d) || !all(e, 1u << 5)) return levels; // LZCNT
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return levels;
    if (!all(b, 1u << 3 | 1u << 5 | 1u << 8)) return levels; // BMI1, AVX2, BMI2
    levels |= 1u << kv_isa_avx2;
    // AVX-512 F, DQ, BW, VL and VNNI.
    if (saves_avx512(saved) && all(b, 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31) && all(c, 1u << 11))
        levels |= 1u << kv_isa_avx512;
    return levels;
}

#elif defined(__aarch64__)
#if defined(__linux__)
#include <sys/auxv.h>
#endif

uint32_t kv_isa_detect(void) {
#if defined(__linux__)
    const unsigned long crc32 = 1ul << 7; // HWCAP_CRC32; ASIMD is in the baseline.
    if (!(getauxval(AT_HWCAP) & crc32)) return 1u << kv_isa_scalar;
#endif
    return 1u << kv_isa_scalar | 1u << kv_isa_neon;
}

#else
uint32_t kv_isa_detect(void) { return 1u << kv_isa_scalar; }
#endif
