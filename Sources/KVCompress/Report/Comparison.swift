import Foundation

/// Compares plans on one cache: how much smaller, and how far attention moves.
///
/// The last `holdout` tokens are held out. The rest is compressed, with scorers seeing only the queries
/// before them; then the held-out queries attend over the compressed prefix and their own exact suffix,
/// causally, against the full cache.
public struct Comparison: Sendable {
    /// What one plan saved and what it lost.
    public struct Row: Sendable, Codable {
        /// What it saved, on the prefix.
        public var report: Report
        /// |O - O_full| / |O_full| of a layer and query head over the held-out queries: the mean.
        public var errorMean: Double
        /// The same: the worst layer and query head.
        public var errorWorst: Double
        /// Mean cosine of the outputs with the full cache's.
        public var cosine: Double
        /// Share of the full cache's attention that falls on tokens of which an entry is made: kept or merged ones.
        public var mass: Double
        /// Wall time of compressing.
        public var compressMilliseconds: Double
        /// Median wall time of one query of one head in one layer when tokens are decoded one by one.
        public var attendNanosecondsPerQuery: Double
        /// Stored bytes of the values that decoding one token reads in all layers; nil when a plan places
        /// nothing and all are read.
        public var valueBytesPerStep: Int?
        /// Share of a query's attention that falls on the entries it reads, then; the mean.
        public var massCovered: Double?

        enum CodingKeys: String, CodingKey {
            case report, cosine, mass
            case errorMean = "error_mean"
            case errorWorst = "error_worst"
            case compressMilliseconds = "compress_ms"
            case attendNanosecondsPerQuery = "attend_ns_per_query"
            case valueBytesPerStep = "value_bytes_per_step"
            case massCovered = "mass_covered"
        }
    }

    /// Tokens that are compressed.
    public let prefixTokens: Int
    /// Tokens whose queries judge.
    public let holdout: Int
    /// The full cache, with the held-out queries only.
    private let cache: Cache
    private let prefix: Cache
    /// Of the prefix: a search's plans share what they ask of it.
    private let observation: Observation
    private let options: CompressionOptions
    private let reference: [[[Float]]]
    /// What every token receives from the held-out queries, summed.
    private let received: ReceivedAttention

    /// Holds out the last tokens of a cache and computes attention on the full one.
    ///
    /// - Throws: `CompressionError` when the cache has too few tokens or carries too few queries.
    public init(
        cache: Cache, holdout: Int = 64, options: CompressionOptions = CompressionOptions()
    ) throws(CompressionError) {
        guard cache.tokens > 1 else {
            throw CompressionError(
                .cache,
                "the cache has 1 token; comparing holds out at least 1 and compresses the others")
        }
        guard holdout > 0, holdout < cache.tokens else {
            throw CompressionError(
                .cache,
                "cannot hold out \(holdout) of \(cache.tokens) tokens; valid is 1...\(cache.tokens - 1)"
            )
        }
        for (index, layer) in cache.layers.enumerated() {
            guard let queries = layer.queries, queries[0].count >= holdout else {
                throw CompressionError(
                    .queries,
                    "layer \(index) carries \(layer.queries?[0].count ?? 0) queries; comparing needs those of "
                        + "the \(holdout) held-out tokens")
            }
        }
        try cache.checkValues()
        self.holdout = holdout
        self.options = options
        prefixTokens = cache.tokens - holdout
        prefix = try cache.prefix(prefixTokens)
        observation = Observation(
            cache: prefix, kernels: Kernels(options.instructionSet), workers: options.workers,
            allocator: options.allocator)
        let judged = try Cache(
            layers: cache.layers.map { layer in
                CacheLayer(
                    keys: layer.keys, values: layer.values,
                    queries: layer.queries?.map { $0[$0.count - holdout..<$0.count] })
            })
        self.cache = judged
        received = Observation(
            cache: judged, kernels: Kernels(options.instructionSet), workers: options.workers,
            allocator: options.allocator
        ).attention(ReceivedAttention.Request(reductions: [.sum]))
        var reference: [[[Float]]] = []
        for layer in judged.layers {
            reference.append(
                try LayerCache(viewing: layer).attend(
                    layer.queries ?? [], options: Self.causal(cache.tokens, holdout, options),
                    allocator: options.allocator))
        }
        self.reference = reference
        _ = try? row(for: nil)  // so that the first plan is not timed on cold code and memory
    }

