import Testing

@testable import KVCompress

/// What every selection promises, whatever the method.
@Suite struct SelectionTests {
    static let methods = Registry.scorers.filter { !($0 is any CountingScorer.Type) }
        .map { $0.identity.name }

    private func select(
        _ text: String,
        _ source: SeededCache,
        threads: Int = 1,
        _ set: InstructionSet = .best,
        encoded: ([[Int]]) -> Int = { _ in 0 }
    ) throws -> Selection {
        let eviction = try #require(Plan(text).eviction)
        return try eviction.select(
            from: source.observation(threads: threads, set),
            encoded: encoded
        )
    }

    @Test(arguments: methods)
    func promises(method: String) throws {
        var random = Seeded(17)
        for seed in 0..<6 {
            let tokens = Int.random(in: 1...120, using: &random)
            let source = try SeededCache(
                seed: seed,
                layers: 3,
                tokens: tokens,
                queries: Int.random(in: 1...tokens, using: &random)
            )
            for variant in [
                "", "tokens=layer", "allocate=pyramid", "allocate=adaptive", "select=chunks(8)",
                "select=pages(16)",
                "select=pages(4), allocate=adaptive", "select=chunks(3), allocate=adaptive",
                "select=pages(4), tokens=layer",
                "select=top|", "select=chunks(5)|", "select=pages(4)|",
                "select=pages(16), allocate=pyramid|", "allocate=dynamic", "allocate=dynamic(1)|",
                "allocate=greedy, select=chunks(5)", "allocate=greedy|", "allocate=entropy",
                "allocate=entropy, select=pages(8)|", "allocate=rank",
                "allocate=rank, select=pages(8)",
            ] {
                let budget = Int.random(in: 1...tokens + 5, using: &random)
                let parameters = variant.replacing("|", with: "")
                let text =
                    "\(method)(budget=\(budget)\(parameters.isEmpty ? "" : ", \(parameters)"))"
                    + (variant.hasSuffix("|") ? " | kvcrush(share=40%)" : "")
                check(try select(text, source), text, budget: min(budget, tokens), source, seed)
            }
        }
    }

    private func check(
        _ selection: Selection,
        _ text: String,
        budget: Int,
        _ source: SeededCache,
        _ seed: Int
    ) {
        let tokens = source.cache.tokens
        let label: Comment = "\(text), seed \(seed), \(tokens) tokens"
        for heads in selection.kept {
            #expect(heads.count == 3, label)
            for head in heads {
                #expect(!head.isEmpty && head.last! < tokens, label)
                #expect(zip(head, head.dropFirst()).allSatisfy { $0 < $1 }, label)
                if text.contains("top") { #expect(head[0] == 0, label) }
                if !text.contains("allocate"), budget >= 4, !text.contains("pages") {
                    #expect(Array(head.prefix(4)) == Array(0..<UInt32(min(4, tokens))), label)
                }
            }
            if text.contains("layer") || text.contains("kvcrush") || text.contains("tova") {
                #expect(heads.allSatisfy { $0 == heads[0] }, label)
            }
        }
        let total = selection.kept.joined().reduce(0) { $0 + $1.count }
        let exact = !text.contains("pages")
        #expect(exact ? total == 9 * budget : total <= 9 * budget, label)
        if !text.contains("allocate") {
            #expect(selection.kept.joined().allSatisfy { $0.count <= budget }, label)
        }
        if !text.contains("allocate") || text.contains("adaptive") {
            #expect(
                selection.kept.allSatisfy { $0.reduce(0) { $0 + $1.count } <= 3 * budget },
                label
            )
        }
        if budget == tokens {
            #expect(selection.kept == Selection.all(of: source.cache).kept, label)
        }
    }

