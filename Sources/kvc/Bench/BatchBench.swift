import Foundation
import KVCompress

/// Tokens a second at the largest batch whose caches fit a memory: attention of all sequences and layers.
struct BatchBench {
    private let plans: [Plan]
    private let tokens: [Int]
    private let shape: BenchShape

    init(_ shape: BenchShape) throws {
        self.shape = shape
        tokens = shape.tokens(default: 2048)
        plans =
            [try Plan("f16")]
            + (try shape.plans(default: "q4", "keydiff(budget=43%, tokens=layer) | q4"))
    }

    func run(_ sitting: Sitting) throws {
        for tokens in tokens {
            for isa in shape.levels {
                try sitting.time(
                    plans.map { try contestant($0, tokens, isa, sitting) }, rounds: 3)
            }
        }
    }

    private func contestant(
        _ plan: Plan, _ tokens: Int, _ isa: InstructionSet, _ sitting: Sitting
    ) throws -> Contestant {
        sitting.status.now("\(plan), a batch of \(tokens) tokens")
        let layers = shape.cached ? 4 : 32
        let source = MadeUp(tokens: tokens, heads: shape.heads, dim: shape.dim)
        let cache = try Cache(
            layers: (0..<layers).map { source.layer($0, queries: 64) },
            metadata: ["rope_theta": "500000"])
        // Two sequences in f16, but no cache of the machine may hold them.
        let memory = max(2 * cache.f16Bytes, shape.cached ? 0 : Bandwidth.workingSet)
        let compression = CompressionOptions(
            workers: sitting.workers(sitting.threads), instructionSet: isa)
        var sequences = [try plan.compress(cache, options: compression)]
        let batch = max(1, memory / sequences[0].ledger.storedBytes)
        while sequences.count < batch {
            sequences.append(try plan.compress(cache, options: compression))
        }
        var options = AttentionOptions()
        options.workers = compression.workers
        options.instructionSet = isa
        let queries = source.queries(1), stored = sequences
        for layer in [0, layers - 1] {
            try Naive.check(
                try stored[0].attend(queries, layer: layer, options: options), of: queries,
                stored[0], layer: layer, "\(plan), layer \(layer)", workers: options.workers)
        }
        let bytes = try (0..<layers).reduce(0) {
            $0 + (try stored[0].bytesRead(queries, layer: $1, options))
        }
        return Contestant(
            work: "batch", codec: plan.description, tokens: tokens, isa: isa,
            threads: sitting.threads, bytes: [bytes * batch],
            yardstick: shape.yardstick(.read, threads: sitting.threads, bytes: bytes * batch),
            step: { _ in
                for sequence in stored {
                    for layer in 0..<layers {
                        _ = try sequence.attend(queries, layer: layer, options: options)
                    }
                }
            },
            figures: { milliseconds, all in
                let rate = Double(batch) * 1e3 / milliseconds
                let batchInF16 = memory / cache.f16Bytes
                return BenchFigures(
                    queryHeads: shape.heads.query, kvHeads: shape.heads.kv, dim: shape.dim,
                    ratio: stored[0].report.ratio, tokensPerSecond: rate, batch: batch,
                    speedup: rate / (Double(batchInF16) * 1e3 / all[0]),
                    note: "f16; attention of \(layers) layers in \(memory >> 20) MiB")
            })
    }
}
