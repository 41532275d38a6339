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
        try cache.checkValues(for: encode)
        let selection = try select(from: cache, encode: encode, kernels: kernels, options: options)
        let encoders = cache.layers.indices.map { layer in
            LayerEncoder(
                layer: cache.layers[layer], kept: selection.kept[layer], encode: encode,
                protected: HeadLayout.isProtected(layer, of: cache.layers.count, by: encode))
        }
        let layers = options.workers.map(encoders.count) { layer in
            encoders[layer].encode(allocator: allocator, kernels: kernels)
        }
        let report = Report(
            plan: description, tokens: cache.tokens, layers: layers,
            peakBytes: allocator.peakBytes - before, seconds: (clock.now - start) / .seconds(1),
            remarks: selection.remarks)
        return CompressedCache(
            plan: self, tokens: cache.tokens, metadata: cache.metadata, report: report,
            layers: layers)
    }

    private func select(
        from cache: Cache, encode: EncodeConfiguration, kernels: Kernels,
        options: CompressionOptions
    ) throws(CompressionError) -> Selection {
        guard let eviction else { return .all(of: cache) }
        let observation = Observation(
            cache: cache, kernels: kernels, workers: options.workers, allocator: options.allocator)
        let geometry = cache.layers.map(\.geometry)
        return try eviction.select(from: observation) { counts in
            Ledger.estimate(
                counts, geometry: geometry, tokens: cache.tokens, encode: encode,
                sharedPositions: eviction.sharesTokens)
        }
    }
}
