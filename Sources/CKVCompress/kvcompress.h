// KVCompressC: the key-value cache of a sequence, compressed as it grows, for C and what calls C.
//
// For every step and layer, append the new rows, then attend. Until kvc_session_compress is called
// rows stand as they came, in float32: that is the prefill, in chunks of any size. From then on the
// session keeps what its plan promises (the plan's text: Documentation/Plans.md).
//
// Rows are float32 and packed: heads x tokens x dim, or tokens x heads x dim where the options say
// so. Keys and queries are post-RoPE. Strings are UTF-8 and end with a zero.
//
// Functions that can fail return a kvc_status and, unless `error` is NULL, say why in it; a message
// is empty after success. A call that fails writes no output, and the session can be used on.
// Only what C cannot check is the caller's to get right: that pointers lead to as much memory as
// the sizes say, and that a session is not used after it was freed.
//
// A session is used by one thread at a time, any thread; different sessions, forks too, by as many
// threads as there are. Calls keep no pointer that they are given.
#ifndef KVCOMPRESS_H
#define KVCOMPRESS_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/// The release that this header belongs to.
#define KVC_VERSION "0.1.0"

/// A cache that grows. See kvc_session_create, kvc_session_load, kvc_session_fork,
/// kvc_session_free.
typedef struct kvc_session kvc_session;

/// What became of a call.
typedef enum kvc_status {
    kvc_ok = 0,
    /// A NULL pointer, a number out of range, a layer that is not there, text that is not UTF-8.
    kvc_error_argument = 1,
    /// The plan's text or combination of stages is not legal.
    kvc_error_plan = 2,
    /// The shape of the layers is not usable.
    kvc_error_cache = 3,
    /// A method of the plan needs queries, and nothing attended.
    kvc_error_queries = 4,
    /// A number is not finite, or too large for what the plan would store it in.
    kvc_error_values = 5,
    /// A whole file that does not describe a compressed cache.
    kvc_error_archive = 6,
    /// Rows do not fit their layer: too many queries, query heads that are no multiple of kv heads.
    kvc_error_layer = 7,
    /// The file that the plan places values in cannot be made.
    kvc_error_place = 8,
    /// The order of calls: a layer that is behind, tokens that cannot be taken back, no tokens.
    kvc_error_session = 9,
    /// The operating system refused: no such file, no permission, a full disk.
    kvc_error_system = 10,
    /// Not a .kvc file.
    kvc_error_format = 11,
    /// A .kvc file of a version that this release does not know.
    kvc_error_unsupported = 12,
    /// A .kvc file that was cut, or of which bytes have changed.
    kvc_error_damaged = 13
} kvc_status;

/// Why a call failed: one line, cut where it is too long, always ended by a zero.
typedef struct kvc_error {
    char message[512];
} kvc_error;

/// The shape of a layer: 1 or more kv heads, 1,048,576 in all layers together; dims in 1...1024.
typedef struct kvc_geometry {
    size_t kv_heads;
    /// Elements of a key, and of a query.
    size_t key_dim;
    /// Elements of a value, and of an output.
    size_t value_dim;
} kvc_geometry;

/// How the rows of keys, values, queries and outputs follow each other.
typedef enum kvc_layout {
    /// heads x tokens x dim
    kvc_layout_heads_first = 0,
    /// tokens x heads x dim
    kvc_layout_tokens_first = 1
} kvc_layout;

/// What the source says of the model, as a KV dump does: rope_theta, rope_style, rope_dims.
typedef struct kvc_metadata {
    const char *name;
    const char *value;
} kvc_metadata;

/// How a session works. Zeros mean the usual: `kvc_options options = {.size = sizeof options};`
typedef struct kvc_options {
    /// sizeof(kvc_options): later releases may add fields at the end.
    size_t size;
    kvc_layout layout;
    /// Threads at work, the caller's included: 1...1024; 0 is the caller's alone. Results do not
    /// depend on it. Forks share their threads, and wait for each other's turn.
    size_t threads;
    /// Multiplies the logits; 0 is 1 / sqrt(key_dim).
    float scale;
    /// Logits become softcap * tanh(logit / softcap); 0 leaves them.
    float softcap;
    /// Tokens that may stand uncompressed behind the plan's window; 0 is 64, or an eighth of what
    /// the plan keeps if that is more.
    size_t interval;
    /// The newest queries kept for what the plan observes; 0 keeps all since the last compression.
    size_t observe;
    /// Tokens that each layer's queries see, their own included, one number per layer; 0 is all.
    const size_t *sliding_windows;
    /// Layers in sliding_windows; 0 where no layer has a window.
    size_t sliding_window_count;
    /// For methods that undo the keys' rotation.
    const kvc_metadata *metadata;
    size_t metadata_count;
    /// Where placements keep files, which never show up by name; NULL is the temporary directory.
    const char *directory;
} kvc_options;

