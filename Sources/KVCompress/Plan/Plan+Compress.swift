public import Foundation

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
    /// Where placements keep files, which never show up there by name.
    public var directory: URL

    /// By default the caller's thread alone, the best kernels, an allocator of its own and the directory
    /// for temporary files.
    public init(
        workers: Workers = .caller, instructionSet: InstructionSet = .best,
        allocator: Allocator = Allocator(),
        directory: URL = FileManager.default.temporaryDirectory
    ) {
        self.workers = workers
        self.instructionSet = instructionSet
        self.allocator = allocator
        self.directory = directory
    }
}

extension Plan {
    /// Applies the plan to a full cache.
    ///
    /// Reads the cache once for its check, once more for each statistic that the plan needs, and the kept
    /// rows once to encode them. The cache itself is left alone.
    /// - Throws: `CompressionError`: a value that is not finite or too large to store (named: layer, head,
    ///   token), queries that a method needs and the cache lacks, a budget that cannot be met, a file for
    ///   values that cannot be written.
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
        let groups =
            sharer?.groups(layers: cache.layers.count) ?? cache.layers.indices.map { $0..<$0 + 1 }
        let results = options.workers.map(groups.count) { index in
            Result { () throws(CompressionError) in
                try encoded(groups[index], selection, encode, observation, options.directory)
            }
        }
        var written: [Encoded] = []
        for result in results { written.append(try result.get()) }
        let layers = written.flatMap(\.layers).placed(by: placement)
        let report = Report(
            plan: description, tokens: cache.tokens, layers: layers,
            peakBytes: allocator.peakBytes - before, seconds: (clock.now - start) / .seconds(1),
            remarks: (selection.remarks + written.flatMap(\.remarks)).withoutRepetitions)
        return CompressedCache(
            plan: self, tokens: cache.tokens, metadata: cache.metadata, report: report,
            layers: layers)
    }

    private typealias Encoded = (layers: [LayerCache], remarks: [String])

    /// A group of layers through all stages behind the eviction.
    private func encoded(
        _ layers: Range<Int>, _ selection: Selection, _ encode: EncodeConfiguration,
        _ observation: Observation, _ directory: URL
    ) throws(CompressionError) -> Encoded {
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
        // What layers share lives in memory if one of them is to be read whole.
        let mapsValues = placement.map { $0.mapsValues && layers.lowerBound >= $0.first } ?? false
        let encoder = GroupEncoder(
            layers: layers, drafts: drafts,
            codecs: protected.map { [$0 ? .plain : encode.main] },
            window: protected.allSatisfy { $0 } ? 0 : encode.window,
            sharer: sharer, projector: projector, observation: observation,
            valueDirectory: mapsValues ? directory : nil, remarks: &remarks)
        return (try encoder.encode(), remarks)
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
                sharedPositions: eviction.sharesTokens)
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
