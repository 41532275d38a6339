import Foundation
import Testing

@testable import KVCompress

/// Attention on the compressed form: the accuracy contract, and what must not change a bit.
@Suite struct AttentionTests {
    /// Relative error that attend may have against double precision over the exported entries.
    static let contract = 1e-3

    /// Every codec and what can be combined with it.
    static let plans = [
        "f32", "f16", "bf16", "q8", "q4", "q8(mode=asymmetric)", "q4(mode=asymmetric)",
        "q8(group=64)",
        "q4(group=128, mode=asymmetric)", "q8(keys=per-channel)", "q4(keys=per-channel)",
        "q4(keys=per-channel, values=per-channel, group=64, mode=asymmetric)",
        "q8(values=per-channel, group=128)",
        "q8(rotate=hadamard)", "q4(rotate=keys)", "q4(rotate=values, mode=asymmetric)",
        "q4(rotate=hadamard, keys=per-channel)", "kv(keys=q8, values=q4(group=64))",
        "kv(keys=bf16, values=q8(rotate=hadamard), window=9)",
        "kv(keys=q4(axis=per-channel), values=f32, window=40)",
        "q3", "q3(group=128, keys=per-channel)", "q3(mode=asymmetric, values=per-channel)",
        "q2", "q2(group=64, rotate=hadamard)", "q2(keys=per-channel, mode=asymmetric)",
        "turboquant", "turboquant(bits=3, rotate=qr, seed=2)", "turboquant(bits=3, seed=5)",
        "turboquant(bits=2, window=20)",
        "kv(keys=turboquant(bits=3), values=q4)", "kv(keys=q8, values=turboquant(bits=2, seed=9))",
        "q4(window=33)", "random(budget=50%)", "random(budget=50%) | q8",
        "knorm(budget=30%) | q4(keys=per-channel, window=5)",
        "random(budget=40%, tokens=layer) | q4(rotate=hadamard)",
    ]

    // MARK: The contract

    @Test(arguments: plans) func contract(plan text: String) throws {
        let plan = try Plan(text)
        var worst = (error: 0.0, at: "")
        for seed in 0..<14 {
            let shape = RandomCache.any(seed)
            let compressed = try plan.compress(try shape.make())
            for layer in 0..<shape.layers {
                let error = try compressed.worstError(shape.makeQueries(2), layer: layer)
                if error > worst.error { worst = (error, "\(shape)") }
                #expect(error < Self.contract, "\(text), \(shape)")
            }
        }
        print("attend, \(text): worst relative error \(worst.error) (\(worst.at))")
    }

    @Test(arguments: Dump.allCases) func contractOnDumps(dump: Dump) throws {
        let cache = try dump.cache()
        var worst = (error: 0.0, at: "")
        for text in Self.plans + [
            "zipcache", "zipcache(salient=25%, bits=8, others=3, window=16, protect=1)",
            "snapkv(budget=50%) | zipcache(group=64)",
            "q4(protect=1)", "snapkv(budget=25%) | kvcrush | q4",
            "h2o(budget=64, recent=16) | q8(window=32)",
        ] {
            let compressed = try Plan(text).compress(cache)
            for (index, layer) in cache.layers.enumerated() {
                let queries = try #require(layer.queries).map { $0[$0.count - 5..<$0.count] }
                let error = try compressed.worstError(queries, layer: index)
                if error > worst.error { worst = (error, "\(text), layer \(index)") }
                #expect(error < Self.contract, "\(dump.rawValue), \(text), layer \(index)")
            }
        }
        print("attend on \(dump.rawValue): worst relative error \(worst.error) (\(worst.at))")
    }

    /// Scale, softcap and causal positions, some of which see nothing or everything.
    @Test(arguments: [
        "f32", "q8", "q4(keys=per-channel, mode=asymmetric)",
        "random(budget=50%, sinks=0) | q4(rotate=hadamard)",
    ])
    func options(plan text: String) throws {
        for seed in 0..<12 {
            var random = Seeded(seed)
            let shape = RandomCache.any(seed + 50)
            let compressed = try Plan(text).compress(try shape.make())
            var options = AttentionOptions()
            if seed % 2 == 1 { options.scale = Float.random(in: 0.01...0.5, using: &random) }
            if seed % 3 == 1 { options.softcap = Float.random(in: 0.5...20, using: &random) }
            if seed % 4 != 0 {
                options.positions =
                    [-1] + (0..<5).map { _ in Int32(random.int(0...shape.tokens)) } + [.max]
            }
            let error = try compressed.worstError(shape.makeQueries(7), layer: 0, options: options)
            #expect(error < Self.contract, "\(text), \(shape), \(options.positions ?? [])")
        }
    }

    @Test func rowsThatSeeNothingGiveZeros() throws {
        let shape = RandomCache(seed: 3, tokens: 70)
        let compressed = try Plan("random(budget=20, sinks=0, recent=1) | q8").compress(
            try shape.make()
        )
        var options = AttentionOptions()
        options.positions = [-1, .min]
        for output in try compressed.attend(shape.makeQueries(2), layer: 0, options: options) {
            #expect(output == [Float](repeating: 0, count: 2 * shape.valueDim))
        }
    }

    // MARK: What must not change a bit

