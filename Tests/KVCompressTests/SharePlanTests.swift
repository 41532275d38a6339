import Foundation
import Testing

@testable import KVCompress

/// Plans with a share stage: what is exported, attended on and counted.
@Suite struct SharePlanTests {
    static let plans = [
        "minicache", "minicache | q4", "minicache(rows=head) | q8",
        "minicache(from=0%, retain=20%) | q4(rotate=hadamard, window=7)",
        "minicache(rows=head) | q4(keys=per-channel)", "minicache(similarity=0.3) | f32",
        "random(budget=50%) | minicache | q8", "random(budget=50%) | minicache(rows=head) | q4",
        "h2o(budget=50%, tokens=layer) | minicache", "h2o(budget=50%) | minicache(from=25%)",
        "xkv(rank=9)", "xkv(layers=3, rank=80%) | q4",
        "random(budget=50%, tokens=layer) | xkv(rank=100) | q8",
        "xkv(rank=20) | turboquant(bits=4)", "minicache | turboquant(bits=3)",
        "kvmerger(budget=60%) | minicache(rows=head) | q4",
        "h2o(budget=50%) | kvcrush(share=25%) | kvmerger(threshold=0.8) | minicache | q4(rotate=hadamard)",
        "xkv(rank=12) | kv(keys=q4, values=q4(axis=per-channel), window=5, protect=1)",
    ]

    // MARK: The contract

    @Test(arguments: plans) func attendEqualsItsExport(plan text: String) throws {
        let plan = try Plan(text)
        for seed in 0..<3 {
            var random = Seeded(seed)
            let shape = AlikeCache(
                seed: seed, layers: random.int(2...5), kvHeads: random.int(1...3),
                tokens: random.int(1...150), dim: random.pick([8, 32, 33]))
            let cache = try shape.make()
            let compressed = try plan.compress(cache)
            for layer in 0..<shape.layers {
                let queries = cache.layers[layer].queries!.map { $0[0..<1] }
                let error = try compressed.worstError(queries, layer: layer)
                #expect(error < AttentionTests.contract, "\(text), \(shape), layer \(layer)")
            }
            guard seed == 0 else { continue }
            let single = try plan.compress(
                cache, options: CompressionOptions(instructionSet: .scalar))
            let several = try plan.compress(
                cache, options: CompressionOptions(workers: Workers(threads: 3)))
            for layer in 0..<shape.layers {
                for head in 0..<shape.kvHeads {
                    let entries = compressed.entries(layer: layer, head: head)
                    for other in [single, several] {
                        let same = other.entries(layer: layer, head: head)
                        #expect(entries.keys.bits == same.keys.bits, "\(text), \(shape)")
                        #expect(entries.values.bits == same.values.bits, "\(text), \(shape)")
                        #expect(entries.positions == same.positions)
                    }
                }
            }
        }
    }

    @Test(arguments: Dump.allCases) func contractOnDumps(dump: Dump) throws {
        let cache = try dump.cache()
        for text in [
            "minicache(from=0%) | q4", "h2o(budget=50%) | minicache(rows=head) | q8(window=9)",
            "h2o(budget=50%, tokens=layer) | minicache | q4(rotate=hadamard)",
            "snapkv(budget=50%, tokens=layer) | kvcrush | xkv | q4",
        ] {
            let compressed = try Plan(text).compress(cache)
            for (index, layer) in cache.layers.enumerated() {
                let queries = try #require(layer.queries).map { $0[$0.count - 1..<$0.count] }
                let error = try compressed.worstError(queries, layer: index)
                #expect(error < AttentionTests.contract, "\(dump.rawValue), \(text), \(index)")
            }
        }
    }

    // MARK: MiniCache

    /// An exported row by its position.
    struct Export {
        var rows: [Side: [Int32: [Double]]] = [:]

        init(_ entries: CompressedCache.Entries) {
            let count = max(1, entries.positions.count)
            for (side, floats) in [(Side.keys, entries.keys), (.values, entries.values)] {
                let dim = floats.count / count
                for (index, position) in entries.positions.enumerated() {
                    rows[side, default: [:]][position] = floats[index * dim..<(index + 1) * dim]
                        .map(Double.init)
                }
            }
        }
    }

    static func length(_ row: [Double]) -> Double { row.reduce(0) { $0 + $1 * $1 }.squareRoot() }

