import ArgumentParser
import Foundation
import KVCompress

/// Writing layers in f32 as plans do, and by their keys' codec alone.
struct EncodeBench {
    private let plans: [Plan]
    private let tokens: [Int]
    private let shape: BenchShape

    init(_ shape: BenchShape) throws {
        self.shape = shape
        tokens = shape.tokens(default: 8192)
        plans = try shape.plans(default: "q8", "q4", "q4(rotate=hadamard)")
    }

    func run(_ sitting: Sitting) throws {
        for tokens in tokens { try run(tokens, sitting) }
    }

    private func run(_ tokens: Int, _ sitting: Sitting) throws {
        sitting.status.now("making \(tokens) tokens")
        let source = MadeUp(tokens: tokens, heads: shape.heads, dim: shape.dim, format: .f32)
        // Plans write layers in parallel: as many for each thread, none of them in a cache.
        let layerRows = 2 * shape.heads.kv * tokens
        let fewest = shape.cached ? 1 : Bandwidth.workingSet / (layerRows * shape.dim * 4) + 1
        let layers = (fewest + sitting.threads - 1) / sitting.threads * sitting.threads
        let rows = source.rows(layers * layerRows)
        let cache = try Cache(
            layers: (0..<layers).map { layer in
                func side(_ first: Int) -> [Rows] {
                    (0..<shape.heads.kv).map { head in
                        let start = layer * layerRows + (first + head) * tokens
                        return rows[start..<start + tokens]
                    }
                }
                return CacheLayer(keys: side(0), values: side(shape.heads.kv))
            })
        let teams = sitting.threads == 1 ? [1] : [1, sitting.threads]
        let contestants = try plans.flatMap { plan in
            try shape.levels.flatMap { isa in
                try teams.flatMap { threads in
                    [
                        try whole(plan, cache, isa, threads, sitting),
                        try alone(plan, rows, tokens, isa, threads, sitting),
                    ]
                }
            }
        }
        try sitting.time(contestants, rounds: 5)
    }

    /// All that a plan does, by layer.
    private func whole(
        _ plan: Plan, _ cache: Cache, _ isa: InstructionSet, _ threads: Int, _ sitting: Sitting
    ) throws -> Contestant {
        // Into memory that was written before, as the codec alone and the copy do.
        let options = CompressionOptions(
            workers: sitting.workers(threads), instructionSet: isa,
            allocator: Allocator(keeping: 2 * Bandwidth.workingSet))
        let written = try plan.compress(cache, options: options)
        let entries = written.entries(layer: 0, head: 0)
        for (rows, decoded) in [
            (cache.layers[0].keys[0], entries.keys), (cache.layers[0].values[0], entries.values),
        ] {
            try check(decoded, rows.floats(), bits: written.report.bitsPerValue, "\(plan)")
        }
        let elements = cache.layers.reduce(0) {
            $0 + $1.keys.count * 2 * cache.tokens * $1.geometry.keyDim
        }
        let bytes = elements * 4 + written.report.storedBytes
        return Contestant(
            work: "encode", codec: plan.description, tokens: cache.tokens, isa: isa,
            threads: threads, bytes: [bytes],
            yardstick: shape.yardstick(.copy, threads: threads, bytes: bytes),
            units: cache.layers.count,
            step: { _ in _ = try plan.compress(cache, options: options) },
            figures: { _, _ in figures("plan, one layer") })
    }

    /// The codec alone, as many rows as a layer has.
    private func alone(
        _ plan: Plan, _ rows: Rows, _ tokens: Int, _ isa: InstructionSet, _ threads: Int,
        _ sitting: Sitting
    ) throws -> Contestant {
        let layers = rows.count / (2 * shape.heads.kv * tokens), team = sitting.workers(threads)
        let rows = rows[0..<rows.count / 128 * 128]
        let writer = RowWriter(plan, count: rows.count, dim: shape.dim, instructionSet: isa)
        writer.write(rows, workers: team)
        let bits = Double(writer.byteCount * 8) / Double(rows.count * shape.dim)
        try check(
            writer.decoded(first: 4096), rows[0..<min(4096, rows.count)].floats(), bits: bits,
            "\(plan), codec alone")
        let bytes = rows.count * shape.dim * 4 + writer.byteCount
        return Contestant(
            work: "encode", codec: plan.description, tokens: tokens, isa: isa, threads: threads,
            bytes: [bytes], yardstick: shape.yardstick(.copy, threads: threads, bytes: bytes),
            units: layers,
            step: { _ in writer.write(rows, workers: team) },
            figures: { _, _ in figures("codec alone, one layer") })
    }

    private func figures(_ note: String) -> BenchFigures {
        BenchFigures(
            queryHeads: shape.heads.query, kvHeads: shape.heads.kv, dim: shape.dim, note: note)
    }

    /// Refuses rows that lost more than so many bits for each number explain.
    private func check(_ decoded: [Float], _ rows: [Float], bits: Double, _ what: String) throws {
        try Naive.compare(
            decoded, rows.map { Double($0) }, "\(what): decoded rows",
            bound: max(1e-3, 4 * exp2(-bits)))
    }
}
