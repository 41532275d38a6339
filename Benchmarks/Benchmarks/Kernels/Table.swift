import CKVKernels

// Every kernel of dispatch/kernels.def that reads rows, and what one call of it reads: 64 entries.

let entries = 64

/// Query rows that share a pass, and elements of a row.
struct Shape {
    var rows = 4
    var dim = 128

    /// Head dims of today's models, and groups of 1, 4, 7 and 8 query heads.
    static let attention =
        [64, 80, 96, 256].map { Shape(dim: $0) } + [1, 4, 7, 8].map { Shape(rows: $0) }
}

/// What one call reads of the working set.
struct Block {
    let base: UnsafeMutableRawPointer

    var floats: UnsafeMutablePointer<Float> { base.assumingMemoryBound(to: Float.self) }
    var halves: UnsafeMutablePointer<UInt16> { base.assumingMemoryBound(to: UInt16.self) }
    var bytes: UnsafeMutablePointer<UInt8> { base.assumingMemoryBound(to: UInt8.self) }
}

/// What calls write, or read over and over.
struct Scratch: @unchecked Sendable {
    private static func some<Value>(_ count: Int, _ value: Value) -> UnsafeMutablePointer<Value> {
        let pointer = UnsafeMutablePointer<Value>.allocate(capacity: count)
        pointer.initialize(repeating: value, count: count)
        return pointer
    }

    let output = some(1 << 17, Float(0))
    let queries = some(16 * 256, Float(0.5))
    let weights = some(1 << 13, Float(0.01))
    let ones = some(1 << 13, Float(1))
    /// Sums of two rows each.
    let ends = {
        let storage = Storage(byteCount: entries / 2 * 4) {
            let ends = $0.bindMemory(to: UInt32.self)
            for index in ends.indices { ends[index] = UInt32(2 * index + 2) }
        }
        return storage
    }().bytes.bindMemory(to: UInt32.self).baseAddress!
    let words = some(1 << 13, UInt32(0))
    let counts = some(1 << 13, UInt32(0))
    /// Every entry once.
    let backwards = {
        let indices = some(entries, UInt32(0))
        for index in 0..<entries { indices[index] = UInt32(entries - 1 - index) }
        return indices
    }()
    let visible = some(entries, UInt32(entries))
    let prepared = some(1 << 14, UInt64(0))
}

/// A kernel in this table.
struct Kernel: Sendable {
    let name: String
    var shapes = [Shape()]
    /// Bytes that a call reads.
    let bytes: @Sendable (Shape) -> Int
    /// What goes before all calls.
    var prepare: @Sendable (kv_isa, Shape, Scratch) -> Void = { _, _, _ in }
    let call: @Sendable (kv_isa, Shape, Block, Scratch) -> Void
}

/// Kernels on 64 rows of f32.
private func floatRows(
    _ name: String, _ call: @escaping @Sendable (kv_isa, Shape, Block, Scratch) -> Void
) -> Kernel {
    Kernel(name: name, bytes: { entries * $0.dim * 4 }, call: call)
}