    /// Threads, levels, and one call with n queries or n calls with one.
    @Test(arguments: plans) func sameBits(plan text: String) throws {
        let plan = try Plan(text)
        for seed in 0..<6 {
            let shape = RandomCache.any(seed + 100, tokens: seed == 0 ? 2100...2300 : 1...300)
            let cache = try shape.make()
            let compressed = try plan.compress(cache)
            let queries = shape.makeQueries(5)
            var options = AttentionOptions()
            if seed % 2 == 1 { options.positions = (0..<5).map { Int32(shape.tokens * $0 / 5) } }
            let expected = try compressed.attend(queries, layer: 0, options: options).map(\.bits)

            for threads in [2, 3, 5] {
                options.workers = Workers(threads: threads)
                let again = try plan.compress(
                    cache,
                    options: CompressionOptions(workers: options.workers)
                )
                #expect(
                    try again.attend(queries, layer: 0, options: options).map(\.bits) == expected,
                    "\(threads) threads, \(shape)"
                )
            }
            options.workers = .caller
            for level in InstructionSet.supported {
                options.instructionSet = level
                let again = try plan.compress(
                    cache,
                    options: CompressionOptions(instructionSet: level)
                )
                #expect(
                    try again.attend(queries, layer: 0, options: options).map(\.bits) == expected,
                    "\(level), \(shape)"
                )
            }
            options.instructionSet = .best
            for row in 0..<5 {
                var single = options
                single.positions = options.positions.map { [$0[row]] }
                let output = try compressed.attend(
                    queries.map { $0[row..<row + 1] },
                    layer: 0,
                    options: single
                )
                let rows = row * shape.valueDim..<(row + 1) * shape.valueDim
                #expect(
                    output.map(\.bits) == expected.map { Array($0[rows]) },
                    "row \(row), \(shape)"
                )
            }
        }
    }

    /// More query rows than share one pass over the keys.
    @Test(arguments: ["f16", "q8", "q4(rotate=hadamard, mode=asymmetric)"]) func manyQueries(
        plan text: String
    ) throws {
        for group in [1, 7, 16] {
            let shape = RandomCache(seed: group, group: group, tokens: 130)
            let compressed = try Plan(text).compress(try shape.make())
            let queries = shape.makeQueries(100)
            let whole = try compressed.attend(queries, layer: 0)
            var parts = [[Float]](repeating: [], count: queries.count)
            for rows in [0..<1, 1..<18, 18..<83, 83..<100] {
                for (head, output) in try compressed.attend(queries.map { $0[rows] }, layer: 0)
                    .enumerated()
                {
                    parts[head] += output
                }
            }
            #expect(parts.map(\.bits) == whole.map(\.bits), "group \(group)")
        }
    }

    /// A head cut where its ranges are cut folds to the same bits; cut elsewhere, within the contract.
    @Test(arguments: [1, 63, 64, 700, 2047, 2048, 2049, 4096, 5000]) func cuts(at cut: Int) throws {
        let shape = RandomCache(
            seed: cut,
            kvHeads: 1,
            group: 3,
            tokens: 5001,
            keyDim: 16,
            valueDim: 8,
            format: .f16
        )
        let layer = try shape.make().layers[0]
        func part(_ range: Range<Int>) -> LayerCache {
            LayerCache(
                viewing: CacheLayer(
                    keys: layer.keys.map { $0[range] },
                    values: layer.values.map { $0[range] }
                ),
                firstPosition: range.lowerBound
            )
        }
        let queries = shape.makeQueries(4)
        var options = AttentionOptions()
        options.positions = [10, 2050, 4500, 5000]
        let whole = try part(0..<5001).attend(queries, options: options, allocator: Allocator())
        var joined = part(0..<cut)
        joined.heads[0] += part(cut..<5001).heads[0]
        let pieces = try joined.attend(queries, options: options, allocator: Allocator())
        if cut % (LayerCache.rangeBlocks * blockEntries) == 0 {
            #expect(pieces.map(\.bits) == whole.map(\.bits))
        }
        for (a, b) in zip(pieces, whole) { #expect(relativeError(a, b.map(Double.init)) < 1e-5) }
    }

    // MARK: Requests that do not fit

    @Test func refusals() throws {
        let shape = RandomCache(seed: 1, kvHeads: 2, tokens: 10, keyDim: 8, valueDim: 8)
        let compressed = try Plan("q8").compress(try shape.make())
        let row = Rows([Float](repeating: 1, count: 8), dim: 8)
        func refused(_ queries: [Rows], _ words: String, positions: [Int32]? = nil) {
            var options = AttentionOptions()
            options.positions = positions
            let error = #expect(throws: CompressionError.self) {
                try compressed.attend(queries, layer: 0, options: options)
            }
            #expect(error?.code == .layer)
            #expect(error?.description.contains(words) == true)
        }
        refused([], "0 query heads")
        refused([row, row, row], "3 query heads are no multiple of 2")
        refused([Rows](repeating: row, count: 34), "at most 16")
        refused([row, Rows([1, 2], dim: 2)], "query head 1 has head dim 2")
        refused([row, Rows([Float](repeating: 1, count: 16), dim: 8)], "query head 1 has 2 rows")
        refused([row, row], "2 positions for 1 query", positions: [1, 2])
        let none = Rows([], dim: 8)
        #expect(try compressed.attend([none, none], layer: 0) == [[], []])
    }

    /// Queries that are no numbers make outputs that are none, and nothing worse.
    @Test(arguments: plans) func wildQueries(plan text: String) throws {
        let compressed = try Plan(text).compress(try RandomCache(seed: 1, tokens: 80).make())
        for wild in [Float.nan, .infinity, -.infinity, .greatestFiniteMagnitude, 1e-38] {
            for level in InstructionSet.supported {
                var options = AttentionOptions()
                options.instructionSet = level
                let rows = Rows([Float](repeating: wild, count: 32), dim: 32)
                #expect(try compressed.attend([rows, rows], layer: 0, options: options).count == 2)
            }
        }
    }
}
