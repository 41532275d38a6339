import ArgumentParser
import Foundation
import KVCompress

/// Choosing and merging tokens: KVCrush's distances and its whole choice, KVMerger, MiniCache.
struct SelectBench {
    private let tokens: [Int]
    private let shape: BenchShape

    init(_ shape: BenchShape) {
        self.shape = shape
        tokens = shape.tokens(default: 32_768)
    }

    func run(_ sitting: Sitting) throws {
        let prefill = try PrefillBench(shape, tokens: shape.cached ? [256] : [2048, 4096])
            .plain(sitting)
        for tokens in tokens {
            for isa in shape.levels {
                let teams = sitting.threads == 1 ? [1] : [1, sitting.threads]
                try sitting.time(
                    teams.map { try distances(tokens, isa, $0, sitting) }, rounds: 10)
                sitting.status.now("choosing among \(tokens) tokens")
                let source = MadeUp(tokens: tokens, heads: shape.heads, dim: shape.dim)
                // Each thread has a layer, or a pair of them, to itself.
                let cache = try Cache(
                    layers: (0..<2 * sitting.threads).map { source.layer($0, queries: 8) })
                let options = CompressionOptions(
                    workers: sitting.workers(sitting.threads), instructionSet: isa)
                try sitting.time(
                    [
                        try choice(cache, options, prefill, sitting),
                        try merge(cache, options, sitting), try share(cache, options, sitting),
                    ], rounds: 5)
            }
        }
    }

    /// Distances of 32-bit signatures, as many at a time as a layer has tokens.
    private func distances(
        _ tokens: Int, _ isa: InstructionSet, _ threads: Int, _ sitting: Sitting
    ) throws -> Contestant {
        let parts = shape.cached ? threads : max(threads, Bandwidth.workingSet / (4 * tokens))
        let signatures = Storage(byteCount: parts * tokens * 4) { bytes in
            let words = bytes.assumingMemoryBound(to: UInt32.self)
            for index in words.indices {
                words[index] = UInt32(truncatingIfNeeded: index &* 2_654_435_761)
            }
        }
        let anchor: [UInt8] = [0x12, 0x34, 0x56, 0x78]
        let compute = SignatureDistances(signatures, bytes: 4, instructionSet: isa)
        let team = sitting.workers(threads)
        var found = [UInt32](repeating: 0, count: tokens)
        compute(0..<tokens, to: anchor, into: &found)
        let words = signatures.bytes.bindMemory(to: UInt32.self)
        for (index, distance) in found.enumerated()
        where Int(distance) != (UInt32(littleEndian: words[index]) ^ 0x7856_3412).nonzeroBitCount {
            throw Failure(
                description: "hamming: signature \(index) is at \(distance); not timed",
                status: .failure)
        }
        return Contestant(
            work: "select", codec: "hamming(bits=32)", tokens: tokens, isa: isa, threads: threads,
            bytes: [signatures.byteCount],
            yardstick: shape.yardstick(.read, threads: threads, bytes: signatures.byteCount),
            inARow: shape.cached ? 8 : 0, units: parts,
            step: { _ in
                _ = team.map(threads) { thread in
                    withUnsafeTemporaryAllocation(of: UInt32.self, capacity: tokens) { distances in
                        for part in parts * thread / threads..<parts * (thread + 1) / threads {
                            compute(
                                part * tokens..<(part + 1) * tokens, to: anchor,
                                into: distances.baseAddress!)
                        }
                    }
                }
            })
    }

    /// KVCrush's choice, from known attention to tokens, beside the prefill of the same layer.
    private func choice(
        _ cache: Cache, _ options: CompressionOptions, _ prefill: [BenchResult.Row],
        _ sitting: Sitting
    ) throws -> Contestant {
        let plan = try Plan("h2o(budget=25%) | kvcrush")
        let work = try StageWork(plan, cache, options: options)
        let kept = try work.select(), wanted = (cache.tokens + 2) / 4
        let plain = CompressionOptions(instructionSet: .scalar)
        guard try StageWork(plan, cache, options: plain).select() == kept,
            kept.joined().allSatisfy({ $0.count == wanted && Set($0).count == wanted })
        else { throw Self.wrong(plan) }
        let last = prefill[prefill.count - 1]
        // Attention of a prompt over itself grows with the square of its tokens.
        let growth = pow(Double(cache.tokens) / Double(last.tokens), 2)
        return Contestant(
            work: "select", codec: plan.description, tokens: cache.tokens,
            isa: options.instructionSet, threads: sitting.threads, bytes: [0], yardstick: nil,
            units: cache.layers.count, step: { _ in _ = try work.select() },
            figures: { milliseconds, _ in
                BenchFigures(
                    queryHeads: shape.heads.query, kvHeads: shape.heads.kv, dim: shape.dim,
                    percent: 100 * milliseconds / (last.milliseconds * growth),
                    note: String(
                        format: "of the prefill: %.0f ms, from that of %d tokens by their squares",
                        last.milliseconds * growth, last.tokens))
            })
    }

    private func merge(
        _ cache: Cache, _ options: CompressionOptions, _ sitting: Sitting
    ) throws -> Contestant {
        let plan = try Plan("kvmerger(budget=50%)")
        let work = try StageWork(plan, cache, options: options)
        let merged = work.merge()
        let plain = CompressionOptions(instructionSet: .scalar)
        guard try StageWork(plan, cache, options: plain).merge() == merged,
            merged.joined().allSatisfy({ $0.reduce(0, +) == cache.tokens })
        else { throw Self.wrong(plan) }
        return moving(plan, cache, options, sitting) { _ = work.merge() }
    }

    private func share(
        _ cache: Cache, _ options: CompressionOptions, _ sitting: Sitting
    ) throws -> Contestant {
        let plan = try Plan("minicache(from=0%)")
        let work = try StageWork(plan, cache, options: options)
        let shared = work.share()
        let plain = CompressionOptions(instructionSet: .scalar)
        let again = try StageWork(plan, cache, options: plain).share()
        guard shared.allSatisfy({ $0.rows > 0 }),
            zip(shared, again).allSatisfy({ $0 == $1 })
        else { throw Self.wrong(plan) }
        return moving(plan, cache, options, sitting) {
            _ = work.share(digesting: false)
        }
    }

    /// A work that has to read every key and value at least once.
    private func moving(
        _ plan: Plan, _ cache: Cache, _ options: CompressionOptions, _ sitting: Sitting,
        _ step: @escaping () -> Void
    ) -> Contestant {
        Contestant(
            work: "select", codec: plan.description, tokens: cache.tokens,
            isa: options.instructionSet, threads: sitting.threads, bytes: [cache.f16Bytes],
            yardstick: shape.yardstick(.read, threads: sitting.threads, bytes: cache.f16Bytes),
            units: cache.layers.count, step: { _ in step() },
            figures: { _, _ in
                BenchFigures(
                    queryHeads: shape.heads.query, kvHeads: shape.heads.kv, dim: shape.dim,
                    note: "one layer, each key and value read once")
            })
    }

    private static func wrong(_ plan: Plan) -> Failure {
        Failure(
            description:
                "\(plan): is not what scalar code makes, or not of the right size; not timed",
            status: .failure)
    }
}
