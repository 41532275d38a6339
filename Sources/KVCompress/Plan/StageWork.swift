import Foundation

/// The stages of a plan one by one, prepared once and done as often as somebody measures.
package final class StageWork: Sendable {
    private let plan: Plan
    private let observation: Observation
    private let selection: Selection

    /// Chooses and merges once, so that all statistics that the plan needs are there.
    package init(
        _ plan: Plan, _ cache: Cache, options: CompressionOptions
    ) throws(CompressionError) {
        self.plan = plan
        observation = Observation(
            cache: cache, kernels: Kernels(options.instructionSet), workers: options.workers,
            allocator: options.allocator)
        selection = try plan.select(from: observation, encode: plan.encode ?? .plain)
        try plan.merger?.prepare(observation)
    }

    /// What an eviction keeps, from statistics to tokens: `[layer][head]`, ascending.
    package func select() throws(CompressionError) -> [[[UInt32]]] {
        try plan.select(from: observation, encode: plan.encode ?? .plain).kept
    }

    /// What a merger makes of every head, keys and values written: tokens per entry, `[layer][head]`.
    package func merge() -> [[[UInt32]]] {
        observation.perHead { [self] layer, head in
            let draft = draft(layer, head)
            for rows in [draft.keys, draft.values] { make(rows) { _ in } }
            return (0..<draft.count).map { draft.mass.votes($0) }
        }
    }

    /// What pairs of layers, or whole groups, have in common, keys and values: how many rows, and a digest of them
    /// if one is wanted.
    package func share(digesting: Bool = true) -> [(rows: Int, digest: UInt32)] {
        let groups = plan.sharer?.groups(layers: observation.cache.layers.count) ?? []
        return observation.workers.map(groups.count) { [self] index in
            var remarks: [String] = []
            let layers = groups[index]
            let drafts = layers.map { layer in
                observation.cache.layers[layer].keys.indices.map { draft(layer, $0) }
            }
            let encoder = GroupEncoder(
                layers: layers, drafts: drafts, codecs: layers.map { _ in [.plain] }, window: 0,
                sharer: plan.sharer, projectors: layers.map { _ in nil }, rotations: Rotations(),
                fit: nil, observation: observation, valueDirectory: nil, workers: .caller,
                remarks: &remarks)
            var count = 0, digest: UInt32 = 0
            for rows in Side.allSides.flatMap({ encoder.sharedRows($0)?.rows ?? [] }) {
                count += rows.count
                make(rows) { if digesting { digest = observation.kernels.crc32c(digest, $0) } }
            }
            return (count, digest)
        }
    }

    /// Attention that every key receives from the queries of the cache, summed: what scorers of received
    /// attention cost a prefill.
    package static func received(_ cache: Cache, options: CompressionOptions) -> [[Float]] {
        let observation = Observation(
            cache: cache, kernels: Kernels(options.instructionSet), workers: options.workers,
            allocator: options.allocator)
        let received = observation.attention(.init(reductions: [.sum]))
        return cache.layers.indices.map { layer in
            let heads = cache.layers[layer].queries?.count ?? 0
            let sums = received.rows(.sum, layer: layer, heads: heads)
            return Array(UnsafeBufferPointer(start: sums, count: heads * cache.tokens))
        }
    }

    private func draft(_ layer: Int, _ head: Int) -> HeadDraft {
        let input = MergeInput(
            observation: observation, layer: layer, head: head, kept: selection.kept[layer][head])
        var remarks: [String] = []
        return plan.merger?.merge(input, remarks: &remarks) ?? input.keeping()
    }

    /// Makes rows as the encode stage asks for them, 128 at a time.
    private func make(_ rows: DraftRows, _ body: (UnsafeRawBufferPointer) -> Void) {
        let chunk = DraftRows.chunk
        let floats = observation.allocator.scratch(Float.self, chunk * rows.dim)
        for first in stride(from: 0, to: rows.count, by: chunk) {
            let entries = first..<min(first + chunk, rows.count)
            rows.write(entries, to: floats.pointer, kernels: observation.kernels)
            body(
                UnsafeRawBufferPointer(
                    start: floats.pointer, count: entries.count * rows.dim * 4))
        }
    }
}

extension Side {
    fileprivate static var allSides: [Side] { [.keys, .values] }
}

/// The codec of a plan's keys alone: rows in, bytes out.
package struct RowWriter: Sendable {
    private let codec: any Codec
    private let kernels: Kernels
    private let storage: Storage
    private let count: Int

    /// Entries that a codec is given at a time.
    private static let chunk = 128

    /// - Parameter count: rows to write, a multiple of 128.
    package init(_ plan: Plan, count: Int, dim: Int, instructionSet: InstructionSet) {
        precondition(count % Self.chunk == 0)
        codec = (plan.encode ?? .plain).keys.codec(.keys, dim: dim)
        kernels = Kernels(instructionSet)
        storage = Allocator().allocate(codec.allocatedBytes(count))
        self.count = count
    }

    /// Bytes that are written.
    package var byteCount: Int { codec.storedBytes(count).values.reduce(0, +) }

    /// Writes packed f32 rows, 128 at a time.
    package func write(_ rows: Rows, workers: Workers) {
        precondition(rows.count == count && rows.format == .f32 && rows.stride == codec.dim)
        workers.run(workers.threads) { [self] thread in
            let chunks = count / Self.chunk
            for chunk in chunks * thread / workers.threads..<chunks * (thread + 1) / workers.threads
            {
                let first = chunk * Self.chunk
                codec.encode(
                    (rows.base + first * codec.dim * 4).assumingMemoryBound(to: Float.self),
                    count: Self.chunk, first: first, of: count, to: storage.base, kernels: kernels)
            }
        }
    }

    /// The first rows that were written, decoded.
    package func decoded(first: Int) -> [Float] {
        let store = Store(codec: codec, storage: storage, byteOffset: 0, count: count)
        let blocks = (min(first, count) + blockEntries - 1) / blockEntries
        var rows = [Float](repeating: 0, count: blocks * blockEntries * codec.dim)
        rows.withUnsafeMutableBufferPointer { rows in
            for block in 0..<blocks {
                codec.decode(
                    store, block: block,
                    to: rows.baseAddress! + block * blockEntries * codec.dim, kernels: kernels)
            }
        }
        return Array(rows.prefix(min(first, count) * codec.dim))
    }
}
