import Foundation
import Testing

@testable import KVCompress

/// A plan's merger at work on single heads.
struct MergeCase {
    let source: SeededCache
    let merger: any Merger
    let observation: Observation

    init(_ text: String, _ source: SeededCache, _ set: InstructionSet = .best) throws {
        self.source = source
        merger = try #require(Plan("streaming(budget=50%) | \(text)").merger)
        observation = source.observation(threads: 2, set)
        try merger.prepare(observation)
    }

    func merge(layer: Int, head: Int, kept: [UInt32]) -> (HeadDraft, remarks: [String]) {
        var remarks: [String] = []
        let input = MergeInput(observation: observation, layer: layer, head: head, kept: kept)
        return (merger.merge(input, remarks: &remarks), remarks)
    }
}

extension DraftRows {
    /// The entries' rows as f32.
    func floats() -> [[Float]] {
        (0..<count).map { entry in
            var row = [Float](repeating: 0, count: dim)
            write([entry], to: &row, kernels: .best)
            return row
        }
    }
}

/// Every merger against its reference in double precision, and what must hold for all of them.
@Suite struct MergerTests {
    static let texts = [
        "kvmerger(threshold=0.6)", "kvmerger(budget=40%)", "cam", "cam(mode=expected)",
        "weightedkv",
        "d2o", "keepkv(threshold=0.5)", "keepkv(threshold=0.5, keys=paper)",
    ]

    /// Any shape, neighbours alike; a few queries or one for every token.
    private func source(_ seed: Int, smoothness: Float = 0.6) throws -> SeededCache {
        var random = Seeded(seed)
        let tokens = Int.random(in: 1...90, using: &random)
        return try SeededCache(
            seed: seed, layers: 1, kvHeads: Int.random(in: 1...2, using: &random),
            group: Int.random(in: 1...3, using: &random), tokens: tokens,
            dim: Int.random(in: 2...40, using: &random),
            queries: Bool.random(using: &random)
                ? tokens : Int.random(in: 1...tokens, using: &random),
            format: ElementFormat.allCases[seed % 3], padding: seed % 2 * 3, smoothness: smoothness)
    }

    /// All tokens, or a random choice of them.
    private func kept(_ seed: Int, of tokens: Int, all: Bool = false) -> [UInt32] {
        var random = Seeded(seed + 77)
        let share = all ? 100 : Int.random(in: 10...95, using: &random)
        let kept = (0..<UInt32(tokens)).filter { _ in
            Int.random(in: 0..<100, using: &random) < share
        }
        return kept.isEmpty ? [UInt32(tokens - 1)] : kept
    }

