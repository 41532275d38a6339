import Foundation
import Testing

@testable import KVCompress

/// Every scorer against its reference in double precision.
@Suite struct ScorerTests {
    private func scores(_ text: String, _ source: SeededCache, _ set: InstructionSet) throws
        -> [[[Float]]]
    {
        let eviction = try #require(Plan(text).eviction)
        return try eviction.scorer.scores(source.observation(threads: 2, set)).map { scores in
            (0..<scores.heads).map {
                Array(UnsafeBufferPointer(start: scores.row($0), count: scores.tokens))
            }
        }
    }

    private func expect(
        _ text: String,
        seed: Int,
        _ set: InstructionSet,
        tolerance: Double = 1e-5,
        _ reference: (ReferenceScores, Int) -> [Double]
    ) throws {
        var random = Seeded(seed)
        let tokens = Int.random(in: 1...90, using: &random)
        let source = try SeededCache(
            seed: seed,
            kvHeads: Int.random(in: 1...3, using: &random),
            group: Int.random(in: 1...5, using: &random),
            tokens: tokens,
            dim: Int.random(in: 1...40, using: &random),
            queries: Bool.random(using: &random)
                ? tokens : Int.random(in: 1...tokens, using: &random),
            format: ElementFormat.allCases[seed % 3],
            padding: seed % 2 * 3
        )
        for (layer, rows) in try scores(text, source, set).enumerated() {
            for (head, row) in rows.enumerated() {
                let expected = reference(ReferenceScores(source: source, layer: layer), head)
                #expect(row.count == expected.count)
                for (token, pair) in zip(row, expected).enumerated() {
                    let close = abs(Double(pair.0) - pair.1) <= tolerance * max(1, abs(pair.1))
                    #expect(
                        close,
                        "\(text), seed \(seed), layer \(layer), head \(head), token \(token): \(pair)"
                    )
                }
            }
        }
    }

    @Test(arguments: InstructionSet.supported)
    func references(set: InstructionSet) throws {
        for seed in 0..<12 {
            try expect("h2o(budget=1)", seed: seed, set) { $0.h2o($1, mean: true) }
            try expect("h2o(budget=1, rule=sum)", seed: seed, set) { $0.h2o($1, mean: false) }
            try expect("tova(budget=1)", seed: seed, set) { $0.tova($1) }
            try expect("knorm(budget=1)", seed: seed, set) { $0.knorm($1) }
            try expect("keydiff(budget=1)", seed: seed, set) { $0.keydiff($1) }
            try expect("lagkv(budget=1)", seed: seed, set) { $0.lagkv($1, lag: 128) }
            try expect("lagkv(budget=1, lag=9)", seed: seed, set) { $0.lagkv($1, lag: 9) }
            try expect("snapkv(budget=1)", seed: seed, set) {
                $0.snapkv($1, observe: 32, width: 7) { $0.max()! }
            }
            try expect("snapkv(budget=1, observe=5, pool=mean)", seed: seed, set) {
                $0.snapkv($1, observe: 5, width: 5) { $0.reduce(0, +) / Double($0.count) }
            }
            try expect("snapkv(budget=1, observe=8, pool=none)", seed: seed, set) {
                $0.snapkv($1, observe: 8, width: 1) { $0[0] }
            }
        }
    }

    @Test(arguments: InstructionSet.supported)
    func attentionReferences(set: InstructionSet) throws {
        for seed in 0..<5 {
            try expect("rkv(budget=1)", seed: seed, set) {
                $0.rkv($1, observe: 8, width: 7, importance: 0.1, similar: 0.5)
            }
            let other = "rkv(budget=1, observe=3, pool=max(1), importance=60%, similar=12.5%)"
            try expect(other, seed: seed, set) {
                $0.rkv($1, observe: 3, width: 1, importance: 0.6, similar: 0.125)
            }
            try expect("scissorhands(budget=1)", seed: seed, set) {
                $0.scissorhands($1, history: 400, mean: true)
            }
            try expect("scissorhands(budget=1, history=7, rule=sum)", seed: seed, set) {
                $0.scissorhands($1, history: 7, mean: false)
            }
            try expect("keyformer(budget=1)", seed: seed, set) {
                $0.keyformer($1, temperature: 2, seed: 0, mean: true)
            }
            let hot = "keyformer(budget=1, temperature=5, seed=9, rule=sum)"
            try expect(hot, seed: seed, set) {
                $0.keyformer($1, temperature: 5, seed: 9, mean: false)
            }
            try expect("expected-attention(budget=1)", seed: seed, set, tolerance: 1e-4) {
                $0.expectedAttention($1, observe: 32, epsilon: 0)
            }
            try expect(
                "expected-attention(budget=1, observe=20, epsilon=2%)", seed: seed, set,
                tolerance: 1e-4
            ) {
                $0.expectedAttention($1, observe: 20, epsilon: 0.02)
            }
        }
    }

    /// Keys that repeat one another: all but the newest lose, whatever attention says.
    @Test func redundantKeysLose() throws {
        var source = try SeededCache(seed: 4, layers: 1, kvHeads: 1, group: 1, tokens: 40, dim: 16)
        let repeated = [3, 11, 19, 27], layer = source.cache.layers[0]
        var keys = layer.keys[0].floats()
        for token in repeated { for c in 0..<16 { keys[token * 16 + c] = c == 0 ? 5 : 0 } }
        source.cache = try Cache(layers: [
            CacheLayer(keys: [Rows(keys, dim: 16)], values: layer.values, queries: layer.queries)
        ])
        let text = "rkv(budget=1, importance=0%, similar=99%)"
        let scores = try scores(text, source, .best)[0][0]
        let worst = scores.indices.sorted { scores[$0] < scores[$1] }.prefix(3)
        #expect(worst.sorted() == [3, 11, 19])
    }

    @Test func lagkvSaysWhenOnlyNewestTokensFit() throws {
        let source = try SeededCache(seed: 5, layers: 1, tokens: 70)
        func remarks(_ text: String) throws -> [String] {
            try #require(Plan(text).eviction).select(from: source.observation()) { _ in 0 }.remarks
        }
        #expect(
            try remarks("lagkv(budget=20, lag=16)") == [
                "lagkv: the 22 newest tokens come first and exceed a budget of 20; "
                    + "a smaller lag scores more tokens"
            ]
        )
        #expect(try remarks("lagkv(budget=27, lag=16)") == [])
    }

    @Test(arguments: Dump.allCases, SelectionTests.methods)
    func dumps(dump: Dump, method: String) throws {
        let cache = try dump.cache(), plan = try Plan("\(method)(budget=30%)")
        let one = try plan.compress(cache)
        let three = try plan.compress(
            cache,
            options: CompressionOptions(workers: Workers(threads: 3))
        )
        for layer in cache.layers.indices {
            for head in cache.layers[layer].keys.indices {
                let entries = one.entries(layer: layer, head: head)
                #expect(entries.positions.count == Share("30%")!.of(cache.tokens))
                #expect(entries.positions.prefix(4) == [0, 1, 2, 3])
                #expect(entries.positions == three.entries(layer: layer, head: head).positions)
            }
        }
        let row = try Comparison(cache: cache, holdout: 20).row(for: plan)
        #expect(row.errorMean > 0 && row.errorMean < 0.9, "\(row.errorMean)")
    }

    @Test func logarithmsAndNoise() {
        var random = Seeded(11)
        for _ in 0..<2000 {
            let x = exp(Double.random(in: -700...700, using: &random))
            #expect(abs(naturalLogarithm(x) - log(x)) <= 4e-16 * max(1, abs(log(x))))
        }
        for x in [1, 0.5, 2, 1.4142135623730951, 1.4142135623730954, 1 - 0x1p-53, 0x1p-53] {
            #expect(abs(naturalLogarithm(x) - log(x)) <= 4e-16 * max(1e-16, abs(log(x))))
        }
        let draws = (0..<20_000).map { gumbel(5, $0) }
        let mean = draws.reduce(0, +) / 20_000
        let variance = draws.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 20_000
        #expect(abs(mean - 0.5772) < 0.03 && abs(variance - 1.6449) < 0.06)
    }

    @Test func streamingAndRandom() throws {
        let source = try SeededCache(seed: 3, kvHeads: 2)
        #expect(
            try scores("streaming(budget=1)", source, .best)[1][1] == (0..<70).map { Float($0) }
        )
        let one = try scores("random(budget=1, seed=1)", source, .best)
        #expect(try one == scores("random(budget=1, seed=1)", source, .scalar))
        #expect(try one != scores("random(budget=1, seed=2)", source, .best))
        #expect(one[0][0] != one[0][1] && one[0][0] != one[1][0])
        #expect(one.joined().joined().allSatisfy { (0..<1).contains($0) })
    }

    @Test func zeroKeysHaveNoDirection() throws {
        let rows = Rows([Float](repeating: 0, count: 24), dim: 4)
        let cache = try Cache(layers: [CacheLayer(keys: [rows], values: [rows])])
        let observation = Observation(
            cache: cache,
            kernels: .best,
            workers: .caller,
            allocator: Allocator()
        )
        let eviction = try #require(Plan("keydiff(budget=2, sinks=0)").eviction)
        #expect(try eviction.select(from: observation) { _ in 0 }.kept == [[[0, 1]]])
    }

    @Test func reductionsAgreeWithProbabilities() throws {
        let source = try SeededCache(
            seed: 9,
            layers: 1,
            kvHeads: 2,
            group: 3,
            tokens: 90,
            dim: 16,
            queries: 80
        )
        let observation = source.observation()
        let received = observation.attention(
            .init(reductions: Set(ReceivedAttention.Reduction.allCases), window: 10, threshold: 0.5)
        )
        func value(_ reduction: ReceivedAttention.Reduction, _ head: Int, _ token: Int) -> Double {
            Double(received.rows(reduction, layer: 0, heads: 6)[head * 90 + token])
        }
        for head in 0..<6 {
            let p = ReferenceScores(source: source, layer: 0).attention(head)
            for token in 0..<90 {
                let column = p.map { $0[token] }
                let below = column.enumerated().filter {
                    $0 + 10 >= token && $1 < 0.5 / Double($0 + 11)
                }.count
                #expect(abs(value(.sum, head, token) - column.reduce(0, +)) < 1e-4)
                #expect(abs(value(.windowSum, head, token) - column.suffix(10).reduce(0, +)) < 1e-5)
                #expect(
                    abs(value(.squares, head, token) - column.reduce(0) { $0 + $1 * $1 }) < 1e-4
                )
                #expect(abs(value(.maximum, head, token) - column.max()!) < 1e-5)
                #expect(abs(value(.below, head, token) - Double(below)) <= 1)
            }
        }
        let lone = observation.attention(.init(reductions: [.windowSum], window: 10))
        #expect(
            lone.rows(.windowSum, layer: 0, heads: 6)[5]
                == received.rows(.windowSum, layer: 0, heads: 6)[5]
        )
    }
}
