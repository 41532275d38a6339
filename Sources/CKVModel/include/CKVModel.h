// The small model that kvc carries, and prose that it was not trained on: what evaluation needs, in
// the program itself.
#ifndef CKVMODEL_H
#define CKVMODEL_H

#include <stddef.h>
#include <stdint.h>

// A GGUF file, aligned to 64 bytes; Tools/train says how it came to be.
const uint8_t *kv_small_model_start(void);
extern const size_t kv_small_model_bytes;

// Token ids of the model's vocabulary, little-endian u16: the held-out ends of the books that it
// was trained on.
const uint8_t *kv_small_prose_start(void);
extern const size_t kv_small_prose_bytes;

#endif
