// Where to prefetch from: memory delivers most when several pages are read side by side, while rows
// are used one behind the other. A window of eight pages is therefore fetched page beside page
// while the one before it is in use.
#pragma once
#include <stdint.h>

enum { kv_prefetch_pages = 8 };

/// Fetches one line of the next window for each line in use; it never faults.
static inline void prefetch_window(const void *used) {
    const uintptr_t at = (uintptr_t)used, last = 4096 * kv_prefetch_pages - 1;
    const uintptr_t page = at / 64 % kv_prefetch_pages, line = (at & last) / 64 / kv_prefetch_pages;
    __builtin_prefetch((const void *)((at | last) + 1 + page * 4096 + line * 64));
}
