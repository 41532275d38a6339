/// What compressing may use.
public struct CompressionOptions: Sendable {
    /// The threads.
    ///
    /// The result does not depend on their number.
    public var workers: Workers
    /// The level of the kernels.
    ///
    /// The result does not depend on it.
    public var instructionSet: InstructionSet
    /// Where memory comes from: ask it for the peak.
    public var allocator: Allocator

    /// By default the caller's thread alone, the best kernels and an allocator of its own.
    public init(
        workers: Workers = .caller, instructionSet: InstructionSet = .best,
        allocator: Allocator = Allocator()
    ) {
        self.workers = workers
        self.instructionSet = instructionSet
        self.allocator = allocator
    }
}

extension Plan {
    /// Applies the plan to a full cache.
    ///
    /// Reads the cache once for its check, once more for each statistic that the plan needs, and the kept
    /// rows once to encode them. The cache itself is left alone.
    /// - Throws: `CompressionError`: a value that is not finite or too large to store (named: layer, head,
    ///   token), queries that a method needs and the cache lacks, a budget that cannot be met.
    public func compress(
        _ cache: Cache, options: CompressionOptions = CompressionOptions()
    ) throws(CompressionError) -> CompressedCache {
        let allocator = options.allocator
        let kernels = Kernels(options.instructionSet)
        let clock = ContinuousClock()
        let start = clock.now
        allocator.resetPeak()
        let before = allocator.heldBytes
        let encode = self.encode ?? .plain
        try cache.checkValues(for: encode, shared: sharer != nil)
        let observation = Observation(
            cache: cache, kernels: kernels, workers: options.workers, allocator: allocator)
        let selection = try select(from: observation, encode: encode)
        try merger?.prepare(observation)
        try projector?.prepare(observation)
        if fit != nil { try observation.requireQueries(for: Fit.identity.name) }
        let groups =
            sharer?.groups(layers: cache.layers.count) ?? cache.layers.indices.map { $0..<$0 + 1 }
        let written = options.workers.map(groups.count) { index in
            encoded(groups[index], selection, encode, observation)
        }
        let layers = written.flatMap(\.layers)
        let report = Report(
            plan: description, tokens: cache.tokens, layers: layers,
            peakBytes: allocator.peakBytes - before, seconds: (clock.now - start) / .seconds(1),
            remarks: (selection.remarks + written.flatMap(\.remarks)).withoutRepetitions)
        return CompressedCache(
            plan: self, tokens: cache.tokens, metadata: cache.metadata, report: report,
            layers: layers)
    }

    /// A group of layers through all stages behind the eviction.
    private func encoded(
        _ layers: Range<Int>, _ selection: Selection, _ encode: EncodeConfiguration,
        _ observation: Observation
    ) -> (layers: [LayerCache], remarks: [String]) {
        var remarks: [String] = []
        let cache = observation.cache
        let drafts = layers.map { layer in
            cache.layers[layer].keys.indices.map { head in
                let kept = selection.kept[layer][head]
                guard let merger else {
                    return HeadDraft(
                        keeping: kept, keys: cache.layers[layer].keys[head],
                        values: cache.layers[layer].values[head])
                }
                return merger.merge(
                    MergeInput(observation: observation, layer: layer, head: head, kept: kept),
                    remarks: &remarks)
            }
        }
        let protected = layers.map { encode.protects($0, of: cache.layers.count) }
        let encoder = GroupEncoder(
            layers: layers, drafts: drafts,
            codecs: protected.map { [$0 ? .plain : encode.main] },
            window: protected.allSatisfy { $0 } ? 0 : encode.window,
            sharer: sharer, projector: projector, fit: fit, observation: observation,
            remarks: &remarks)
        return (encoder.encode(), remarks)
    }

    private func select(
        from observation: Observation, encode: EncodeConfiguration
    ) throws(CompressionError) -> Selection {
        let cache = observation.cache
        guard let eviction else { return .all(of: cache) }
        let geometry = cache.layers.map(\.geometry)
        return try eviction.select(from: observation) { counts in
            Ledger.estimate(
                counts, geometry: geometry, tokens: cache.tokens, encode: encode,
                sharedPositions: eviction.sharesTokens, entryBytes: fit?.entryBytes ?? 0)
        }
    }
}

extension [String] {
    /// The first of equal strings only.
    fileprivate var withoutRepetitions: [String] {
        var seen: Set<String> = []
        return filter { seen.insert($0).inserted }
    }
}