/// What a session holds, in bytes.
typedef struct kvc_statistics {
    /// sizeof(kvc_statistics), set by the caller: later releases may add fields at the end.
    size_t size;
    size_t layers;
    /// Tokens that went through the first layer, kept or not.
    size_t tokens;
    /// What the entries are made of, all side data counted.
    size_t stored_bytes;
    /// What they hold in memory, padding and slack included.
    size_t resident_bytes;
    /// What they hold in mapped files.
    size_t mapped_bytes;
    /// What the same tokens would take in f16.
    size_t f16_bytes;
    /// f16_bytes / stored_bytes; 0 where nothing is stored.
    double ratio;
} kvc_statistics;

/// The release of the library: KVC_VERSION of the header that it was built with.
const char *kvc_version(void);

/// An empty session for `layer_count` layers. `options` may be NULL. `*session` is the caller's to
/// free, and NULL after a failure.
kvc_status kvc_session_create(const char *plan, const kvc_geometry *layers, size_t layer_count,
                              const kvc_options *options, kvc_session **session, kvc_error *error);

/// Goes on from a .kvc file: a saved session, with the same bits, or any compressed cache. Plan,
/// geometry, metadata and, of a saved session, interval, observe and sliding windows are the
/// file's; the other options are given again. The file stays mapped: it may be removed or replaced,
/// not written into.
kvc_status kvc_session_load(const char *path, const kvc_options *options, kvc_session **session,
                            kvc_error *error);

/// A session that goes on from here: both share what stands, and neither sees what the other does.
kvc_status kvc_session_fork(const kvc_session *session, kvc_session **fork, kvc_error *error);

/// Frees a session, and its memory unless a fork shares it. NULL is no session, and fine.
void kvc_session_free(kvc_session *session);

/// The shape of layer 0 ... statistics.layers - 1.
kvc_status kvc_session_geometry(const kvc_session *session, size_t layer, kvc_geometry *geometry,
                                kvc_error *error);

/// Appends `tokens` new rows (1 or more) to every kv head of a layer. Every layer is given the same
/// tokens in the same order; layer 0's turn is when what has left the window is compressed.
///   keys    kv_heads x tokens x key_dim (or tokens first)
///   values  kv_heads x tokens x value_dim
kvc_status kvc_session_append(kvc_session *session, size_t layer, size_t tokens, const float *keys,
                              const float *values, kvc_error *error);

/// Attention of a layer's `tokens` newest tokens (1 or more) over everything at or before each.
/// `query_heads` is a multiple of the layer's kv heads, up to 16 times as many: query head h reads
/// kv head h / (query_heads / kv_heads).
///   queries  query_heads x tokens x key_dim (or tokens first)
///   outputs  query_heads x tokens x value_dim, may lie where the queries do
kvc_status kvc_session_attend(kvc_session *session, size_t layer, size_t tokens, size_t query_heads,
                              const float *queries, float *outputs, kvc_error *error);

/// Ends the prefill: applies the plan to all that stands, and keeps it from here on. May be called
/// again at any time between steps.
kvc_status kvc_session_compress(kvc_session *session, kvc_error *error);

/// Goes back to when there were `tokens` tokens, as long as what goes is not compressed yet.
kvc_status kvc_session_truncate(kvc_session *session, size_t tokens, kvc_error *error);

/// What the session holds now. Looks at every page: not for every token.
kvc_status kvc_session_statistics(const kvc_session *session, kvc_statistics *statistics,
                                  kvc_error *error);

/// Writes the session to a .kvc file, which appears whole or not at all. Between steps, that is
/// with as many tokens in every layer, and with one at least.
kvc_status kvc_session_save(const kvc_session *session, const char *path, kvc_error *error);

#ifdef __cplusplus
}
#endif

#endif
