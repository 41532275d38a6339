import Testing

@testable import KVCompress

/// Evictions that take no budget: they keep what their rule needs, and no token more.
@Suite struct CountingScorerTests {
    private static let methods = [
        "zipvl", "dbudgetkv", "dbudgetkv(order=attention)", "fastgen(recover=60%)",
    ]

    private func kept(
        _ text: String, _ source: SeededCache, threads: Int = 1, _ set: InstructionSet = .best
    )
        throws -> [[[UInt32]]]
    {
        let eviction = try #require(Plan(text).eviction)
        return try eviction.select(from: source.observation(threads: threads, set)) { _ in 0 }.kept
    }

    private func source(_ seed: Int) throws -> SeededCache {
        var random = Seeded(seed)
        let tokens = Int.random(in: 1...80, using: &random)
        return try SeededCache(
            seed: seed,
            layers: 2,
            kvHeads: 2,
            group: 2,
            tokens: tokens,
            queries: Int.random(in: 1...tokens, using: &random)
        )
    }

    /// The smallest prefix of an order, sinks first, whose measures reach a share of all.
    private func fewest(
        _ scores: [Double],
        _ measures: [Double],
        share: Double,
        sinks: Int = 4
    ) -> [UInt32] {
        let order =
            Array(scores.indices.prefix(sinks))
            + scores.indices.dropFirst(sinks).sorted { (scores[$1], $0) < (scores[$0], $1) }
        let total = measures.reduce(0, +)
        var count = min(sinks, scores.count)
        while order.prefix(count).reduce(0, { $0 + measures[$1] }) < share * total { count += 1 }
        return order.prefix(max(count, 1)).map { UInt32($0) }.sorted()
    }

    private func mean(_ rows: [[Double]]) -> [Double] {
        rows[0].indices.map { t in rows.reduce(0) { $0 + $1[t] } / Double(rows.count) }
    }

    @Test func zipvlAgainstItsDefinition() throws {
        for seed in 0..<20 {
            let source = try source(seed)
            for (text, share) in [
                ("zipvl", 0.975), ("zipvl(cover=60%)", 0.6), ("zipvl(cover=0%)", 0),
            ] {
                let kept = try kept(text, source)
                for layer in 0..<2 {
                    let reference = ReferenceScores(source: source, layer: layer)
                    let received = mean((0..<4).map { reference.h2o($0, mean: true) })
                    let expected = fewest(received, received, share: share)
                    #expect(kept[layer] == [expected, expected], "\(text), seed \(seed)")
                }
            }
        }
    }

    @Test func dbudgetkvAgainstItsDefinition() throws {
        for seed in 0..<20 {
            let source = try source(seed)
            for (text, norm) in [
                ("dbudgetkv", 0.99), ("dbudgetkv(within=20%)", 0.8),
                ("dbudgetkv(within=5%, order=attention)", 0.95), ("dbudgetkv(tokens=layer)", 0.99),
            ] {
                let kept = try kept(text, source)
                for layer in 0..<2 {
                    let reference = ReferenceScores(source: source, layer: layer)
                    for head in 0..<2 {
                        let heads = text.contains("layer") ? 0..<4 : 2 * head..<2 * head + 2
                        let scores =
                            text.contains("attention")
                            ? mean(heads.map { reference.h2o($0, mean: true) })
                            : (0..<source.cache.tokens).map(Double.init)
                        let squares = mean(
                            heads.map { head in
                                let rows = reference.attention(head)
                                return rows[0].indices.map { t in
                                    rows.reduce(0) { $0 + $1[t] * $1[t] }
                                }
                            }
                        )
                        let expected = fewest(scores, squares, share: norm * norm)
                        #expect(kept[layer][head] == expected, "\(text), seed \(seed)")
                    }
                }
            }
        }
    }