    private func expect(
        _ text: String, seeds: Range<Int> = 0..<8, all: Bool = false, _ set: InstructionSet,
        _ reference: (ReferenceMerge, Int) -> [ReferenceMerge.Entry]
    ) throws {
        var merged = 0
        for seed in seeds {
            let source = try source(seed), tokens = source.cache.tokens
            let kept = kept(seed, of: tokens, all: all || seed % 4 == 0)
            let work = try MergeCase(text, source, set)
            for head in source.cache.layers[0].keys.indices {
                let (draft, _) = work.merge(layer: 0, head: head, kept: kept)
                let naive = ReferenceMerge(source, layer: 0, head: head, kept: kept)
                let expected = reference(naive, tokens)
                let place = "\(text), seed \(seed), \(kept.count) of \(tokens)"
                #expect(draft.positions.map(Int.init) == expected.map(\.position), "\(place)")
                #expect(
                    (0..<draft.count).map { Int(draft.mass.votes($0)) } == expected.map(\.votes))
                for (rows, truth) in [
                    (draft.keys, expected.map(\.key)), (draft.values, expected.map(\.value)),
                ] {
                    for (entry, pair) in zip(rows.floats(), truth).enumerated() {
                        let error = zip(pair.0, pair.1).map { abs(Double($0) - $1) }.max()!
                        let size = pair.1.map(abs).max()!
                        #expect(error <= 2e-5 * max(1, size), "\(place), entry \(entry)")
                    }
                }
                let plain = naive.plain()
                if expected.count < plain.count
                    || zip(expected, plain).contains(where: { $0.value != $1.value })
                {
                    merged += 1
                }
            }
        }
        #expect(merged > 3, "\(text) hardly merges anything here")
    }

    @Test(arguments: InstructionSet.supported)
    func kvmergerIsItsReference(set: InstructionSet) throws {
        func shares(_ tokens: Int, _ recent: Int, _ heavy: Int) -> (recent: Int, heavy: Int) {
            (
                Share(millionths: recent * 10000).of(tokens),
                Share(millionths: heavy * 10000).of(tokens)
            )
        }
        try expect("kvmerger", set) { reference, tokens in
            let (recent, heavy) = shares(tokens, 17, 12)
            return reference.kvmerger(.threshold(0.75), recent: recent, heavy: heavy, sinks: 4)
        }
        try expect("kvmerger(threshold=0.3, recent=3, heavy=10%, sinks=0, sigma=0.4)", set) {
            $0.kvmerger(
                .threshold(0.3), recent: min(3, $1), heavy: shares($1, 0, 10).heavy, sinks: 0,
                sigma: 0.4)
        }
        try expect("kvmerger(threshold=-1, recent=0, heavy=2, weights=uniform)", set) {
            reference, _ in
            reference.kvmerger(.threshold(-1), recent: 0, heavy: 2, sinks: 4, uniform: true)
        }
        try expect("kvmerger(budget=30%, values=paper)", set) { reference, tokens in
            let (recent, heavy) = shares(tokens, 17, 12)
            let budget = Budget("30%")!
            guard case .share(let share) = budget else { return [] }
            return reference.kvmerger(
                .entries(max(1, share.of(tokens))), recent: recent, heavy: heavy, sinks: 4,
                paper: true)
        }
        try expect("kvmerger(budget=9, recent=0, heavy=0)", all: true, set) { reference, _ in
            reference.kvmerger(.entries(9), recent: 0, heavy: 0, sinks: 4)
        }
    }

    @Test(arguments: InstructionSet.supported)
    func foldersAreTheirReferences(set: InstructionSet) throws {
        try expect("cam(mode=expected)", set) { reference, _ in
            reference.cam(spread: 32, drawn: nil)
        }
        try expect("cam(mode=expected, spread=3)", set) { reference, _ in
            reference.cam(spread: 3, drawn: nil)
        }
        try expect("weightedkv", set) { reference, _ in reference.weightedKV() }
        try expect("d2o", set) { reference, _ in reference.d2o(threshold: nil) }
        try expect("d2o(threshold=0.4)", set) { reference, _ in reference.d2o(threshold: 0.4) }
        try expect("keepkv(threshold=0.5)", set) { reference, _ in
            reference.keepKV(threshold: 0.5, observe: 32, paper: false)
        }
        try expect("keepkv(threshold=0.2, keys=paper, observe=5)", set) { reference, _ in
            reference.keepKV(threshold: 0.2, observe: 5, paper: true)
        }
    }

    /// Chances are those of the expectation, and another seed draws otherwise.
    @Test func samplesOfCaMAverageToItsExpectation() throws {
        let source = try SeededCache(seed: 5, layers: 1, kvHeads: 1, tokens: 60, dim: 4)
        let kept = kept(5, of: 60)
        func values(_ text: String) throws -> [[Float]] {
            try MergeCase(text, source).merge(layer: 0, head: 0, kept: kept).0.values.floats()
        }
        let expected = try values("cam(mode=expected)"), rounds = 200
        var mean = expected.map { $0.map { _ in Float(0) } }
        for seed in 0..<rounds {
            for (entry, row) in try values("cam(seed=\(seed))").enumerated() {
                for c in row.indices { mean[entry][c] += row[c] / Float(rounds) }
            }
        }
        let error = zip(mean.joined(), expected.joined()).map { abs($0 - $1) }.max()!
        #expect(error < 0.05)
        #expect(try values("cam(seed=1)") != values("cam(seed=2)"))
        #expect(try values("cam(seed=1)") == values("cam(seed=1)"))
        #expect(try values("cam(spread=\(Int.max))") == values("cam(spread=60)"))
    }

    /// Nothing is emptied, order and protection hold, and votes count what was merged.
    @Test(arguments: texts)
    func properties(text: String) throws {
        for seed in 20..<40 {
            let source = try source(seed, smoothness: seed % 2 == 0 ? 0.8 : 0)
            let tokens = source.cache.tokens, kept = kept(seed, of: tokens)
            let work = try MergeCase(text, source)
            let (draft, remarks) = work.merge(layer: 0, head: 0, kept: kept)
            #expect(draft.count > 0 && draft.count <= kept.count)
            #expect(zip(draft.positions, draft.positions.dropFirst()).allSatisfy(<))
            #expect(Set(draft.positions).isSubset(of: kept))
            #expect(draft.keys.floats().joined().allSatisfy { $0.isFinite })
            #expect(draft.values.floats().joined().allSatisfy { $0.isFinite })
            let votes = (0..<draft.count).reduce(0) { $0 + Int(draft.mass.votes($1)) }
            if text.hasPrefix("kvmerger") {
                #expect(votes == kept.count)
                if text.contains("budget"), remarks.isEmpty {
                    #expect(draft.count == min(kept.count, Share("40%")!.of(tokens)))
                }
                for (entry, position) in draft.positions.enumerated()
                where position < 4 || Int(position) >= tokens - Share("17%")!.of(tokens) {
                    let row = draft.keys.floats()[entry]
                    #expect(row == source.keys[0][0][Int(position)], "protected")
                }
            } else if text.hasPrefix("keepkv") {
                #expect(votes >= kept.count && votes <= tokens)
            } else {
                #expect(votes == draft.count)
            }
        }
    }

    /// The same entries on every level.
    @Test(arguments: texts)
    func levelsAgree(text: String) throws {
        for seed in 40..<46 {
            let source = try source(seed), kept = kept(seed, of: source.cache.tokens)
            let drafts = try InstructionSet.supported.map {
                try MergeCase(text, source, $0).merge(layer: 0, head: 0, kept: kept).0
            }
            for draft in drafts {
                #expect(draft.positions == drafts[0].positions && draft.mass == drafts[0].mass)
                #expect(
                    draft.keys.floats().map(\.bits) == drafts[0].keys.floats().map(\.bits))
                #expect(
                    draft.values.floats().map(\.bits) == drafts[0].values.floats().map(\.bits))
            }
        }
    }
}

