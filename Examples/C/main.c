// A decode loop over the C API, as an engine would run it; rows that a model would compute are
// random.
#include <kvcompress.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { layers = 2, kv_heads = 2, query_heads = 8, dim = 64, prompt = 512, steps = 100 };

static kvc_error error;

static void check(kvc_status status, const char *call) {
    if (status == kvc_ok) return;
    fprintf(stderr, "%s: status %d: %s\n", call, status, error.message);
    exit(1);
}
#define CHECK(call) check(call, #call)

/// Fills rows with numbers in -1...1 of a seeded sequence.
static void fill(float *rows, size_t count) {
    static unsigned state = 1;
    size_t i;
    for (i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        rows[i] = (float)(state >> 8) / (float)(1 << 23) - 1;
    }
}

static float keys[prompt * kv_heads * dim], values[prompt * kv_heads * dim];
static float queries[prompt * query_heads * dim], outputs[prompt * query_heads * dim];

/// One pass of the model over new tokens.
static void step(kvc_session *session, size_t tokens) {
    size_t layer;
    for (layer = 0; layer < layers; layer++) {
        fill(keys, tokens * kv_heads * dim);
        fill(values, tokens * kv_heads * dim);
        fill(queries, tokens * query_heads * dim);
        CHECK(kvc_session_append(session, layer, tokens, keys, values, &error));
        CHECK(kvc_session_attend(session, layer, tokens, query_heads, queries, outputs, &error));
    }
}

int main(int argc, char **argv) {
    const char *path = argc > 1 ? argv[1] : "session.kvc";
    kvc_geometry shape[layers];
    kvc_options options = {.size = sizeof options, .layout = kvc_layout_tokens_first};
    kvc_statistics statistics = {.size = sizeof statistics};
    kvc_session *session, *restored;
    float again[query_heads * dim];
    size_t i;

    // Mistakes are explained.
    for (i = 0; i < layers; i++) shape[i] = (kvc_geometry){kv_heads, dim, dim};
    if (kvc_session_create("snapkw(budget=25%)", shape, layers, NULL, &session, &error) !=
        kvc_error_plan)
        return 1;
    printf("KVCompress %s: %s\n", kvc_version(), error.message);

    // The prompt as it is, then what SnapKV finds important of it, in 4 bits.
    CHECK(kvc_session_create("snapkv(budget=50%) | q4(rotate=hadamard)", shape, layers, &options,
                             &session, &error));
    step(session, prompt);
    CHECK(kvc_session_compress(session, &error));
    for (i = 0; i < steps; i++) step(session, 1);
    CHECK(kvc_session_statistics(session, &statistics, &error));
    printf("%zu tokens, %zu bytes in f16, %zu stored: %.1fx smaller\n", statistics.tokens,
           statistics.f16_bytes, statistics.stored_bytes, statistics.ratio);

    // Saved and loaded, it attends to the same bits.
    CHECK(kvc_session_save(session, path, &error));
    CHECK(kvc_session_load(path, &options, &restored, &error));
    fill(queries, query_heads * dim);
    CHECK(kvc_session_attend(session, 0, 1, query_heads, queries, outputs, &error));
    CHECK(kvc_session_attend(restored, 0, 1, query_heads, queries, again, &error));
    if (memcmp(outputs, again, sizeof again) != 0) return 1;
    printf("the same bits after saving and loading\n");

    kvc_session_free(restored);
    kvc_session_free(session);
    return remove(path) == 0 ? 0 : 1;
}
