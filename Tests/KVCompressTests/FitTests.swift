import Foundation
import Testing

@testable import KVCompress

/// The fit stage against its reference, and what it promises on queries that it has not seen.
@Suite struct FitTests {
    typealias Entries = CompressedCache.Entries

    private func rows(_ packed: [Float], _ count: Int) -> [[Double]] {
        let dim = packed.count / count
        return (0..<count).map { packed[$0 * dim..<($0 + 1) * dim].map(Double.init) }
    }

    private func size(_ rows: [[Double]]) -> Double {
        rows.joined().reduce(0) { $0 + $1 * $1 }.squareRoot()
    }

    /// Groups, dims, formats, more entries than queries and fewer, biases and not.
    @Test(arguments: 0..<10) func reference(seed: Int) throws {
        var random = Seeded(seed)
        var shape = RandomCache.any(seed + 300, tokens: 10...40)
        (shape.layers, shape.kvHeads, shape.group) = (1, 2, seed % 3 + 1)
        (shape.keyDim, shape.valueDim) = (random.pick([8, 12, 16]), random.pick([1, 7, 8]))
        shape.queries = seed % 2 == 0 ? 5 : shape.tokens
        let cache = try shape.make()
        let ridge = [1e-2, 1e-1, 1][seed % 3], bias = seed % 4 != 3
        let before = try Plan("knorm(budget=60%) | f32").compress(cache)
        let after = try Plan(
            "knorm(budget=60%) | f32 | fit(ridge=\(ridge), bias=\(bias ? "on" : "off"))"
        ).compress(cache)
        for layer in 0..<shape.layers {
            for head in 0..<shape.kvHeads {
                let old = before.entries(layer: layer, head: head)
                let new = after.entries(layer: layer, head: head)
                let count = old.positions.count
                #expect(new.positions == old.positions && new.keys == old.keys)
                let reference = FitReference(cache, layer: layer, head: head)
                let shares = reference.shares(rows(old.keys, count), old.positions)
                let start = [Double](repeating: 1, count: count)
                let weights =
                    bias
                    ? reference.weights(shares, start: start, rounds: MassFit.rounds) : start
                for (vote, weight) in zip(new.votes, weights) {
                    #expect(abs(log(Double(vote)) - log(weight)) < 5e-3, "\(shape)")
                }
                // From here on with the weights as they were stored.
                let a = reference.attention(shares, new.votes.map(Double.init))
                let exact = reference.values(a, rows(old.values, count), ridge: ridge)
                let largest = (0..<shape.tokens).flatMap {
                    cache.layers[layer].values[head].row($0)
                }
                .map { Double(abs($0)) }.max()!
                let clamped = exact.map { $0.map { min(max($0, -largest), largest) } }
                let fitted = rows(new.values, count)
                let error = size(zip(fitted, clamped).map { zip($0, $1).map { $0 - $1 } })
                #expect(error < 2e-3 * size(clamped), "\(shape): \(error / size(clamped))")
                // What was asked for: mass and outputs of the reference queries.
                if bias {
                    #expect(
                        reference.massError(shares, new.votes.map(Double.init))
                            <= reference.massError(shares, start) + 1e-6)
                }
                #expect(
                    size(reference.missing(a, exact))
                        <= size(reference.missing(a, rows(old.values, count))) + 1e-9)
            }
        }
    }

    /// Both ways to solve for the values, and the factor behind them.
    @Test(arguments: [1, 2, 5, 40]) func cholesky(n: Int) {
        var random = Seeded(n)
        let dim = 3, length = n / 2 + 1, ridge: Float = 0.1
        let rows = (0..<n).map { _ in (0..<length).map { _ in Double(random.normal()) } }
        let matrix = Allocator().buffer(Float.self, n * n)
        for i in 0..<n {
            for j in 0..<n {
                matrix[i * n + j] = Float(zip(rows[i], rows[j]).reduce(0) { $0 + $1.0 * $1.1 })
            }
        }
        let dots = (0..<n * n).map { Double(matrix[$0]) }
        let right = Allocator().buffer(Float.self, n * dim)
        for element in 0..<n * dim { right[element] = random.normal() }
        let wanted = (0..<n * dim).map { Double(right[$0]) }
        Cholesky(overwriting: matrix, n: n, ridge: ridge, kernels: .best).solve(right, dim: dim)
        for i in 0..<n {
            for c in 0..<dim {
                let product = (0..<n).reduce(Double(ridge) * Double(right[i * dim + c])) {
                    $0 + dots[i * n + $1] * Double(right[$1 * dim + c])
                }
                #expect(abs(product - wanted[i * dim + c]) < 1e-3, "\(i), \(c)")
            }
        }
    }

    /// A matrix that is singular but for its ridge.
    @Test func choleskyOfOnes() {
        let n = 30, matrix = Allocator().buffer(Float.self, 900)
        for element in 0..<900 { matrix[element] = 1e6 }
        let right = Allocator().buffer(Float.self, n)
        for element in 0..<n { right[element] = 1 }
        Cholesky(overwriting: matrix, n: n, ridge: 1e-6, kernels: .best).solve(right, dim: 1)
        #expect((0..<n).allSatisfy { right[$0].isFinite })
    }

    /// Where nothing was lost there is nothing to repair.
    @Test(arguments: Dump.allCases) func wholeCache(dump: Dump) throws {
        let cache = try dump.cache().prefix(120)
        let row = try Comparison(cache: cache, holdout: 20).row(for: Plan("f16 | fit"))
        #expect(row.errorWorst < 2e-3, "\(row.errorWorst)")
    }

    /// The same bits for any number of threads and at any level.
    @Test func deterministic() throws {
        var shape = RandomCache(seed: 5, layers: 3, kvHeads: 2, group: 3, tokens: 120)
        shape.queries = 70
        let cache = try shape.make()
        let plan = try Plan("rms(budget=30%) | q4 | fit")
        let once = try plan.compress(cache)
        for set in InstructionSet.supported {
            let again = try plan.compress(
                cache,
                options: CompressionOptions(workers: Workers(threads: 3), instructionSet: set))
            for layer in 0..<3 {
                for head in 0..<2 {
                    let a = once.entries(layer: layer, head: head)
                    let b = again.entries(layer: layer, head: head)
                    #expect(
                        a.values.bits == b.values.bits && a.votes.bits == b.votes.bits, "\(set)")
                }
            }
        }
    }

    /// Attention on fitted entries is attention over what they export.
    @Test(arguments: ["f16", "q8", "q4(rotate=hadamard, window=5)"]) func contract(codec: String)
        throws
    {
        var shape = RandomCache(seed: 8, group: 3, tokens: 80)
        shape.queries = 40
        let compressed = try Plan("h2o(budget=40%) | \(codec) | fit").compress(shape.make())
        #expect(try compressed.worstError(shape.makeQueries(5), layer: 0) < 1e-3)
    }

    /// Fewer positions than were observed: as many for every head, the last among them.
    @Test func manyQueries() throws {
        var shape = RandomCache(seed: 6, kvHeads: 1, group: 16, tokens: 90, keyDim: 8, valueDim: 8)
        shape.queries = 90
        let reference = ReferenceAttention(try observation(shape.make()), layer: 0, head: 0)
        #expect(reference.rows == 1024)
        shape.queries = 64
        #expect(
            ReferenceAttention(try observation(shape.make()), layer: 0, head: 0).rows == 1024)
        shape.queries = 3
        #expect(ReferenceAttention(try observation(shape.make()), layer: 0, head: 0).rows == 48)
    }

    private func observation(_ cache: Cache) -> Observation {
        Observation(cache: cache, kernels: .best, workers: .caller, allocator: Allocator())
    }

    /// Extreme caches: everything stays finite and within what was there.
    @Test func extremes() throws {
        for (scale, plan) in [
            (Float(60000), "knorm(budget=20%) | q8 | fit(ridge=1e-4)"),
            (0, "knorm(budget=20%) | fit"),
            (1e-30, "random(budget=1) | f32 | fit"), (60000, "streaming(budget=3) | q4 | fit"),
        ] {
            var random = Seeded(4)
            func rows(_ count: Int, _ scale: Float) -> Rows {
                Rows(
                    (0..<count * 16).map { _ in max(-1, min(1, random.normal())) * scale }, dim: 16)
            }
            let layer = CacheLayer(
                keys: [rows(40, 30)], values: [rows(40, scale)], queries: [rows(40, 30)])
            let compressed = try Plan(plan).compress(Cache(layers: [layer]))
            let entries = compressed.entries(layer: 0, head: 0)
            #expect(entries.values.allSatisfy { abs($0) <= scale * 1.01 }, "\(plan)")
            #expect(entries.votes.allSatisfy { $0.isFinite && $0 > 0 }, "\(plan)")
        }
    }

    /// Keys that a basis or a shared direction changed beyond recognition ask for weights without bounds: one
    /// direction keeps nothing of half of the keys, and lower layers that point elsewhere drown others.
    @Test(arguments: [
        "lowrank(keys=1) | f32 | fit", "minicache(from=0%, rows=head) | f32 | fit",
        "minicache(from=0%, rows=head) | q8 | fit",
    ])
    func changedKeys(plan: String) throws {
        for scale in [Float(3), 30, 300, 3000] {
            var random = Seeded(Int(scale))
            func rows(_ scale: Float) -> Rows {
                Rows((0..<64 * 16).map { _ in random.normal() * scale }, dim: 16)
            }
            let layers = (0..<2).map { _ in
                CacheLayer(keys: [rows(scale)], values: [rows(1)], queries: [rows(scale)])
            }
            let compressed = try Plan(plan).compress(Cache(layers: layers))
            for layer in layers.indices {
                let votes = compressed.entries(layer: layer, head: 0).votes
                #expect(
                    votes.allSatisfy {
                        $0 >= 0.99 * MassFit.least && $0 <= 1.01 * MassFit.greatest
                    },
                    "\(plan), scale \(scale): \(votes.min()!) ... \(votes.max()!)")
            }
        }
    }

    /// Biases are counted, and budgets in bytes leave room for them.
    @Test func ledger() throws {
        var shape = RandomCache(seed: 7, layers: 2, kvHeads: 3, tokens: 80)
        shape.queries = 20
        let cache = try shape.make()
        func stored(_ plan: String) throws -> Int {
            try Plan(plan).compress(cache).report.storedBytes
        }
        let bare = try stored("rms(budget=32) | q4")
        #expect(try stored("rms(budget=32) | q4 | fit") == bare + 2 * 3 * 32 * 2)
        #expect(try stored("rms(budget=32) | q4 | fit(bias=off)") == bare)
        for bytes in [2000, 9000, 30_000] {
            #expect(try stored("h2o(budget=\(bytes)B) | q8 | fit") <= bytes)
        }
    }

    /// The scorer of the paper's pair, against probabilities.
    @Test(arguments: 0..<4) func rms(seed: Int) throws {
        let source = try SeededCache(seed: seed, tokens: 50, queries: 10 + 13 * seed)
        let eviction = try #require(Plan("rms(budget=1)").eviction)
        for (layer, scores) in try eviction.scorer.scores(source.observation()).enumerated() {
            for head in 0..<scores.heads {
                let p = ReferenceScores(source: source, layer: layer).attention(head)
                for token in 0..<50 {
                    let seenBy = p.indices.count { 50 - p.count + $0 >= token }
                    let exact = (p.reduce(0) { $0 + $1[token] * $1[token] } / Double(seenBy))
                        .squareRoot()
                    #expect(abs(Double(scores.row(head)[token]) - exact) < 1e-5)
                }
            }
        }
    }

    /// The report says where a fit has only the rounding of keys to repair.
    @Test(arguments: [
        ("q4 | fit", true), ("knorm(budget=100%) | q2 | fit", true),
        ("knorm(budget=60%) | q4 | fit", false), ("kvmerger(budget=50%) | fit", false),
        ("q4", false),
    ]) func remark(text: String, isNeedless: Bool) throws {
        let cache = try RandomCache(seed: 8, tokens: 60, queries: 30).make()
        let remarks = try Plan(text).compress(cache).report.remarks
        #expect(remarks.contains(Fit.needless) == isNeedless, "\(text): \(remarks)")
    }

    @Test func textAndRefusals() throws {
        #expect(
            try Plan("q4|fit( ridge = 1e-2, bias=on, queries=observed )").description == "q4 | fit")
        #expect(try Plan("fit(bias=off, ridge=0.5)").description == "fit(bias=off, ridge=0.5)")
        #expect(throws: CompressionError.self) { try Plan("fit | q4") }
        for ridge in ["0", "-1", "nan", "1e9"] {
            #expect(throws: CompressionError.self) { try Plan("fit(ridge=\(ridge))") }
        }
        let error = #expect(throws: CompressionError.self) {
            try Plan("fit").compress(RandomCache(seed: 1).make())
        }
        #expect(error?.code == .queries && error?.description.contains("'fit'") == true)
    }
}
