import Testing

@testable import KVCompress

@Suite struct CrushTests {
    /// Random scores, many of them tied, against the reference.
    @Test(arguments: [1, 4, 16], [false, true])
    func reference(page: Int, kvBits: Bool) throws {
        for seed in 0..<60 {
            var random = Seeded(seed)
            let kvHeads = Int.random(in: 1...4, using: &random),
                group = Int.random(in: 1...4, using: &random)
            let tokens = Int.random(in: 1...220, using: &random)
            let source = try SeededCache(
                seed: seed,
                layers: 2,
                kvHeads: kvHeads,
                group: group,
                tokens: tokens,
                dim: 1
            )
            let given = Given.random(
                seed: seed,
                layers: 2,
                heads: kvHeads * group,
                tokens: tokens,
                levels: [2, 9, 1 << 20].randomElement(using: &random)!
            )
            let sinks = Int.random(in: 0...5, using: &random),
                recent = Int.random(in: 0...20, using: &random)
            // Enough for the protected pages: what happens below that is not KVCrush's affair.
            let least = (sinks + page - 1) / page * page + (recent / page + 2) * page
            guard least < tokens else { continue }
            let budget = Int.random(in: least..<tokens, using: &random)
            let share = [0, 10, 25, 50, 100, Int.random(in: 0...100, using: &random)].randomElement(
                using: &random
            )!
            let anchors: [(String, (Int) -> Bool?)] = [
                ("mean", { _ in nil }), ("zeros", { _ in false }), ("ones", { _ in true }),
                ("alternating", { $0 % 2 == 1 }), ("random(5)", { noise(5, $0) >> 63 == 1 }),
            ]
            let (anchor, bit) = anchors.randomElement(using: &random)!
            let select = page == 1 ? "top" : "pages(\(page))"
            let kept = try given.eviction(
                "budget=\(budget), sinks=\(sinks), recent=\(recent), select=\(select)",
                "kvcrush(share=\(share)%, anchor=\(anchor), bits=\(kvBits ? "kv" : "query"))"
            ).select(from: source.observation()) { _ in 0 }.kept
            for layer in 0..<2 {
                let expected = ReferenceCrush(
                    s: given.table[layer].map { $0.map(Double.init) },
                    kvHeads: kvHeads,
                    page: page,
                    anchor: bit,
                    kvBits: kvBits
                ).kept(budget: budget, share: share, sinks: sinks, recent: recent)
                for head in kept[layer] {
                    #expect(
                        head.map(Int.init) == expected,
                        "seed \(seed), page \(page), anchor \(anchor), budget \(budget) of \(tokens)"
                    )
                }
            }
        }
    }

    /// Around H2O on a cache: s is the attention received per query that could see the token.
    @Test func aroundHeavyHitters() throws {
        for seed in 0..<10 {
            let source = try SeededCache(
                seed: seed,
                layers: 1,
                kvHeads: 2,
                group: 4,
                tokens: 90,
                dim: 16,
                queries: 60
            )
            let kept = try #require(Plan("h2o(budget=30) | kvcrush").eviction)
                .select(from: source.observation()) { _ in 0 }.kept[0]
            let s = (0..<8).map { ReferenceScores(source: source, layer: 0).h2o($0, mean: true) }
            let expected = ReferenceCrush(s: s, kvHeads: 2).kept(
                budget: 30,
                share: 25,
                sinks: 4,
                recent: 15
            )
            #expect(
                kept == [[UInt32]](repeating: expected.map { UInt32($0) }, count: 2),
                "seed \(seed)"
            )
        }
    }

    @Test func controlsKeepTheBudget() throws {
        for seed in 0..<20 {
            let source = try SeededCache(seed: seed, layers: 1, tokens: 100)
            let given = Given.random(
                seed: seed,
                layers: 1,
                heads: 6,
                tokens: 100,
                levels: seed % 2 == 0 ? 4 : 4000
            )
            for control in ["hamming", "even", "random(1)", "random(2)", "kmeans"] {
                for share in [0, 30, 100] {
                    let kept = try given.eviction(
                        "budget=40, recent=6",
                        "kvcrush(share=\(share)%, representatives=\(control))"
                    )
                    .select(from: source.observation()) { _ in 0 }.kept[0]
                    #expect(
                        kept[0].count == 40 && Set(kept[0]).count == 40,
                        "\(control), seed \(seed)"
                    )
                    #expect(
                        Array(kept[0].prefix(4)) == [0, 1, 2, 3]
                            && Array(kept[0].suffix(6)) == Array(94..<100)
                    )
                    #expect(kept[0] == kept[1] && kept[1] == kept[2])
                }
            }
        }
    }

    @Test func noShareIsTheScorerAlone() throws {
        let source = try SeededCache(seed: 1, tokens: 100)
        let alone = try #require(Plan("h2o(budget=40, tokens=layer)").eviction).select(
            from: source.observation()
        ) { _ in 0 }
        let wrapped = try #require(Plan("h2o(budget=40) | kvcrush(share=0%)").eviction).select(
            from: source.observation()
        ) { _ in 0 }
        #expect(alone == wrapped)
    }

    @Test func evenlySpaced() throws {
        let source = try SeededCache(seed: 2, layers: 1, kvHeads: 1, group: 1, tokens: 20, dim: 1)
        let flat = Given([[[Float](repeating: 1, count: 20)]])
        let kept = try flat.eviction(
            "budget=10, sinks=0",
            "kvcrush(share=50%, representatives=even)"
        )
        .select(from: source.observation()) { _ in 0 }.kept[0][0]
        #expect(kept == [0, 1, 2, 3, 4] + [6, 9, 12, 15, 18])
    }
}