    /// Compresses the prefix by a plan and measures it; nil is the full cache in f16.
    public func row(for plan: Plan?) throws(CompressionError) -> Row {
        let plan = if let plan { plan } else { try Plan("f16") }
        let compressed = try plan.compress(prefix, options: options)
        let outputs = try outputs(over: compressed.layers)
        let errors = outputs.indices.flatMap { distances(outputs[$0], layer: $0) }
        var cosines: [Double] = []
        for (layer, heads) in outputs.enumerated() {
            for (output, exact) in zip(heads, reference[layer]) {
                cosines += Self.cosines(
                    output, exact, dim: cache.layers[layer].geometry.valueDim)
            }
        }
        let represented = try plan.representedTokens(of: prefix, options: options)
        let masses = outputs.indices.flatMap {
            mass(of: compressed, represented?[$0], layer: $0)
        }
        let read = plan.placement == nil ? nil : try decoded(compressed)
        return Row(
            report: compressed.report, errorMean: Self.mean(errors), errorWorst: errors.max() ?? 0,
            cosine: Self.mean(cosines), mass: Self.mean(masses),
            compressMilliseconds: compressed.report.seconds * 1e3,
            attendNanosecondsPerQuery: try decodeTime(compressed),
            valueBytesPerStep: read.map { $0.valueBytes / holdout },
            massCovered: read.map { $0.mass / Double(max($0.queries, 1)) })
    }

    /// What a search needs to know of a plan: bytes and errors, without cosines or times.
    public struct Outcome: Sendable, Codable {
        /// The plan.
        public var plan: Plan
        /// Stored bytes of the prefix.
        public var storedBytes: Int
        /// Bytes in f16 over stored bytes.
        public var ratio: Double
        /// |O - O_full| / |O_full| over the held-out queries, the mean of all query heads.
        public var error: Double
        /// The same, the mean of each layer's query heads.
        public var layerErrors: [Double]

        enum CodingKeys: String, CodingKey {
            case plan, ratio, error
            case storedBytes = "stored_bytes"
            case layerErrors = "layer_errors"
        }
    }

    /// Compresses the prefix by a plan and judges it, without timing anything.
    public func outcome(of plan: Plan) throws(CompressionError) -> Outcome {
        let layers = try plan.stages(
            observation, over: Plan.Scope(plan, layers: prefix.layers.count),
            directory: options.directory
        ).0
        let storedBytes = Ledger(layers).storedBytes
        let outputs = try outputs(over: layers)
        let errors = outputs.indices.map { distances(outputs[$0], layer: $0) }
        return Outcome(
            plan: plan, storedBytes: storedBytes,
            ratio: Double(prefix.f16Bytes) / Double(storedBytes),
            error: Self.mean(Array(errors.joined())), layerErrors: errors.map(Self.mean))
    }

    /// What the held-out queries see over a compressed prefix: outputs per layer and query head.
    private func outputs(over layers: [LayerCache]) throws(CompressionError) -> [[[Float]]] {
        var outputs: [[[Float]]] = []
        for (index, layer) in cache.layers.enumerated() {
            outputs.append(
                try joined(layers[index], index).attend(
                    layer.queries ?? [], options: Self.causal(cache.tokens, holdout, options),
                    allocator: options.allocator))
        }
        return outputs
    }

    /// How far a layer's query heads are from what they see of the full cache.
    private func distances(_ outputs: [[Float]], layer: Int) -> [Double] {
        zip(outputs, reference[layer]).map(Self.distance)
    }

    /// A layer of the compressed prefix with the exact suffix behind it.
    private func joined(_ compressed: LayerCache, _ index: Int) -> LayerCache {
        let layer = cache.layers[index]
        let suffix = LayerCache(
            viewing: CacheLayer(
                keys: layer.keys.map { $0[prefixTokens..<cache.tokens] },
                values: layer.values.map { $0[prefixTokens..<cache.tokens] }),
            firstPosition: prefixTokens)
        var joined = compressed
        for head in joined.heads.indices { joined.heads[head] += suffix.heads[head] }
        return joined
    }