    @Test func fastgenAgainstItsPolicies() throws {
        var chosen: Set<Int> = []
        for seed in 0..<20 {
            let source = try source(seed), tokens = source.cache.tokens
            for (text, recover) in [
                ("fastgen", 0.95), ("fastgen(recover=60%)", 0.6), ("fastgen(recover=30%)", 0.3),
                ("fastgen(recover=2%, sinks=9)", 0.02),
            ] {
                let kept = try kept(text, source)
                for layer in 0..<2 {
                    let reference = ReferenceScores(source: source, layer: layer)
                    for head in 0..<2 {
                        let received = mean(
                            (2 * head..<2 * head + 2).map { reference.h2o($0, mean: false) }
                        )
                        let share = (3 * tokens + 5) / 10
                        let sinks = Set(
                            (0..<(text.contains("9") && text.contains("sinks") ? 9 : 4)).filter {
                                $0 < tokens
                            })
                        let heavy = (0..<tokens)
                            .sorted { (received[$1], $0) < (received[$0], $1) }.prefix(share)
                        let policies = [
                            sinks, sinks.union(heavy),
                            sinks.union(heavy).union(tokens - share..<tokens), Set(0..<tokens),
                        ]
                        let total = received.reduce(0, +)
                        let first = policies.firstIndex { policy in
                            policy.reduce(0) { $0 + received[$1] } >= recover * total - 1e-9
                        }
                        let policy = try #require(first)
                        chosen.insert(policy)
                        #expect(
                            kept[layer][head].map(Int.init) == policies[policy].sorted(),
                            "\(text), seed \(seed)"
                        )
                    }
                }
            }
        }
        #expect(chosen == [0, 1, 2, 3], "every policy has its day")
    }

    /// Nothing emptied, sinks and recent tokens kept, the same for any threads and level.
    @Test(arguments: methods) func promises(method: String) throws {
        let open = method.hasSuffix(")") ? String(method.dropLast()) + ", " : method + "("
        for seed in 20..<28 {
            let source = try source(seed), tokens = source.cache.tokens
            let text = "\(open)sinks=2, recent=3)"
            let kept = try kept(text, source)
            for head in kept.joined() {
                #expect(Set(0..<UInt32(min(2, tokens))).isSubset(of: head))
                #expect(Set(UInt32(max(0, tokens - 3))..<UInt32(tokens)).isSubset(of: head))
                #expect(zip(head, head.dropFirst()).allSatisfy { $0 < $1 })
            }
            for set in InstructionSet.supported {
                #expect(try self.kept(text, source, threads: 3, set) == kept)
            }
            #expect(try self.kept("\(open)sinks=0)", source).joined().allSatisfy { !$0.isEmpty })
        }
    }

    /// Representatives are part of what the eviction asks for.
    @Test func crushSpendsTheSameCount() throws {
        for seed in 0..<10 {
            let source = try source(seed)
            for text in ["zipvl(cover=70%)", "dbudgetkv(within=20%, tokens=layer)"] {
                let alone = try kept(text, source)
                let crushed = try kept("\(text) | kvcrush(share=50%)", source)
                #expect(crushed.map { $0.map(\.count) } == alone.map { $0.map(\.count) })
                #expect(crushed.allSatisfy { $0[0] == $0[1] })
            }
        }
        let wide = try SeededCache(seed: 1, layers: 1, tokens: 120)
        #expect(
            try kept("zipvl(cover=70%) | kvcrush(share=50%)", wide)
                != kept("zipvl(cover=70%)", wide)
        )
    }

    @Test(arguments: Dump.allCases, methods) func dumps(dump: Dump, method: String) throws {
        let cache = try dump.cache(), plan = try Plan("\(method) | q8")
        #expect(try Plan(plan.description) == plan)
        let compressed = try plan.compress(cache)
        #expect(compressed.report.kept.mean < 1 && compressed.report.kept.min > 0)
        let row = try Comparison(cache: cache, holdout: 20).row(for: plan)
        #expect(row.errorMean > 0 && row.errorMean < 0.5, "\(row.errorMean)")
    }
}
