#include "CKVModel.h"

// In C23, and known to every clang that builds this package.
#pragma clang diagnostic ignored "-Wc23-extensions"

static _Alignas(64) const uint8_t model[] = {
#embed "small.gguf"
};
const size_t kv_small_model_bytes = sizeof(model);
const uint8_t *kv_small_model_start(void) { return model; }

static _Alignas(64) const uint8_t prose[] = {
#embed "prose.ids"
};
const size_t kv_small_prose_bytes = sizeof(prose);
const uint8_t *kv_small_prose_start(void) { return prose; }
