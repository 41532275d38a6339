import Foundation

/// A cache after a plan: smaller, and attended on as it lies.
public struct CompressedCache: Sendable {
    /// What was done.
    public let plan: Plan
    /// Tokens that went in.
    public let tokens: Int
    /// What the source said of itself.
    public var metadata: [String: String]
    /// What it saved.
    public let report: Report
    let layers: [LayerCache]
    /// What goes on from here; nil when this is no snapshot of a session.
    var session: SavedSession<Storage>?

    init(
        plan: Plan, tokens: Int, metadata: [String: String], report: Report, layers: [LayerCache]
    ) {
        self.plan = plan
        self.tokens = tokens
        self.metadata = metadata
        self.report = report
        self.layers = layers
    }

    /// The shape of each layer.
    public var geometry: [LayerGeometry] { layers.map(\.geometry) }

    /// What every byte is, counted anew.
    public var ledger: Ledger { Ledger(layers) }

    /// What every byte of one layer is, those included that it shares with others.
    package func ledger(layer: Int) -> Ledger { Ledger([layers[layer]]) }

    /// The same bytes, of which every query reads all: as if the plan placed nothing.
    package var readWhole: CompressedCache {
        let whole = layers.map { layer in
            var layer = layer
            layer.placement = nil
            return layer
        }
        return CompressedCache(
            plan: plan, tokens: tokens, metadata: metadata, report: report, layers: whole)
    }

    /// Asks the system to forget what it has in memory of mapped files, and says what share it kept.
    ///
    /// - Parameter inOrder: whether they will be read from front to back, not here and there.
    /// - Returns: the share of the files' pages that are still in memory; nil where there are no files, or the system
    ///   does not say.
    package func forgetMapped(inOrder: Bool = false) -> Double? {
        let segments = layers.lazy.flatMap { $0.heads.joined() }
        var storages: [ObjectIdentifier: Storage] = [:]
        for segment in segments where segment.values.storage.isMapped {
            storages[ObjectIdentifier(segment.values.storage)] = segment.values.storage
        }
        let shares = storages.values.map { $0.forget(inOrder: inOrder) }
        return shares.contains(nil) || shares.isEmpty
            ? nil : shares.reduce(0) { $0 + $1! } / Double(shares.count)
    }

    /// Attention of a layer's query heads over its entries, computed on the compressed form.
    ///
    /// No copy of the entries is decoded beyond one block. Reads the layer's stored bytes once for every
    /// 512 query rows (tokens x group) of a kv head.
    /// - Parameters:
    ///   - queries: post-RoPE queries, one `Rows` (n x key dim) per query head; the query heads of kv head
    ///     h are h * group ..< (h + 1) * group, group at most 16.
    ///   - layer: index of the layer, within range.
    ///   - options: scale, softcap, causal positions, threads.
    /// - Returns: per query head n x value dim outputs, packed.
    /// - Throws: `CompressionError` of code `.layer` when the queries do not fit the layer.
    public func attend(
        _ queries: [Rows], layer: Int, options: AttentionOptions = AttentionOptions()
    ) throws(CompressionError) -> [[Float]] {
        try layers[layer].attend(queries, options: options, allocator: Allocator())
    }

    /// The entries of one kv head as attention sees them, decoded.
    public struct Entries: Sendable {
        /// Keys, n x key dim, packed.
        public var keys: [Float] = []
        /// Values, n x value dim, packed.
        public var values: [Float] = []
        /// Original positions, ascending.
        public var positions: [Int32] = []
        /// Tokens that each entry stands for: exp of its logit bias.
        public var votes: [Float] = []
    }

    /// Decodes the entries of one kv head, in ascending positions.
    public func entries(layer: Int, head: Int) -> Entries { layers[layer].decoded(head) }
}

extension Segment {
    /// Tokens that an entry stands for: exp of its logit bias.
    func votes(_ index: Int) -> Float {
        guard let logitBias else { return 1 }
        let stored = logitBias.stored(index)
        return logitBias.format == .votes ? stored : Float(exp(Double(stored)))
    }
}

extension Store {
    /// All rows as packed f32 in the original space, multiplied by their scales.
    func decoded(scales: EntryVector?) -> [Float] {
        var rows = decoded()
        guard let scales else { return rows }
        for entry in 0..<count {
            let scale = scales.stored(entry)
            for element in entry * codec.dim..<(entry + 1) * codec.dim { rows[element] *= scale }
        }
        return rows
    }
}

extension Store {
    /// All rows as packed f32 in the original space.
    func decoded() -> [Float] {
        [Float](unsafeUninitializedCapacity: count * codec.dim) { buffer, initialized in
            for block in 0..<blocks {
                codec.decode(
                    self, block: block, to: buffer.baseAddress! + block * blockEntries * codec.dim,
                    kernels: .best)
            }
            initialized = count * codec.dim
        }
    }
}
