// All checks at every level of this machine, as a program that needs nothing but C: how NEON is
// checked under qemu, and how the kernels meet UBSan. KVCOMPRESS_SEED and KVCOMPRESS_CASES change
// the run.
#include "CKVChecks.h"
#include <stdio.h>
#include <stdlib.h>

static uint64_t setting(const char *name, uint64_t otherwise) {
    const char *const text = getenv(name);
    return text && *text ? strtoull(text, 0, 10) : otherwise;
}

int main(void) {
    const uint64_t seed = setting("KVCOMPRESS_SEED", 1);
    const unsigned cases = (unsigned)setting("KVCOMPRESS_CASES", 200);
    const uint32_t levels = kv_isa_detect();
    unsigned passed = 0, failed = 0;
    for (kv_isa isa = kv_isa_avx2; isa <= kv_isa_neon; isa++) {
        if (!(levels >> isa & 1)) continue;
        printf("%s: %zu checks of %u cases from seed %llu\n", kvc_level_name(isa),
               kvc_check_count(), cases, (unsigned long long)seed);
        for (size_t i = 0; i < kvc_check_count(); i++) {
            char message[512];
            if (kvc_check_run(i, isa, seed, cases, message, sizeof message) == 0) {
                passed++;
            } else {
                failed++;
                printf("  %s\n", message);
            }
            fflush(stdout);
        }
    }
    printf("%u passed, %u failed\n", passed, failed);
    return failed || !passed;
}
