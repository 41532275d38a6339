// The sizes that callers allocate by. The same at every level, so they take none.
#include "quantize/layout.h"

#define KV_SIZES(bits)                                                                             \
    size_t kv_code_bytes_q##bits(kv_quantizer quantizer) {                                         \
        return kv_code_bytes(quantizer, bits);                                                     \
    }                                                                                              \
    size_t kv_tile_bytes_q##bits(kv_quantizer quantizer) { return kv_tile_bytes(quantizer, bits); }
KV_SIZES(8)
KV_SIZES(4)
KV_SIZES(3)
KV_SIZES(2)

size_t kv_prepared_bytes(size_t dim, size_t group) { return kv_prepared(dim, group).bytes; }
