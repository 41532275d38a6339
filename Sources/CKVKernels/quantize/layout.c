// The sizes that callers allocate by. The same at every level, so they take none.
#include "quantize/layout.h"

size_t kv_code_bytes_q8(kv_quantizer quantizer) { return kv_code_bytes(quantizer, 8); }
size_t kv_code_bytes_q4(kv_quantizer quantizer) { return kv_code_bytes(quantizer, 4); }
size_t kv_tile_bytes_q8(kv_quantizer quantizer) { return kv_tile_bytes(quantizer, 8); }
size_t kv_tile_bytes_q4(kv_quantizer quantizer) { return kv_tile_bytes(quantizer, 4); }
size_t kv_prepared_bytes(size_t dim, size_t group) { return kv_prepared(dim, group).bytes; }