    private static func causal(
        _ tokens: Int, _ holdout: Int, _ options: CompressionOptions
    ) -> AttentionOptions {
        var attention = AttentionOptions()
        attention.positions = (tokens - holdout..<tokens).map(Int32.init)
        attention.workers = options.workers
        attention.instructionSet = options.instructionSet
        return attention
    }

    /// Per query head: the share of its attention that falls on represented tokens and the suffix.
    private func mass(
        of compressed: CompressedCache, _ represented: [[UInt32]]?, layer: Int
    ) -> [Double] {
        let heads = reference[layer].count
        let group = heads / cache.layers[layer].keys.count
        let sums = received.rows(.sum, layer: layer, heads: heads)
        return (0..<heads).map { head in
            func sum(_ token: Int) -> Double { Double(sums[head * cache.tokens + token]) }
            var kept = (prefixTokens..<cache.tokens).reduce(0) { $0 + sum($1) }
            if let represented {
                for token in represented[head / group] { kept += sum(Int(token)) }
            } else {
                for segment in compressed.layers[layer].heads[head / group] {
                    for entry in 0..<segment.count { kept += sum(Int(segment.positions(entry))) }
                }
            }
            return kept / Double(holdout)
        }
    }

    /// Decodes the held-out tokens one by one over the compressed prefix, three times over when they are few.
    private func decodeTime(_ compressed: CompressedCache) throws(CompressionError) -> Double {
        let clock = ContinuousClock()
        var attention = AttentionOptions()
        attention.workers = options.workers
        attention.instructionSet = options.instructionSet
        var times: [Double] = []
        for token in (0..<max(holdout, 192)).lazy.map({ $0 % holdout }).prefix(256) {
            let start = clock.now
            var heads = 0
            for (index, layer) in cache.layers.enumerated() {
                let queries = (layer.queries ?? []).map { $0[token..<token + 1] }
                heads += queries.count
                _ = try compressed.attend(queries, layer: index, options: attention)
            }
            times.append((clock.now - start) / .nanoseconds(1) / Double(heads))
        }
        return times.sorted()[times.count / 2]
    }

    /// What decoding the held-out tokens one by one reads.
    private func decoded(
        _ compressed: CompressedCache
    ) throws(CompressionError) -> AttentionStatistics.Totals {
        let statistics = AttentionStatistics()
        var attention = AttentionOptions()
        attention.workers = options.workers
        attention.instructionSet = options.instructionSet
        attention.statistics = statistics
        for token in 0..<holdout {
            for (index, layer) in cache.layers.enumerated() {
                _ = try compressed.attend(
                    (layer.queries ?? []).map { $0[token..<token + 1] }, layer: index,
                    options: attention)
            }
        }
        return statistics.totals
    }

    private static func mean(_ values: [Double]) -> Double {
        values.reduce(0, +) / Double(max(values.count, 1))
    }

    private static func distance(_ a: [Float], _ exact: [Float]) -> Double {
        var difference = 0.0, size = 0.0
        for (x, y) in zip(a, exact) {
            difference += (Double(x) - Double(y)) * (Double(x) - Double(y))
            size += Double(y) * Double(y)
        }
        // Against an output of zeros, anything else is wholly wrong.
        return size == 0 ? (difference == 0 ? 0 : 1) : (difference / size).squareRoot()
    }

    private static func cosines(_ a: [Float], _ exact: [Float], dim: Int) -> [Double] {
        stride(from: 0, to: a.count, by: dim).map { row in
            var dot = 0.0, x2 = 0.0, y2 = 0.0
            for i in row..<row + dim {
                dot += Double(a[i]) * Double(exact[i])
                x2 += Double(a[i]) * Double(a[i])
                y2 += Double(exact[i]) * Double(exact[i])
            }
            return x2 == 0 || y2 == 0 ? 1 : dot / (x2 * y2).squareRoot()
        }
    }
}
