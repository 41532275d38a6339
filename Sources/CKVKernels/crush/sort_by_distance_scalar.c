// Counting sort of indices by Hamming distance, stable, so that equal distances stay in index
// order. One pass counts, one turns counts into first places, one deals the indices out. The passes
// depend on one another through `counts`, so there are no vector forms.
#include "dispatch/variants.h"
#include <string.h>

void kv_sort_by_distance_scalar(uint32_t *order, const uint32_t *distances, size_t count,
                                uint32_t largest, uint32_t *counts) {
    // counts[d + 1] counts d, so that the sums up to counts[d] are the place of the first d.
    memset(counts, 0, ((size_t)largest + 2) * sizeof *counts);
    for (size_t i = 0; i < count; i++) counts[distances[i] + 1]++;
    for (size_t d = 0; d < largest; d++) counts[d + 1] += counts[d];
    for (size_t i = 0; i < count; i++) order[counts[distances[i]]++] = (uint32_t)i;
}