    @Test func topAgainstSorting() throws {
        for seed in 0..<60 {
            var random = Seeded(seed)
            let tokens = Int.random(in: 2...200, using: &random),
                levels = [3, 40, 100_000].randomElement(using: &random)!
            let source = try SeededCache(
                seed: seed,
                layers: 1,
                kvHeads: 2,
                group: 2,
                tokens: tokens,
                dim: 2
            )
            let given = Given.random(
                seed: seed,
                layers: 1,
                heads: 4,
                tokens: tokens,
                levels: levels
            )
            let budget = Int.random(in: 1..<tokens, using: &random),
                recent = Int.random(in: 0...9, using: &random)
            let kept = try given.eviction("budget=\(budget), recent=\(recent)")
                .select(from: source.observation()) { _ in 0 }.kept[0]
            let sinks = min(4, budget), newest = min(recent, budget - sinks)
            for head in 0..<2 {
                let scores = (0..<tokens).map {
                    (given.table[0][2 * head][$0] + given.table[0][2 * head + 1][$0]) / 2
                }
                let best = (sinks..<tokens - newest).sorted {
                    scores[$0] != scores[$1] ? scores[$0] > scores[$1] : $0 < $1
                }
                let expected =
                    Array(0..<sinks) + best.prefix(budget - sinks - newest)
                    + Array(tokens - newest..<tokens)
                #expect(kept[head].map(Int.init) == expected.sorted(), "seed \(seed)")
            }
        }
    }