/// What merging does to attention, and to plans.
@Suite struct MergePlanTests {
    /// Every token twice: keys, values and queries.
    private func doubled(_ source: SeededCache) throws -> Cache {
        func twice(_ rows: Rows) -> Rows {
            Rows((0..<rows.count).flatMap { rows.row($0) + rows.row($0) }, dim: rows.dim)
        }
        return try Cache(
            layers: source.cache.layers.map {
                CacheLayer(
                    keys: $0.keys.map(twice), values: $0.values.map(twice),
                    queries: $0.queries?.map(twice))
            })
    }

    /// Merging twins loses nothing: votes stand for them.
    @Test(arguments: ["gaussian", "uniform"])
    func twinsMergeExactly(weights: String) throws {
        let cache = try doubled(SeededCache(seed: 4, tokens: 80, dim: 16))
        let plan = try Plan(
            "kvmerger(threshold=0.99, recent=0, heavy=0, sinks=0, weights=\(weights)) | f32")
        let merged = try plan.compress(cache)
        #expect(merged.report.kept.max == 0.5)
        // All heads of a layer have the same votes, which are stored once.
        #expect(merged.report.components["votes"] == cache.layers.count * 80 * 2)
        for layer in cache.layers.indices {
            let queries = (cache.layers[layer].queries ?? []).map { $0[159..<160] }
            let exact = try LayerCache(viewing: cache.layers[layer]).attend(
                queries, options: AttentionOptions(), allocator: Allocator())
            let outputs = try merged.attend(queries, layer: layer)
            let error = zip(outputs.joined(), exact.joined()).map { abs($0 - $1) }.max()!
            #expect(error < 1e-5)
        }
    }

    /// The paper's key rule leaves every entry the attention mass of its tokens, for its query.
    @Test func keepKVPreservesAttentionForItsQuery() throws {
        var preserved = 0
        for seed in 0..<10 {
            let source = try SeededCache(
                seed: seed, layers: 1, kvHeads: 1, group: 1, tokens: 50, dim: 8, smoothness: 0.3)
            let kept = (0..<UInt32(50)).filter { $0 % 3 != 1 }
            let work = try MergeCase("keepkv(threshold=-1, keys=paper, observe=1)", source)
            let (draft, _) = work.merge(layer: 0, head: 0, kept: kept)
            let reference = ReferenceMerge(source, layer: 0, head: 0, kept: kept)
            func logit(_ key: [Double]) -> Double {
                zip(key, reference.queries[0][49]).reduce(0) { $0 + $1.0 * $1.1 } / 8.squareRoot()
            }
            for (entry, members) in reference.mergedByKey(threshold: -1).enumerated() {
                let logits = members.map { logit(reference.keys[$0]) }
                let mass = logits.reduce(0) { $0 + exp($1) }
                let mean = logits.reduce(0) { $0 + exp($1) * $1 } / mass
                let wanted = log(mass / Double(members.count))
                guard (0.5...2).contains(wanted / mean) else { continue }
                let got = exp(logit(draft.keys.floats()[entry].map(Double.init)))
                #expect(abs(got * Double(draft.mass.votes(entry)) / mass - 1) < 1e-4)
                preserved += members.count > 1 ? 1 : 0
            }
        }
        #expect(preserved > 20)
    }

