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
        let clock = ContinuousClock()
        let start = clock.now
        allocator.resetPeak()
        let before = allocator.heldBytes
        let observation = Observation(
            cache: cache, kernels: Kernels(options.instructionSet), workers: options.workers,
            allocator: allocator)
        let (layers, remarks) = try stages(
            observation, over: Scope(self, layers: cache.layers.count),
            directory: options.directory)
        let report = Report(
            plan: description, tokens: cache.tokens, layers: layers,
            peakBytes: allocator.peakBytes - before, seconds: (clock.now - start) / .seconds(1),
            remarks: remarks)
        return CompressedCache(
            plan: self, tokens: cache.tokens, metadata: cache.metadata, report: report,
            layers: layers)
    }

    /// What a plan says of single layers: the layers of a cache may be a part of somebody's.
    struct Scope {
        /// Adjacent layers that share.
        var groups: [Range<Int>]
        /// Which layers stay in full precision.
        var protected: [Bool]
        /// What each layer's entries are chosen by when they are read.
        var placements: [(any Placement)?]

        /// All layers of a cache.
        init(_ plan: Plan, layers: Int) {
            let encode = plan.encode ?? .plain
            groups = plan.sharer?.groups(layers: layers) ?? (0..<layers).map { $0..<$0 + 1 }
            protected = (0..<layers).map { encode.protects($0, of: layers) }
            placements = (0..<layers).map { plan.placement(of: $0) }
        }
    }

    /// All stages over all layers of a cache, and what to say of them.
    func stages(
        _ observation: Observation, over scope: Scope, directory: URL
    ) throws(CompressionError) -> ([LayerCache], remarks: [String]) {
        let encode = self.encode ?? .plain
        let cache = observation.cache
        let checksLate = eviction == nil && merger == nil && writesAtOnce
        if !checksLate || !cache.hasFiniteQueries {
            try cache.checkValues(
                for: encode, projected: projector != nil, workers: observation.workers)
        }
        let selection = try select(from: observation, encode: encode)
        try merger?.prepare(observation)
        var remarks = selection.remarks
        try projector?.prepare(observation, remarks: &remarks)
        if encode.zipcache != nil { try observation.requireQueries(for: "zipcache") }
        if fit != nil { try observation.requireQueries(for: Fit.identity.name) }
        let rotations = Rotations()
        // Groups in parallel; where they are fewer than threads, what is in each of them.
        let workers = observation.workers, apart = scope.groups.count >= workers.threads
        let results = (apart ? workers : .caller).map(scope.groups.count) { index in
            Result { () throws(CompressionError) in
                try encoded(
                    scope.groups[index], scope, selection, encode, rotations, observation,
                    directory, apart ? .caller : workers)
            }
        }
        var layers: [LayerCache] = []
        for result in results {
            if checksLate, case .failure(let error) = result, error.code == .values {
                // Now say which number is the first.
                try cache.checkValues(for: encode, projected: false, workers: workers)
            }
            let written = try result.get()
            layers += written.layers
            remarks += written.remarks
        }
        for layer in layers.indices { layers[layer].placement = scope.placements[layer] }
        let isWhole = layers.indices.allSatisfy { layer in
            layers[layer].heads.indices.allSatisfy {
                layers[layer].entries($0) == observation.pastTokens(layer: layer)
            }
        }
        if fit != nil, isWhole { remarks.append(Fit.needless) }
        return (layers, remarks.withoutRepetitions)
    }

    /// Whether nobody looks at the rows that are written but their codecs, which can check them, too.
    private var writesAtOnce: Bool {
        let encode = self.encode ?? .plain
        return sharer == nil && projector == nil && fit == nil && encode.zipcache == nil
            && !encode.keys.wantsBasis && !encode.values.wantsBasis
    }

    private typealias Encoded = (layers: [LayerCache], remarks: [String])

    /// A group of layers through all stages behind the eviction.
    private func encoded(
        _ layers: Range<Int>, _ scope: Scope, _ selection: Selection, _ encode: EncodeConfiguration,
        _ rotations: Rotations, _ observation: Observation, _ directory: URL, _ workers: Workers
    ) throws(CompressionError) -> Encoded {
        var remarks: [String] = []
        let cache = observation.cache
        var drafts: [[HeadDraft]] = []
        for layer in layers {
            let merged = workers.map(cache.layers[layer].keys.count) { head in
                Result { () throws(CompressionError) in
                    try draft(
                        MergeInput(
                            observation: observation, layer: layer, head: head,
                            kept: selection.kept[layer][head]), encode)
                }
            }
            drafts.append([])
            for result in merged {
                let (draft, told) = try result.get()
                drafts[drafts.count - 1].append(draft)
                remarks += told
            }
        }
        let protected = Array(scope.protected[layers])
        // What layers share lives in memory if one of them is to be read whole.
        let mapsValues = scope.placements[layers.lowerBound]?.mapsValues ?? false
        let precision = selection.representatives == nil ? nil : eviction?.crush?.precision
        let codecs =
            encode.codecs + (precision.map { [CodecPair(keys: $0, values: $0)] } ?? [])
        for (index, layer) in layers.enumerated() where !protected[index] {
            let representatives =
                precision == nil ? [] : Set(selection.representatives?[layer] ?? [])
            for head in drafts[index].indices {
                if let zipcache = encode.zipcache {
                    drafts[index][head].classes = zipcache.classes(
                        of: drafts[index][head], except: representatives, window: encode.window,
                        layer: layer, head: head, observation: observation)
                }
                if precision != nil {
                    drafts[index][head].move(representatives, to: codecs.count - 1)
                }
            }
        }
        for (index, layer) in layers.enumerated() where cache.layers[layer].origins != nil {
            for head in drafts[index].indices {
                drafts[index][head].positions = drafts[index][head].positions.map {
                    cache.layers[layer].position($0, kvHead: head)
                }
            }
        }
        let encoder = GroupEncoder(
            layers: layers, drafts: drafts,
            codecs: protected.map { $0 ? [.plain] : codecs },
            window: protected.allSatisfy { $0 } ? 0 : encode.window,
            sharer: sharer, projectors: protected.map { $0 ? nil : projector },
            rotations: rotations, fit: fit, observation: observation,
            valueDirectory: mapsValues ? directory : nil, workers: workers,
            limits: writesAtOnce && (merger != nil || eviction == nil)
                ? { side, layer in
                    cache.layers[layer].limit(side, for: encode, projected: false)
                } : nil, remarks: &remarks)
        return (try encoder.encode(), remarks)
    }

    /// One kv head after merging.
    ///
    /// - Throws: `CompressionError` of code `.values` for a merged number that the plan cannot store: sums may
    ///   be larger than what they are made of.
    private func draft(
        _ input: MergeInput, _ encode: EncodeConfiguration
    ) throws(CompressionError) -> (HeadDraft, remarks: [String]) {
        guard let merger else { return (input.keeping(), []) }
        var remarks: [String] = []
        let draft = merger.merge(input, remarks: &remarks)
        guard !writesAtOnce else { return (draft, remarks) }
        let layer = input.observation.cache.layers[input.layer]
        for (name, side, rows) in [
            ("key", Side.keys, draft.keys), ("value", .values, draft.values),
        ] {
            let limit = layer.limit(side, for: encode, projected: projector != nil)
            guard
                let found = rows.firstBeyond(
                    limit, kernels: input.kernels, allocator: input.allocator)
            else { continue }
            throw .merged(found, limit, "layer \(input.layer), \(name) head \(input.head)")
        }
        return (draft, remarks)
    }

    func select(
        from observation: Observation, encode: EncodeConfiguration
    ) throws(CompressionError) -> Selection {
        let cache = observation.cache
        guard let eviction else { return .all(of: cache) }
        let geometry = cache.layers.map(\.geometry)
        return try eviction.select(from: observation) {
            storedBytes($0, geometry: geometry, tokens: cache.tokens)
        }
    }

    /// What so many tokens of each layer and head would be stored in, at most.
    func storedBytes(_ counts: [[Int]], geometry: [LayerGeometry], tokens: Int) -> Int {
        Ledger.estimate(
            counts, geometry: geometry, tokens: tokens, encode: encode ?? .plain,
            sharedPositions: eviction?.sharesTokens ?? true, projected: projector != nil,
            crush: eviction?.crush,
            // A fitted bias, or votes where tokens are merged.
            entryBytes: fit != nil || merger != nil ? EntryVector.bytes(1) : 0)
    }
}

extension [String] {
    /// The first of equal strings only.
    var withoutRepetitions: [String] {
        var seen: Set<String> = []
        return filter { seen.insert($0).inserted }
    }
}
