import ArgumentParser
import KVCompress

/// One decode step of one layer, on its compressed cache.
struct AttendBench {
    private let plans: [Plan]
    private let tokens: [Int]
    private let shape: BenchShape

    init(_ shape: BenchShape) throws {
        self.shape = shape
        tokens = shape.tokens(default: 32_768)
        plans = try shape.plans(
            default: "f16", "q8", "q4", "q4(rotate=hadamard)", "q4(keys=per-channel)")
        if let plan = plans.first(where: \.choosesOtherwise) {
            throw Failure(
                description: "'\(plan)': chooses what is read in a way that bench cannot check",
                status: .validationFailure)
        }
    }

    func run(_ sitting: Sitting) throws {
        for tokens in tokens { try run(tokens, sitting) }
    }

    private func run(_ tokens: Int, _ sitting: Sitting) throws {
        let source = MadeUp(tokens: tokens, heads: shape.heads, dim: shape.dim)
        let queries = source.queries(1)
        let contestants = try plans.flatMap { plan in
            sitting.status.now("\(plan), \(tokens) tokens")
            let rotation = try Rotation(
                plan, source, workers: sitting.workers(sitting.threads), isSingle: shape.cached)
            return try shape.levels.map {
                try contestant(rotation, queries, tokens, $0, sitting)
            }
        }
        try sitting.time(contestants, rounds: 10)
    }

    private func contestant(
        _ rotation: Rotation, _ queries: [Rows], _ tokens: Int, _ isa: InstructionSet,
        _ sitting: Sitting
    ) throws -> Contestant {
        var options = AttentionOptions()
        options.workers = sitting.workers(sitting.threads)
        options.instructionSet = isa
        let first = rotation.caches[0]
        for layer in first.geometry.indices {
            try Naive.check(
                try first.attend(queries, layer: layer, options: options), of: queries, first,
                layer: layer, "\(first.plan), \(tokens) tokens, \(isa.rawValue), layer \(layer)",
                most: first.plan.valuesRead, workers: options.workers)
        }
        let bytes = try rotation.places.map {
            try rotation.caches[$0.cache].bytesRead(queries, layer: $0.layer, options)
        }
        return Contestant(
            work: "attend", codec: first.plan.description, tokens: tokens, isa: isa,
            threads: sitting.threads, bytes: bytes,
            yardstick: shape.yardstick(.read, threads: sitting.threads, bytes: bytes[0]),
            inARow: shape.cached ? 8 : 0,
            step: { step in
                let place = rotation.places[step]
                _ = try rotation.caches[place.cache].attend(
                    queries, layer: place.layer, options: options)
            },
            figures: { _, _ in
                BenchFigures(
                    queryHeads: shape.heads.query, kvHeads: shape.heads.kv, dim: shape.dim,
                    ratio: first.report.ratio)
            })
    }
}

/// Copies of a compressed layer, so many that no cache of the machine holds them.
struct Rotation {
    let caches: [CompressedCache]
    /// Where each layer stands.
    let places: [(cache: Int, layer: Int)]

    /// - Parameter isSingle: whether a single copy is wanted.
    init(
        _ plan: Plan, _ source: MadeUp, workers: Workers, isSingle: Bool = false
    ) throws {
        let layers = (0..<plan.leastLayers).map { source.layer($0, queries: 64) }
        let cache = try Cache(layers: layers, metadata: ["rope_theta": "500000"])
        let options = CompressionOptions(workers: workers)
        var caches = [try plan.compress(cache, options: options)]
        while !isSingle, caches.reduce(0, { $0 + $1.ledger.storedBytes }) < Bandwidth.workingSet {
            caches.append(try plan.compress(cache, options: options))
        }
        self.caches = caches
        places = caches.indices.flatMap { cache in layers.indices.map { (cache, $0) } }
    }
}

extension CompressedCache {
    /// Bytes that one query per head reads of a layer: all but positions, and of the values those that it
    /// attends to.
    func bytesRead(
        _ queries: [Rows], layer: Int, _ options: AttentionOptions
    ) throws(CompressionError) -> Int {
        var options = options
        let statistics = AttentionStatistics()
        options.statistics = statistics
        _ = try attend(queries, layer: layer, options: options)
        let rest = ledger(layer: layer).components.filter {
            ![.positions, .valueRows, .valueCodes, .valueScales, .valueZeros].contains($0.key)
        }
        return rest.values.reduce(0, +) + statistics.totals.valueBytes
    }
}