    /// Equal keys and one query: everything ties, and every tie goes to the lower index.
    @Test func ties() throws {
        let keys = Rows([Float](repeating: 1, count: 20), dim: 1)
        let values = Rows((0..<20).map { Float($0) }, dim: 1)
        let cache = try Cache(
            layers: [CacheLayer(keys: [keys], values: [values], queries: [keys[19..<20]])])
        func entries(_ text: String, _ kept: Range<UInt32> = 0..<20) throws -> HeadDraft {
            let observation = Observation(
                cache: cache, kernels: .best, workers: .caller, allocator: Allocator())
            let merger = try #require(Plan("kvmerger(sinks=2, recent=3, heavy=4, \(text))").merger)
            try merger.prepare(observation)
            var remarks: [String] = []
            return merger.merge(
                MergeInput(observation: observation, layer: 0, head: 0, kept: Array(kept)),
                remarks: &remarks)
        }
        let draft = try entries("threshold=0.9")
        #expect(draft.positions == [0, 1, 2, 3, 4, 5, 6, 17, 18, 19])
        #expect(draft.mass == .votes([1, 1, 1, 1, 1, 1, 11, 1, 1, 1]))
        #expect(draft.values.floats()[6] == [11], "the mean of 6...16")
        #expect(try entries("threshold=0.9, values=paper").values.floats()[6] == [121])
        #expect(try entries("threshold=1").count == 20, "a cosine of 1 is not above 1")
        #expect(try entries("budget=16").positions == [0, 1, 2, 3, 4, 5, 6] + Array(11...19))
        #expect(try entries("threshold=0.9", 0..<8).positions == [0, 1, 2, 3, 4, 5, 6])
    }

    @Test func longRunsAreCutFromTheirEnd() {
        let tokens = Array(UInt32(5)..<UInt32(5 + 150_000))
        let keys = Rows([Float](repeating: 1, count: 150_005), dim: 1)
        let neighbours = Neighbours(tokens, of: keys, kernels: .best)
        #expect(neighbours.pairs.count == 149_999 && neighbours.cosines[7] == 1)
        let runs = neighbours.runs(neighbours.pairs)
        #expect(runs == [0..<18_930, 18_930..<84_465, 84_465..<150_000])
        #expect(neighbours.runs([]).isEmpty)
        #expect(neighbours.runs([0, 1, 149_998]).suffix(1) == [149_998..<150_000])
    }

    @Test(arguments: [
        ("kvmerger", "kvmerger"),
        ("kvmerger(threshold=0.75, sigma=automatic, recent=17%)", "kvmerger"),
        ("kvmerger(threshold=0.80)", "kvmerger(threshold=0.8)"),
        ("kvmerger(sigma=5.0, budget=50.0%)", "kvmerger(budget=50%, sigma=5)"),
        ("h2o(budget=50%) | cam(mode=expected)", "h2o(budget=50%) | cam(mode=expected)"),
        (
            "h2o(budget=50%) | kvcrush | weightedkv | q4",
            "h2o(budget=50%) | kvcrush | weightedkv | q4"
        ),
        ("h2o(budget=9) | d2o(threshold=mean)", "h2o(budget=9) | d2o"),
        ("h2o(budget=9) | d2o(threshold=1e-1)", "h2o(budget=9) | d2o(threshold=0.1)"),
        ("knorm(budget=9) | keepkv(keys=paper)", "knorm(budget=9) | keepkv(keys=paper)"),
    ])
    func canonical(text: String, expected: String) throws {
        let plan = try Plan(text)
        #expect(plan.description == expected)
        #expect(try Plan(plan.description) == plan)
    }