    @Test func chunksAndPagesAreWhole() throws {
        let source = try SeededCache(seed: 5, layers: 1, tokens: 100)
        let pages = try select("h2o(budget=40, recent=0, select=pages(8))", source)
        for head in pages.kept[0] {
            let counts = Dictionary(grouping: head) { $0 / 8 }.mapValues(\.count)
            #expect(counts.count == 5 && counts[0] == 8 && counts[12] == 4)
            #expect(counts.allSatisfy { $0.value == ($0.key == 12 ? 4 : 8) })
        }
        let chunks = try select("h2o(budget=31, recent=3, select=chunks(8))", source)
        for head in chunks.kept[0] {
            let counts = Dictionary(grouping: head.filter { $0 >= 4 && $0 < 97 }) { ($0 - 4) / 8 }
                .mapValues(\.count)
            #expect(counts.values.sorted() == [8, 8, 8])
        }
        #expect(
            try select("h2o(budget=9, select=pages(16))", source).remarks.contains {
                $0 == "a budget of 9 tokens holds no page of 16; tokens are taken one by one"
            }
        )
    }

    @Test func largerBudgetsKeepASuperset() throws {
        let source = try SeededCache(seed: 6)
        for method in Self.methods {
            for variant in ["", ", tokens=layer", ", select=chunks(8)", ", select=pages(4)"] {
                var before: Selection?
                for budget in stride(from: 13, through: 70, by: 3) {
                    let now = try select("\(method)(budget=\(budget), recent=5\(variant))", source)
                    if let before {
                        for (small, large) in zip(before.kept.joined(), now.kept.joined()) {
                            #expect(
                                Set(small).isSubset(of: large),
                                "\(method)\(variant), \(budget)"
                            )
                        }
                    }
                    before = now
                }
            }
        }
    }

    @Test func sameForAnyThreadsAndLevel() throws {
        let source = try SeededCache(seed: 7, layers: 3, tokens: 150, dim: 24)
        for method in Self.methods {
            for allocation in Registry.allocations.map({ $0.identity }) {
                let text =
                    "\(method)(budget=30%, allocate=\(allocation.name))"
                    + (allocation.isPerHead ? "" : " | kvcrush")
                let expected = try select(text, source, .scalar)
                for set in InstructionSet.supported {
                    #expect(try select(text, source, threads: 3, set) == expected)
                }
            }
        }
    }

    @Test func headsArePermutedAlike() throws {
        var source = try SeededCache(seed: 8, layers: 1, kvHeads: 4, group: 2, tokens: 80)
        let order = [2, 0, 3, 1], layer = source.cache.layers[0]
        let original = source
        let queries = try #require(layer.queries)
        source.cache = try Cache(layers: [
            CacheLayer(
                keys: order.map { layer.keys[$0] },
                values: order.map { layer.values[$0] },
                queries: order.flatMap { queries[2 * $0...2 * $0 + 1] }
            )
        ])
        // Noise belongs to the place of a head.
        for method in Self.methods where method != "random" && method != "keyformer" {
            for rest in [
                ")", ", tokens=layer)", ", allocate=adaptive)", ") | kvcrush",
                ") | kvcrush(anchor=ones, bits=kv)",
            ] {
                let text = "\(method)(budget=30%\(rest)"
                let before = try select(text, original).kept[0],
                    after = try select(text, source).kept[0]
                // All scores of streaming tie between heads, and ties go to the first head.
                if method == "streaming", rest.contains("adaptive") { continue }
                #expect(after == order.map { before[$0] }, "\(text)")
            }
        }
    }

    @Test func protectedShrinkRecentFirst() throws {
        #expect(
            Protection(sinks: 4, recent: 32, budget: 20)
                == Protection(sinks: 4, recent: 16, budget: 20)
        )
        #expect(Protection(sinks: 4, recent: 9, budget: 3).sinks == 3)
        #expect(Protection(sinks: 4, recent: 9, budget: 3).recent == 0)
        let source = try SeededCache(seed: 9)
        let selection = try select("snapkv(budget=20)", source)
        #expect(selection.kept[0][0] == Array(0..<4) + Array(54..<70))
        #expect(
            selection.remarks == [
                "4 sinks and 32 recent tokens exceed a budget of 20; 4 and 16 are protected"
            ]
        )
        #expect(try select("h2o(budget=1)", source).kept[0][0] == [0])
        #expect(
            try select("knorm(budget=3, sinks=0, recent=100%)", source).kept[0][0] == [67, 68, 69]
        )
    }

    @Test func budgetsAreRoundedAndClamped() throws {
        let source = try SeededCache(seed: 10)
        #expect(try select("random(budget=0.1%)", source).kept[0][0].count == 1)
        #expect(
            try select("random(budget=0.1%)", source).remarks[0]
                == "a budget of 0.1% of 70 tokens is less than one; one is kept"
        )
        #expect(try select("random(budget=12.5%)", source).kept[0][0].count == 9)
        #expect(
            try select("random(budget=71)", source).remarks == [
                "a budget of 71 tokens exceeds the cache's 70; all are kept"
            ]
        )
        let few = try SeededCache(seed: 11, queries: 9)
        #expect(
            try select("snapkv(budget=20)", few).remarks == [
                "snapkv: observe=32, and the cache carries 9 queries; all are observed"
            ]
        )
    }

    @Test func budgetsInBytes() throws {
        let source = try SeededCache(seed: 12, layers: 4, tokens: 90)
        func bytes(_ counts: [[Int]]) -> Int {
            100 + counts.joined().reduce(0) { $0 + 24 * (($1 + 3) / 4 * 4) }
        }
        for rest in [
            "", ", allocate=pyramid", ", allocate=adaptive", ", allocate=dynamic",
            ", allocate=greedy",
            ", allocate=entropy", ", allocate=rank", ", tokens=layer", ", select=pages(16)",
        ] {
            for budget in [2000, 3333, 10_000, 25_999] {
                let selection = try select("h2o(budget=\(budget)B\(rest))", source, encoded: bytes)
                let used = bytes(selection.kept.map { $0.map(\.count) })
                #expect(used <= budget, "\(rest) \(budget)")
                if rest.isEmpty { #expect(used + 12 * 24 * 4 > budget, "the budget is used") }
            }
        }
        #expect(
            try select("h2o(budget=1MiB)", source, encoded: bytes).kept
                == Selection.all(of: source.cache).kept
        )
        let error = #expect(throws: CompressionError.self) {
            try select("h2o(budget=1KiB)", source, encoded: bytes)
        }
        #expect(
            error?.description == "budget=1KiB is too small: one token per head takes 1252 bytes"
        )
    }
}