let rowKernels: [Kernel] = [
    Kernel(name: "convert f16 to f32", bytes: { entries * $0.dim * 2 }) {
        kv_convert_f16_f32($0, $3.output, $2.halves, entries * $1.dim)
    },
    Kernel(name: "convert bf16 to f32", bytes: { entries * $0.dim * 2 }) {
        kv_convert_bf16_f32($0, $3.output, $2.halves, entries * $1.dim)
    },
    floatRows("convert f32 to f16") {
        kv_convert_f32_f16($0, $3.prepared.halves, $2.floats, entries * $1.dim)
    },
    floatRows("convert f32 to bf16") {
        kv_convert_f32_bf16($0, $3.prepared.halves, $2.floats, entries * $1.dim)
    },
    floatRows("gather rows") {
        kv_gather_rows($0, $3.output, $2.base, $1.dim * 4, $3.backwards, entries, $1.dim * 4)
    },
    floatRows("find beyond") { isa, shape, block, _ in
        _ = kv_find_beyond(isa, block.floats, entries * shape.dim, 1e30)
    },
    floatRows("norm rows") { kv_norm_rows($0, $3.output, $2.floats, $1.dim, entries, $1.dim) },
    floatRows("dot adjacent") {
        kv_dot_adjacent($0, $3.output, $2.floats, $1.dim, entries, $1.dim)
    },
    floatRows("channel ranges") {
        kv_channel_ranges($0, $3.output, $3.output + 256, $2.floats, $1.dim, entries, $1.dim)
    },
    floatRows("spread rows") {
        kv_spread_rows($0, $3.output, $2.floats, $1.dim, entries, $1.dim, $3.queries, $3.ones)
    },
    // In place, and therefore in the first cache.
    floatRows("hadamard, cached") { kv_hadamard($0, $3.output, $1.dim, entries, $1.dim) },
    floatRows("rope rows, cached") {
        kv_rope_rows(
            $0, $3.output, $1.dim, entries, $3.words, $3.weights, $1.dim / 2, false, false)
    },
    floatRows("squared distances") {
        kv_squared_distances($0, $3.output, $2.floats, $1.dim, entries, $3.queries, $1.dim)
    },
    floatRows("mix rows") {
        kv_mix_rows(
            $0, $3.output, $2.floats, $1.dim, $3.weights, $3.ends, entries / 2, $1.dim)
    },
    floatRows("add pair dots") {
        kv_add_pair_dots(
            $0, $3.output, $3.output + 64, $3.output + 128, $2.floats, $1.dim,
            $2.floats + entries / 2 * $1.dim, $1.dim, entries / 2, $1.dim)
    },
    floatRows("blend rows") {
        kv_blend_rows(
            $0, $3.output, $2.floats, $1.dim, $3.weights, $2.floats + entries / 2 * $1.dim, $1.dim,
            $3.weights, entries / 2, $1.dim)
    },
]

private func attention(
    _ name: String, width: Int, _ call: @escaping @Sendable (kv_isa, Shape, Block, Scratch) -> Void
) -> Kernel {
    Kernel(name: name, shapes: Shape.attention, bytes: { entries * $0.dim * width }, call: call)
}

let attentionKernels: [Kernel] = [
    attention("score f32", width: 4) {
        kv_score_f32(
            $0, $3.output, entries, $3.queries, $1.rows, $1.dim, $2.floats, $1.dim, entries)
    },
    attention("score f16", width: 2) {
        kv_score_f16(
            $0, $3.output, entries, $3.queries, $1.rows, $1.dim, $2.halves, $1.dim, entries)
    },
    attention("score bf16", width: 2) {
        kv_score_bf16(
            $0, $3.output, entries, $3.queries, $1.rows, $1.dim, $2.halves, $1.dim, entries)
    },
    attention("accumulate f32", width: 4) {
        kv_accumulate_f32(
            $0, $3.output, $3.ones, $1.rows, $1.dim, $3.weights, entries, $2.floats, $1.dim,
            entries,
            nil, 0)
    },
    attention("accumulate f16", width: 2) {
        kv_accumulate_f16(
            $0, $3.output, $3.ones, $1.rows, $1.dim, $3.weights, entries, $2.halves, $1.dim,
            entries,
            nil, 0)
    },
    attention("accumulate bf16", width: 2) {
        kv_accumulate_bf16(
            $0, $3.output, $3.ones, $1.rows, $1.dim, $3.weights, entries, $2.halves, $1.dim,
            entries,
            nil, 0)
    },
    Kernel(name: "finish logits, cached", bytes: { entries * $0.rows * 4 }) {
        kv_finish_logits($0, $3.output, entries, $1.rows, entries, $3.visible, 0.1, 0, nil)
    },
    Kernel(name: "softmax fold, cached", bytes: { entries * $0.rows * 4 }) {
        kv_softmax_fold(
            $0, $3.output, entries, $1.rows, entries, $3.visible, 0.1, 0, nil, $3.output + 4096,
            $3.output + 8192, $3.output + 12288)
    },
    Kernel(name: "merge states, cached", bytes: { $0.rows * $0.dim * 8 }) {
        kv_merge_states(
            $0, $3.output, $3.output + 64, $3.output + 128, $3.weights, $3.ones, $3.queries,
            $1.rows,
            $1.dim)
    },
    Kernel(name: "finish states, cached", bytes: { $0.rows * $0.dim * 4 }) {
        kv_finish_states($0, $3.output, $3.queries, $3.ones, $1.rows, $1.dim)
    },
    Kernel(name: "prepare queries, cached", bytes: { $0.rows * $0.dim * 4 }) {
        kv_prepare_queries($0, $3.prepared, $3.queries, $1.rows, $1.dim, 32)
    },
    Kernel(name: "observe, cached", bytes: { entries * $0.rows * 4 }) {
        var observation = kv_observation()
        observation.sum = $3.output + 4096
        kv_observe(
            $0, observation, $3.output, entries, $1.rows, entries, $3.visible, 0.1, 0, 1)
    },
]