    /// What the pair `lower`, `lower + 1` exports against the reference.
    ///
    /// - Parameter direction: how far a shared row may be from the reference's, relative to its norm.
    static func check(
        _ compressed: CompressedCache, _ cache: Cache, pair lower: Int,
        _ reference: MiniCacheReference, direction: Double, _ comment: String
    ) {
        let heads = cache.layers[lower].keys.indices
        let exports = (0..<2).map { layer in
            heads.map { Export(compressed.entries(layer: lower + layer, head: $0)) }
        }
        // Tokens that both layers have, in the same head, or in all heads when rows are whole.
        var common = heads.map { head in
            Set(exports[0][head].rows[.keys]!.keys).intersection(exports[1][head].rows[.keys]!.keys)
        }
        if !reference.perHead {
            let all = common.dropFirst().reduce(common[0]) { $0.intersection($1) }
            common = heads.map { _ in all }
        }
        let tokens = common.map { $0.sorted().map(Int.init) }
        func side(_ rows: KeyPath<CacheLayer, [Rows]>) -> MiniCacheReference.Side {
            (0..<2).map { layer in
                heads.map { cache.layers[lower + layer][keyPath: rows][$0].doubles(tokens[$0]) }
            }
        }
        let expected = reference.merge(keys: side(\.keys), values: side(\.values))
        for (side, rows, originals) in [
            (Side.keys, expected.keys, side(\.keys)), (.values, expected.values, side(\.values)),
        ] {
            for layer in 0..<2 {
                // Whole rows are looked at once, with their first head.
                for head in reference.perHead ? heads : heads.prefix(1) {
                    for (place, token) in tokens[head].enumerated() {
                        let whole = reference.perHead ? head...head : heads.first!...heads.last!
                        let got = whole.flatMap { exports[layer][$0].rows[side]![Int32(token)]! }
                        let wanted = whole.flatMap { rows[layer][$0][place] }
                        let norm = length(wanted)
                        if expected.retained[head][place] {
                            #expect(
                                length(zip(got, wanted).map { $0 - $1 }) <= 6e-4 * norm,
                                "retained: \(comment), layer \(lower + layer), token \(token)")
                            continue
                        }
                        let original = length(whole.flatMap { originals[layer][$0][place] })
                        #expect(
                            abs(length(got) - original) <= 0x1p-11 * original + 1e-5 * original,
                            "norm: \(comment), layer \(lower + layer), token \(token)")
                        #expect(
                            length(zip(got, wanted).map { $0 - $1 }) <= direction * norm,
                            "direction: \(comment), layer \(lower + layer), token \(token)")
                    }
                }
            }
        }
    }

    @Test(arguments: [
        ("", " | f32", 1e-3), ("", "", 2e-3), ("random(budget=40%) | ", "", 2e-3),
        ("h2o(budget=50%, tokens=layer) | ", " | f32", 1e-3),
    ])
    func exportsFollowThePaper(before: String, after: String, direction: Double) throws {
        for (rows, perHead) in [("layer", false), ("head", true)] {
            for seed in 0..<3 {
                let shape = AlikeCache(
                    seed: seed, layers: 4, kvHeads: 1 + seed, tokens: 30 + 27 * seed)
                let cache = try shape.make()
                let text = "\(before)minicache(interpolation=0.5, retain=10%, rows=\(rows))\(after)"
                let compressed = try Plan(text).compress(cache)
                Self.check(
                    compressed, cache, pair: 2,
                    MiniCacheReference(interpolation: 0.5, retain: 0.1, perHead: perHead),
                    direction: direction, "\(text), \(shape)")
                let plain = try Plan(before + (after.isEmpty ? "f16" : "f32")).compress(cache)
                for layer in 0..<2 {
                    for head in 0..<shape.kvHeads {
                        let entries = compressed.entries(layer: layer, head: head)
                        let same = plain.entries(layer: layer, head: head)
                        #expect(entries.keys.bits == same.keys.bits, "layers before `from`")
                        #expect(entries.values.bits == same.values.bits)
                    }
                }
            }
        }
    }

    @Test(arguments: Dump.allCases) func exportsOfDumpsFollowThePaper(dump: Dump) throws {
        let cache = try dump.cache().prefix(100)
        for (rows, perHead) in [("layer", false), ("head", true)] {
            let compressed = try Plan("minicache(rows=\(rows)) | f32").compress(cache)
            let first = (cache.layers.count + 1) / 2
            for lower in stride(from: first, to: cache.layers.count - 1, by: 2) {
                // Directions of nearly opposite rows are not as certain.
                Self.check(
                    compressed, cache, pair: lower, MiniCacheReference(perHead: perHead),
                    direction: perHead ? 5e-2 : 2e-3, "\(dump.rawValue), rows=\(rows)")
            }
        }
    }

    /// Norms survive any codec of the direction.
    @Test(arguments: ["q8", "q4", "q4(rotate=hadamard)", "q4(keys=per-channel)", "f16"])
    func normsAreKept(codec: String) throws {
        let shape = AlikeCache(layers: 2, kvHeads: 2, tokens: 130)
        let cache = try shape.make()
        for (rows, perHead) in [("layer", false), ("head", true)] {
            let compressed = try Plan("minicache(from=0%, retain=0%, rows=\(rows)) | \(codec)")
                .compress(cache)
            Self.check(
                compressed, cache, pair: 0, MiniCacheReference(retain: 0, perHead: perHead),
                direction: 0.2, "\(codec), rows=\(rows)")
        }
    }

    @Test(arguments: ["layer", "head"]) func sharedBytesAreCountedOnce(rows: String) throws {
        let shape = AlikeCache(layers: 5, kvHeads: 3, tokens: 64, dim: 32)
        let compressed = try Plan("minicache(retain=0%, rows=\(rows))").compress(try shape.make())
        let rowBytes = 64 * 3 * 32 * 2, holders = rows == "head" ? 3 : 1
        // Layers 0 to 2 by themselves, 3 and 4 together.
        let components = compressed.ledger.components.filter { $0.value > 0 }
        #expect(
            components == [
                .keyRows: 4 * rowBytes, .valueRows: 4 * rowBytes,
                .keyNorms: 2 * holders * 64 * 2, .valueNorms: 2 * holders * 64 * 2,
            ])
        #expect(compressed.report.storedBytes == compressed.ledger.storedBytes)
    }

    /// The premise, layers of cosine 0.6: how near restored rows and outputs come.
    @Test func qualityOnAlikeLayers() throws {
        let shape = AlikeCache(layers: 4, kvHeads: 4, tokens: 100, dim: 32)
        let cache = try shape.make()
        for (text, upper, lower) in [
            ("minicache", (0.93, 0.7), (0.85, 0.95)), ("minicache | q4", (0.92, 0.7), (0.85, 0.95)),
            ("minicache(interpolation=1)", (0.999, 0.001), (0.6, 1.5)),
        ] {
            let compressed = try Plan(text).compress(cache)
            for (layer, (least, most)) in [(2, lower), (3, upper)] {
                let exports = (0..<4).map { Export(compressed.entries(layer: layer, head: $0)) }
                let cosines = (0..<100).map { token in
                    let got = exports.flatMap { $0.rows[.keys]![Int32(token)]! }
                    let row = cache.layers[layer].keys.flatMap { $0.row(token).map(Double.init) }
                    return zip(got, row).reduce(0) { $0 + $1.0 * $1.1 } / Self.length(got)
                        / Self.length(row)
                }
                let mean = cosines.reduce(0, +) / 100
                var error = 0.0
                for (head, queries) in cache.layers[layer].queries!.enumerated() {
                    let full = CompressedCache.Entries(
                        keys: cache.layers[layer].keys[head / 2].floats(),
                        values: cache.layers[layer].values[head / 2].floats(),
                        positions: (0..<100).map { Int32($0) },
                        votes: .init(repeating: 1, count: 100))
                    let exact = AttentionReference(keyDim: 32).outputs(queries[0..<8], over: full)
                    let got = try compressed.attend(
                        cache.layers[layer].queries!.map { $0[0..<8] }, layer: layer)
                    error += relativeError(got[head], exact) / 8
                }
                print("\(text), layer \(layer): cosine of keys \(mean), output error \(error)")
                #expect(mean > least, "\(text), layer \(layer)")
                #expect(error < most, "\(text), layer \(layer)")
            }
        }
    }

    @Test(arguments: Dump.allCases) func reportsThatThePremiseIsAbsent(dump: Dump) throws {
        let cache = try dump.cache()
        let report = try Plan("minicache").compress(cache).report
        let pairs = cache.layers.count / 4
        #expect(report.remarks.count { $0.contains("mean cosine of keys") } == pairs)
        let unshared = try Plan("minicache(similarity=0.5)").compress(cache)
        #expect(unshared.report.remarks.count { $0.contains("nothing is shared") } == pairs)
        #expect(unshared.report.storedBytes == (try Plan("f16").compress(cache).report.storedBytes))
    }

    @Test func layersOfOtherShapesStayUnshared() throws {
        let narrow = try AlikeCache(layers: 1, dim: 16).make(),
            wide = try AlikeCache(layers: 1).make()
        let cache = try Cache(layers: [narrow.layers[0], wide.layers[0]])
        for text in ["minicache(from=0%)", "xkv"] {
            let compressed = try Plan(text).compress(cache)
            #expect(
                compressed.report.storedBytes
                    == (try Plan("f16").compress(cache).report.storedBytes))
            #expect(
                compressed.report.remarks.contains { $0.contains("layers 0 to 1") },
                "\(compressed.report.remarks)")
        }
    }

    // MARK: xKV

    @Test func xkvCountsCoefficientsOnce() throws {
        let shape = AlikeCache(layers: 5, kvHeads: 3, tokens: 200, dim: 32)
        let cache = try shape.make()
        let compressed = try Plan("xkv(rank=40)").compress(cache)
        // Two groups of two layers, and one layer alone.
        let rowBytes = 200 * 3 * 32 * 2, shared = 2 * 200 * 40 * 2
        let components = compressed.ledger.components.filter { $0.value > 0 }
        #expect(
            components == [
                .keyRows: 5 * rowBytes, .valueRows: rowBytes + shared,
                .bases: 2 * 40 * 2 * 3 * 32 * 2,
            ])
    }

    /// Keys stay as they would be without the stage, maps of their own included.
    @Test(arguments: [
        "f16", "q4(window=9)", "turboquant(rotate=qr)", "lowrank(keys=7)", "lowrank(keys=90%) | q8",
    ])
    func xkvLeavesKeysAlone(rest: String) throws {
        let shape = AlikeCache(layers: 3, kvHeads: 2, tokens: 120, dim: 32)
        let cache = try shape.make()
        let compressed = try Plan("xkv(rank=40) | \(rest)").compress(cache)
        let plain = try Plan(rest).compress(cache)
        for layer in 0..<3 {
            for head in 0..<2 {
                let entries = compressed.entries(layer: layer, head: head)
                let same = plain.entries(layer: layer, head: head)
                #expect(entries.keys.bits == same.keys.bits, "\(rest), layer \(layer)")
            }
        }
    }

    @Test func xkvOfFullRankRestores() throws {
        for tokens in [30, 150] {
            let shape = AlikeCache(layers: 2, kvHeads: 2, tokens: tokens, dim: 32)
            let cache = try shape.make()
            let compressed = try Plan("xkv(rank=128) | f32").compress(cache)
            for layer in 0..<2 {
                for head in 0..<2 {
                    let export = Export(compressed.entries(layer: layer, head: head))
                    for token in 0..<tokens {
                        let row = cache.layers[layer].values[head].row(token).map(Double.init)
                        let got = export.rows[.values]![Int32(token)]!
                        #expect(
                            Self.length(zip(got, row).map { $0 - $1 }) < 3e-3 * Self.length(row))
                    }
                }
            }
        }
    }

    @Test(arguments: [
        ("minicache()", "minicache"),
        (
            "minicache(from=50%, interpolation=0.60, retain=5%, rows=layer, similarity=none)",
            "minicache"
        ),
        ("minicache(similarity=0.5,rows=head) | q4", "minicache(rows=head, similarity=0.5) | q4"),
        ("minicache(interpolation=1, from=0%)", "minicache(from=0%, interpolation=1)"),
        ("xkv(layers=2, rank=90%)", "xkv"), ("xkv(rank=64)", "xkv(rank=64)"),
        (
            "h2o(budget=25%) | xkv(layers=4, rank=99.5%)",
            "h2o(budget=25%) | xkv(layers=4, rank=99.5%)"
        ),
    ])
    func canonicalText(text: String, expected: String) throws {
        let plan = try Plan(text)
        #expect(plan.description == expected)
        #expect(try Plan(plan.description) == plan)
    }

    @Test(arguments: [
        ("minicache(interpolation=1.5)", "interpolation=1.5"), ("minicache(similarity=2)", "none"),
        ("minicache(from=3)", "from=3"), ("minicache(rows=heads)", "head"),
        ("xkv(layers=1)", "layers=1"), ("xkv(rank=0)", "rank=0"), ("xkv(rank=0%)", "rank=0%"),
        ("minicache | xkv", "share"), ("q4 | minicache", "minicache | q4"),
    ])
    func refusals(text: String, word: String) {
        let error = #expect(throws: CompressionError.self) { try Plan(text) }
        #expect(error?.code == .plan && error?.description.contains(word) == true, "\(text)")
    }
}
