// CKVChecks: one check per kernel of CKVKernels, which holds a level to the scalar variant bit for
// bit.
//
// A check draws random shapes, alignments and contents from a seed, gives both variants the same
// input in buffers that end (or begin) at an unmapped page, and compares every byte that they may
// write. Used by the Swift tests, and by a small C program where Swift does not run (qemu, UBSan).
#ifndef CKVCHECKS_H
#define CKVCHECKS_H

#include "CKVKernels.h"

#ifdef __cplusplus
extern "C" {
#endif

/// The number of checks, and the kernel that check `index` holds to account.
size_t kvc_check_count(void);
const char *kvc_check_name(size_t index);

/// Runs `cases` random cases of a check at a level. 0 when all of them agree with scalar; otherwise
/// the first that does not is described in `message`: its seed, its shape, and the element in
/// hexadecimal. That seed with `cases` = 1 plays the failing case again.
int kvc_check_run(size_t index, kv_isa isa, uint64_t seed, unsigned cases, char *message,
                  size_t capacity);

/// The name of a level, as it is written in file names.
const char *kvc_level_name(kv_isa isa);

#ifdef __cplusplus
}
#endif
#endif