let otherKernels: [Kernel] = [
    Kernel(name: "pack signatures, 32 heads", bytes: { _ in 32 * entries * 4 }) {
        kv_pack_signatures(
            $0, $3.prepared.bytes, 4, $2.floats, entries, 32, entries, 1, $3.weights, $3.words)
    },
    Kernel(name: "hamming 32 bits", bytes: { _ in 4 * 4096 }) {
        kv_hamming($0, $3.words, $2.bytes, 4096, 4, $3.prepared.bytes)
    },
    Kernel(name: "hamming 8 bytes", bytes: { _ in 8 * 4096 }) {
        kv_hamming($0, $3.words, $2.bytes, 4096, 8, $3.prepared.bytes)
    },
    Kernel(name: "sort by distance, cached", bytes: { _ in 4096 * 4 }) {
        kv_sort_by_distance($0, $3.words + 4096, $3.words, 4096, 64, $3.counts)
    },
    Kernel(name: "find nearest", bytes: { $0.rows * 1024 * 4 }) {
        kv_find_nearest(
            $0, $3.counts, $3.output, $2.floats, 1024, $1.rows, 1024, $3.ones)
    },
    Kernel(name: "exponentials", bytes: { _ in 16384 }) {
        kv_exponentials($0, $3.output, $2.floats, 4096)
    },
    Kernel(name: "logarithms", bytes: { _ in 16384 }) {
        kv_logarithms($0, $3.output, $2.floats, 4096)
    },
    Kernel(name: "pair angles, cached", bytes: { _ in 3 * 4096 }) {
        kv_pair_angles($0, $3.output, $3.output + 4096, $3.ones, $3.ones, $3.weights, 1024)
    },
    Kernel(name: "slerp weights, cached", bytes: { _ in 3 * 4096 }) {
        kv_slerp_weights($0, $3.output, $3.output + 4096, $3.ones, $3.ones, $3.ones, 0.6, 1024)
    },
    Kernel(name: "crc32c", bytes: { _ in 65536 }) { isa, _, block, _ in
        _ = kv_crc32c(isa, 0, block.base, 65536)
    },
    Kernel(name: "read words", bytes: { _ in 1 << 20 }) { isa, _, block, _ in
        _ = kv_read_words(isa, block.base, 1 << 20)
    },
]

extension UnsafeMutablePointer<UInt64> {
    fileprivate var halves: UnsafeMutablePointer<UInt16> {
        UnsafeMutableRawPointer(self).assumingMemoryBound(to: UInt16.self)
    }
    fileprivate var bytes: UnsafeMutablePointer<UInt8> {
        UnsafeMutableRawPointer(self).assumingMemoryBound(to: UInt8.self)
    }
}
