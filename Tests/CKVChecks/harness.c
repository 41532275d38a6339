// Runs a check: makes its cases, catches a touch of a guard page, compares what the two levels
// wrote.
#include "harness.h"
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>

static const struct {
    const char *name;
    void (*run)(kvc_case *c);
} checks[] = {
#define KVC_CHECK(name) {#name, kvc_check_##name},
#include "checks.def"
#undef KVC_CHECK
};

size_t kvc_check_count(void) { return sizeof checks / sizeof *checks; }
const char *kvc_check_name(size_t index) { return checks[index].name; }

const char *kvc_level_name(kv_isa isa) {
    static const char *const names[] = {"scalar", "avx2", "avx512", "neon"};
    return names[isa];
}

void kvc_shape(kvc_case *c, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const size_t length = strlen(c->shape);
    vsnprintf(c->shape + length, sizeof c->shape - length, format, arguments);
    va_end(arguments);
}

void kvc_fail(kvc_case *c, const char *format, ...) {
    if (c->failed) return; // the first difference is the one to look at
    c->failed = true;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(c->message, c->capacity, format, arguments);
    va_end(arguments);
}

void kvc_same(kvc_case *c, const char *name, uint64_t scalar, uint64_t variant) {
    if (scalar != variant)
        kvc_fail(c, "%s: scalar 0x%llx, variant 0x%llx", name, (unsigned long long)scalar,
                 (unsigned long long)variant);
}

static void report_difference(kvc_case *c, const kvc_buffer *b, size_t row, size_t byte) {
    const size_t element = kvc_element_bytes(b->kind);
    const size_t column = byte / element, offset = row * b->stride_bytes + column * element;
    uint32_t bits[2] = {0, 0};
    float value[2];
    KVC_BOTH(v) {
        memcpy(&bits[v], b->at[v] + offset, element);
        memcpy(&value[v], &bits[v], sizeof value[v]);
    }
    const int digits = (int)(2 * element);
    if (b->kind == kvc_f32)
        kvc_fail(c, "%s[%zu][%zu]: scalar 0x%08x (%.9g), variant 0x%08x (%.9g)", b->name, row,
                 column, bits[0], (double)value[0], bits[1], (double)value[1]);
    else
        kvc_fail(c, "%s[%zu][%zu]: scalar 0x%0*x, variant 0x%0*x", b->name, row, column, digits,
                 bits[0], digits, bits[1]);
}

static void compare(kvc_case *c) {
    for (size_t i = 0; i < c->buffers; i++) {
        const kvc_buffer *const b = &c->buffer[i];
        for (int v = 0; v < 2 && b->at[v]; v++)
            if (!kvc_canaries_live(c, b, v))
                kvc_fail(c, "%s: %s wrote outside its rows", b->name,
                         b->output ? kvc_level_name(c->level[v]) : "a variant");
        for (size_t r = 0; b->compared && r < b->rows; r++) {
            const uint8_t *const scalar = b->at[0] + r * b->stride_bytes;
            const uint8_t *const variant = b->at[1] + r * b->stride_bytes;
            if (memcmp(scalar, variant, b->row_bytes) == 0) continue;
            size_t byte = 0;
            while (scalar[byte] == variant[byte]) byte++;
            report_difference(c, b, r, byte);
        }
    }
}

// A kernel that touches a guard page faults in its own thread; the handler leads it back to the
// check. Faults of anybody else go where they went before.
static _Thread_local sigjmp_buf *way_back;
static _Thread_local const void *fault_address;
static struct sigaction before[2];

static void on_fault(int signal, siginfo_t *info, void *context) {
    (void)context;
    if (!way_back) {
        sigaction(signal, &before[signal == SIGBUS], 0);
        return;
    }
    fault_address = info->si_addr;
    siglongjmp(*way_back, 1);
}

static void catch_faults(void) {
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER};
    sigemptyset(&action.sa_mask);
    sigaction(SIGSEGV, &action, &before[0]);
    sigaction(SIGBUS, &action, &before[1]);
}

static void run_case(kvc_case *c, size_t index) {
    sigjmp_buf here;
    kvc_reset_arena(c);
    if (sigsetjmp(here, 1) == 0) {
        way_back = &here;
        checks[index].run(c);
        way_back = 0;
        compare(c);
    } else {
        way_back = 0;
        char place[128];
        kvc_describe_address(c, fault_address, place, sizeof place);
        kvc_fail(c, "touched memory that is not its own, %s", place);
    }
}

int kvc_check_run(size_t index, kv_isa isa, uint64_t seed, unsigned cases, char *message,
                  size_t capacity) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, catch_faults);
    char what[256] = "";
    kvc_case c = {.level = {kv_isa_scalar, isa}, .message = what, .capacity = sizeof what};
    if (!kvc_open_arena(&c)) {
        snprintf(message, capacity, "no memory for guarded buffers");
        return 1;
    }
    // Case k of seed s is case 0 of seed s + k.
    for (unsigned k = 0; k < cases && !c.failed; k++) {
        c.random = (seed + k) * 0xd1342543de82ef95 + index;
        c.shape[0] = 0;
        run_case(&c, index);
        if (c.failed)
            snprintf(message, capacity, "%s %s, seed %llu: %s: %s", checks[index].name,
                     kvc_level_name(isa), (unsigned long long)(seed + k), c.shape, what);
    }
    kvc_close_arena(&c);
    return c.failed;
}
