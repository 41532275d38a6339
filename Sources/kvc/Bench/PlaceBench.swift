import ArgumentParser
import KVCompress

/// Attention that reads few of the values, beside attention that reads all: in memory, and when values are in
/// a file of which memory holds nothing.
struct PlaceBench {
    private let plan: Plan
    private let tokens: [Int]
    private let shape: BenchShape

    init(_ shape: BenchShape) throws {
        self.shape = shape
        tokens = shape.tokens(default: 32_768)
        let plans = try shape.plans(default: "f16 | kcache")
        guard plans.count == 1, plans[0].valuesRead != nil else {
            throw Failure(
                description: "place: takes one --codec that ends with kcache",
                status: .validationFailure)
        }
        plan = plans[0]
    }

    func run(_ sitting: Sitting) throws {
        for tokens in tokens {
            for isa in shape.levels {
                sitting.status.now("\(plan), \(tokens) tokens")
                let source = MadeUp(tokens: tokens, heads: shape.heads, dim: shape.dim)
                let rotation = try Rotation(
                    plan, source, workers: sitting.workers(sitting.threads), isSingle: shape.cached)
                try sitting.time(
                    try [false, true].map {
                        try contestant(rotation, source, isa, isWhole: $0, isCold: false, sitting)
                    }, rounds: 10)
                // A system without a way to forget pages has no cold ones to measure.
                guard let kept = rotation.caches[0].forgetMapped(), kept < 0.05 else { continue }
                try sitting.time(
                    try [false, true].map {
                        try contestant(rotation, source, isa, isWhole: $0, isCold: true, sitting)
                    }, rounds: 3)
            }
        }
    }

    /// - Parameters:
    ///   - isWhole: whether all values are read.
    ///   - isCold: whether memory forgets the file before every step.
    private func contestant(
        _ rotation: Rotation, _ source: MadeUp, _ isa: InstructionSet, isWhole: Bool, isCold: Bool,
        _ sitting: Sitting
    ) throws -> Contestant {
        var options = AttentionOptions()
        options.workers = sitting.workers(sitting.threads)
        options.instructionSet = isa
        let caches = isWhole ? rotation.caches.map(\.readWhole) : rotation.caches
        let queries = source.queries(1), first = caches[0]
        try Naive.check(
            try first.attend(queries, layer: 0, options: options), of: queries, first, layer: 0,
            "\(plan)", most: isWhole ? nil : plan.valuesRead, workers: options.workers)
        let bytes = try caches.map { try $0.bytesRead(queries, layer: 0, options) }
        return Contestant(
            work: "place", codec: isWhole ? "all values" : plan.description, tokens: first.tokens,
            isa: isa, threads: sitting.threads, bytes: bytes,
            yardstick: shape.yardstick(.read, threads: sitting.threads, bytes: bytes[0]),
            before: { step in if isCold { _ = caches[step].forgetMapped(inOrder: isWhole) } },
            step: { step in _ = try caches[step].attend(queries, layer: 0, options: options) },
            figures: { milliseconds, all in
                BenchFigures(
                    queryHeads: shape.heads.query, kvHeads: shape.heads.kv, dim: shape.dim,
                    speedup: all[1] / milliseconds,
                    note: "all values, " + (isCold ? "file cold" : "file in memory"))
            })
    }
}
