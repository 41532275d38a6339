// Copies the rows that an index list names, into a packed destination.
#include "dispatch/variants.h"
#include <string.h>

void kv_gather_rows_scalar(void *destination, const void *source, size_t source_stride_bytes,
                           const uint32_t *indices, size_t count, size_t row_bytes) {
    for (size_t i = 0; i < count; i++)
        memcpy((uint8_t *)destination + i * row_bytes,
               (const uint8_t *)source + indices[i] * source_stride_bytes, row_bytes);
}