    @Test(arguments: [
        ("kvmerger(threshold=0.8, budget=50%)", "'threshold' and 'budget' exclude each other"),
        ("kvmerger(budget=1MiB)", "expected 50% of the tokens or 512 entries"),
        ("kvmerger(threshold=2)", "expected a number from -1 to 1"),
        ("kvmerger(0.8)", "Did you mean 'threshold=0.8'?"),
        ("kvmerger(sigma=0)", "expected automatic, or a number from"),
        ("cam", "such as 'h2o(budget=50%) | cam'"), ("weightedkv | q4", "an eviction before it"),
        ("d2o", "an eviction before it"), ("keepkv", "an eviction before it"),
        ("kvmerger | h2o(budget=50%)", "cannot follow"),
        ("h2o(budget=50%) | cam | d2o", "both merge stages"),
    ])
    func refusals(text: String, message: String) throws {
        let error = #expect(throws: CompressionError.self) { try Plan(text) }
        #expect("\(error!)".contains(message), "\(error!)")
    }

    @Test func mergersThatWeighAttentionNeedQueries() throws {
        let source = try SeededCache(seed: 1, queries: 0)
        for text in ["kvmerger", "cam", "weightedkv", "keepkv"] {
            let plan = try Plan("knorm(budget=50%) | \(text)")
            let error = #expect(throws: CompressionError.self) { try plan.compress(source.cache) }
            #expect("\(error!)".contains("'\(text)' needs the queries"), "\(error!)")
        }
        _ = try Plan("knorm(budget=50%) | d2o").compress(source.cache)
    }

    /// The paper's rule multiplies values by the length of a run.
    @Test func mergedNumbersBeyondTheFormatAreRefused() throws {
        let keys = Rows([Float](repeating: 1, count: 60), dim: 1)
        let values = Rows([Float](repeating: 4000, count: 60), dim: 1)
        let cache = try Cache(layers: [CacheLayer(keys: [keys], values: [values], queries: [keys])])
        let text = "kvmerger(sinks=0, recent=0, heavy=0, values=paper)"
        let error = #expect(throws: CompressionError.self) { try Plan(text).compress(cache) }
        #expect("\(error!)".contains("layer 0, value head 0: merged into 240000.0, beyond 65504.0"))
        _ = try Plan("\(text) | f32").compress(cache)
    }

    /// A budget that protection does not leave room for is told once.
    @Test func remarks() throws {
        let source = try SeededCache(seed: 1, tokens: 100)
        let tight = try Plan("kvmerger(budget=20%)").compress(source.cache)
        #expect(tight.report.remarks.filter { $0.contains("more than can be merged") }.count == 1)
        let easy = try Plan("kvmerger(budget=50%)").compress(source.cache)
        #expect(easy.report.remarks.isEmpty && easy.report.kept.max == 0.5)
    }

    /// The work in all heads is the same with any number of threads.
    @Test(arguments: MergerTests.texts)
    func threadsAgree(text: String) throws {
        let source = try SeededCache(seed: 8, tokens: 90, smoothness: 0.6)
        let plan = try Plan("h2o(budget=60%) | \(text) | f32")
        var options = CompressionOptions()
        let one = try plan.compress(source.cache, options: options)
        options.workers = Workers(threads: 3)
        let three = try plan.compress(source.cache, options: options)
        #expect(
            one.archive().sections.map { Array($0.storage.bytes) }
                == three.archive().sections.map { Array($0.storage.bytes) })
    }

    /// On real caches votes are what makes merging work.
    @Test(arguments: Dump.allCases)
    func votesBeatThePaperOnRealCaches(dump: Dump) throws {
        let comparison = try Comparison(cache: dump.cache())
        func error(_ text: String) throws -> Double {
            try comparison.row(for: Plan(text)).errorMean
        }
        let votes = try error("kvmerger(budget=50%)")
        #expect(try votes < error("kvmerger(budget=50%, values=paper)"))
        #expect(try votes < error("streaming(budget=50%)"))
        #expect(votes < 0.1)
    }

    /// Every merger runs behind an eviction on real caches, and attention over what it leaves is sound.
    @Test(arguments: Dump.allCases)
    func realCaches(dump: Dump) throws {
        let cache = try dump.cache()
        for text in MergerTests.texts {
            let merged = try Plan("h2o(budget=60%) | \(text) | q8").compress(cache)
            #expect(merged.report.kept.max <= 0.601)
            for (index, layer) in cache.layers.enumerated() {
                let queries = layer.queries!.map { $0[$0.count - 1..<$0.count] }
                let outputs = try merged.attend(queries, layer: index)
                #expect(outputs.joined().allSatisfy { $0.isFinite }, "\(text)")
            }
        }
    }
}
