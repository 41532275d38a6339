import Foundation
import Testing

@testable import KVCompress

/// How budgets are spread over layers and heads, against references that do it token by token.
@Suite struct AllocationTests {
    private static let words = Registry.allocations.map { $0.identity.name }

    /// Kept tokens per layer and head under scores that the test gives.
    private func counts(
        _ parameters: String,
        _ given: Given,
        _ source: SeededCache
    ) throws -> [[Int]] {
        try given.eviction(parameters).select(from: source.observation()) { _ in 0 }
            .kept.map { $0.map(\.count) }
    }

    private func source(_ seed: Int, tokens: Int, layers: Int = 4, kvHeads: Int = 2) throws
        -> SeededCache
    {
        try SeededCache(
            seed: seed, layers: layers, kvHeads: kvHeads, group: 2, tokens: tokens, dim: 8)
    }

    @Test func adaptiveFollowsTheScores() throws {
        let source = try SeededCache(seed: 13, layers: 1, kvHeads: 2, group: 1, tokens: 100, dim: 2)
        let high = (0..<100).map { Float($0 + 1000) }, low = (0..<100).map { Float($0) }
        let kept = try Given([[low, high]]).eviction("budget=20, sinks=0, allocate=adaptive")
            .select(from: source.observation()) { _ in 0 }.kept[0]
        #expect(kept[0] == Array(96..<100) && kept[1] == Array(64..<100))
    }

    @Test func pyramidConservesTheTotal() {
        func pyramid(_ budget: Int, _ protected: Int, _ layers: Int, _ tokens: Int) -> [Int] {
            (0..<layers).map { Claim(weight: Double(39 * (layers - 1) - 38 * $0)) }
                .counts(budget: budget, protected: protected, tokens: tokens)
        }
        for seed in 0..<400 {
            var random = Seeded(seed)
            let layers = Int.random(in: 1...40, using: &random),
                tokens = Int.random(in: 1...300, using: &random)
            let budget = Int.random(in: 1...tokens, using: &random)
            let protected = Int.random(in: 0...budget, using: &random)
            let budgets = pyramid(budget, protected, layers, tokens)
            #expect(budgets.allSatisfy { $0 >= min(protected, 1) }, "seed \(seed)")
            #expect(budgets.reduce(0, +) == layers * budget, "seed \(seed)")
            #expect(budgets.allSatisfy { (1...tokens).contains($0) }, "seed \(seed)")
            #expect(
                zip(budgets, budgets.dropFirst()).allSatisfy { $0 + 1 >= $1 },
                "seed \(seed): \(budgets)"
            )
        }
        for (protected, expected) in [
            (0, [195, 100, 5]), (60, [138, 100, 62]), (100, [100, 100, 100]),
        ] {
            let budgets = pyramid(100, protected, 3, 1000)
            #expect(budgets == expected)
        }
    }

    /// A head whose scores all lose keeps a token all the same.
    @Test func adaptiveEmptiesNoHead() throws {
        let source = try SeededCache(seed: 13, layers: 1, kvHeads: 2, group: 1, tokens: 64, dim: 2)
        let high = (0..<64).map { Float($0 + 1000) }, low = (0..<64).map { Float($0) }
        for select in ["top", "pages(2)", "chunks(3)"] {
            let text = "budget=5, sinks=0, allocate=adaptive, select=\(select)"
            let kept = try Given([[low, high]]).eviction(text)
                .select(from: source.observation()) { _ in 0 }.kept[0]
            #expect(!kept[0].isEmpty && kept[0].count < kept[1].count, "\(select)")
        }
    }

    @Test func claimsAreSettled() {
        for seed in 0..<400 {
            var random = Seeded(seed)
            let tokens = Int.random(in: 1...200, using: &random)
            let budget = Int.random(in: 1...tokens, using: &random)
            let protected = Int.random(in: 0...budget, using: &random)
            let even = Bool.random(using: &random)
            let claims = (0..<Int.random(in: 1...30, using: &random)).map { _ in
                Claim(
                    weight: Double(Int.random(in: 0...9, using: &random)) / 3,
                    heads: even ? 3 : Int.random(in: 1...8, using: &random)
                )
            }
            let counts = claims.counts(budget: budget, protected: protected, tokens: tokens)
            let heads = claims.reduce(0) { $0 + $1.heads }
            let spent = zip(claims, counts).reduce(0) { $0 + $1.0.heads * $1.1 }
            #expect(counts.allSatisfy { (1...tokens).contains($0) }, "seed \(seed)")
            #expect(spent <= budget * heads && spent > budget * heads - (even ? 1 : 8))
            // In proportion, where nothing is cut off.
            let sum = claims.reduce(0) { $0 + $1.weight * Double($1.heads) }
            let shares = claims.map {
                Double(protected)
                    + (sum > 0
                        ? Double((budget - protected) * heads) * $0.weight / sum
                        : Double(budget - protected))
            }
            guard even, shares.allSatisfy({ $0 >= 1 && $0 <= Double(tokens) }) else { continue }
            for (count, share) in zip(counts, shares) {
                #expect(abs(Double(count) - share) <= 1 + 1e-9, "seed \(seed)")
            }
        }
    }

    /// Every token of every layer in one list, sorted; each head enters with its best `most * free`.
    @Test func dynamicAgainstSorting() throws {
        for seed in 0..<12 {
            var random = Seeded(seed)
            let tokens = Int.random(in: 20...60, using: &random),
                source = try source(seed, tokens: tokens)
            let given = Given.random(seed: seed, layers: 4, heads: 4, tokens: tokens, levels: 40)
            let budget = Int.random(in: 5..<tokens, using: &random), most = [1, 2, 10][seed % 3]
            let free = budget - 4
            var runners: [(score: Double, layer: Int, head: Int, token: Int)] = []
            for layer in 0..<4 {
                for head in 0..<2 {
                    let rows = given.table[layer]
                    let scores = (0..<tokens).map {
                        (Double(rows[2 * head][$0]) + Double(rows[2 * head + 1][$0])) / 2
                    }
                    let order = (4..<tokens).sorted { (scores[$1], $0) < (scores[$0], $1) }
                    for token in order.prefix(most * free) {
                        runners.append((scores[token], layer, head, token))
                    }
                }
            }
            runners.sort {
                ($1.score, $0.layer, $0.head, $0.token) < ($0.score, $1.layer, $1.head, $1.token)
            }
            let winners = runners.prefix(free * 8)
            let claims = (0..<4).map { layer in
                Claim(weight: Double(winners.count { $0.layer == layer }) / 2, heads: 2)
            }
            let expected = claims.counts(budget: budget, protected: 4, tokens: tokens)
            #expect(
                try counts("budget=\(budget), allocate=dynamic(\(most))", given, source)
                    == expected.map { [$0, $0] },
                "seed \(seed)"
            )
        }
    }

    /// One token after the other to the layer that gains most.
    @Test func greedyAgainstItself() throws {
        for seed in 0..<12 {
            var random = Seeded(seed)
            let tokens = Int.random(in: 20...60, using: &random),
                source = try source(seed, tokens: tokens)
            let given = Given.random(seed: seed, layers: 4, heads: 4, tokens: tokens, levels: 5000)
            let budget = Int.random(in: 5..<tokens, using: &random)
            var gains = given.table.map { rows in
                let means = (0..<tokens).map { t in rows.reduce(0) { $0 + Double($1[t]) } / 4 }
                let sum = means.reduce(0) { $0 + $1 - means.min()! }
                return means.map { ($0 - means.min()!) / sum }.dropFirst(4).sorted(by: >)
            }
            var given4 = [Int](repeating: 4, count: 4)
            for _ in 0..<4 * (budget - 4) {
                let best = (0..<4).filter { !gains[$0].isEmpty }
                    .max { (gains[$0][0], $1) < (gains[$1][0], $0) }!
                gains[best].removeFirst()
                given4[best] += 1
            }
            #expect(
                try counts("budget=\(budget), allocate=greedy", given, source)
                    == given4.map { [$0, $0] },
                "seed \(seed)"
            )
        }
    }

    @Test func entropyAgainstItsFormula() throws {
        for seed in 0..<8 {
            var source = try source(seed, tokens: 50)
            // One layer attends evenly.
            let layer = source.cache.layers[2]
            let flat = layer.queries!.map { Rows($0.floats().map { $0 / 20 }, dim: $0.dim) }
            var layers = source.cache.layers
            layers[2].queries = flat
            source.queries[2] = flat.map { rows in
                (0..<rows.count).map { rows[$0..<$0 + 1].floats() }
            }
            source.cache = try Cache(layers: layers)
            let entropies = (0..<4).map { layer in
                let reference = ReferenceScores(source: source, layer: layer)
                let rows = (0..<4).flatMap { reference.attention($0) }
                let sum = rows.joined().reduce(0) { $0 - ($1 > 0 ? $1 * log($1) : 0) }
                return sum / Double(rows.count)
            }
            let weights = ReferenceScores(source: source, layer: 0).softmax(entropies)
            let given = Given.random(seed: seed, layers: 4, heads: 4, tokens: 50, levels: 9)
            let found = try counts("budget=12, allocate=entropy", given, source)
            for (heads, weight) in zip(found, weights) {
                #expect(heads[0] == heads[1] && abs(Double(heads[0]) - 4 - 32 * weight) <= 1.001)
            }
            #expect(found[2][0] == found.map { $0[0] }.max())
        }
    }

    /// A layer whose queries, and a head whose keys, lie on few axes get less.
    @Test func rankFollowsTheDimensions() throws {
        func rows(_ random: inout Seeded, axes: Int) -> Rows {
            Rows(
                (0..<60).flatMap { _ in random.floats(axes) + [Float](repeating: 0, count: 8 - axes)
                },
                dim: 8
            )
        }
        var random = Seeded(3)
        let layers = [8, 2, 8].map { axes in
            let keys = [rows(&random, axes: 8), rows(&random, axes: 2)]
            let queries = (0..<4).map { _ in rows(&random, axes: axes) }
            return CacheLayer(keys: keys, values: keys, queries: queries)
        }
        var source = try source(0, tokens: 60)
        source.cache = try Cache(layers: layers)
        let given = Given.random(seed: 0, layers: 3, heads: 4, tokens: 60, levels: 99)
        let found = try counts("budget=20, allocate=rank", given, source)
        #expect(found.joined().reduce(0, +) == 120)
        // Uniform numbers on k axes fill nearly k of them.
        for (layer, axes) in [8.0, 2, 8].enumerated() {
            for (head, keys) in [8.0, 2].enumerated() {
                let expected = 4 + 96 * (axes / 18) * (keys / 10)
                #expect(abs(Double(found[layer][head]) - expected) <= 2, "\(found)")
            }
        }
    }

    @Test func effectiveRanks() {
        var random = Seeded(8)
        func rank(_ rows: [[Float]]) -> Double {
            Observation.effectiveRank(rows.flatMap { $0 }, dim: rows[0].count)
        }
        #expect(rank([[0, 0], [0, 0]]) == 1 && rank([[3, 4]]) == 1)
        let line = (0..<50).map { [Float($0), 2 * Float($0), 7] }
        #expect(abs(rank(line) - 1) < 1e-3, "a constant is no dimension")
        #expect(abs(rank([[1e30, 0], [-1e30, 0], [0, 1e30], [0, -1e30]]) - 2) < 1e-5)
        // Eigenvalues 4 : 1 as shares are 0.8 and 0.2.
        let two = rank([[2, 0], [-2, 0], [0, 1], [0, -1]])
        #expect(abs(two - exp(-0.8 * log(0.8) - 0.2 * log(0.2))) < 1e-5)
        // Rotations change nothing.
        let angle = Float.random(in: 0...3, using: &random)
        let turned = [[2, 0], [-2, 0], [0, 1], [0, -1]].map { (row: [Float]) in
            [cos(angle) * row[0] - sin(angle) * row[1], sin(angle) * row[0] + cos(angle) * row[1]]
        }
        #expect(abs(rank(turned) - two) < 1e-5)
    }

    @Test(arguments: Dump.allCases, words) func dumps(dump: Dump, word: String) throws {
        let cache = try dump.cache()
        let plan = try Plan("snapkv(budget=20%, allocate=\(word)) | q8")
        let compressed = try plan.compress(cache)
        let heads = cache.layers.indices.flatMap { layer in
            cache.layers[layer].keys.indices.map {
                compressed.entries(layer: layer, head: $0).positions.count
            }
        }
        #expect(heads.reduce(0, +) == heads.count * Share("20%")!.of(cache.tokens))
        #expect(heads.allSatisfy { $0 >= 1 && $0 <= cache.tokens })
        #expect((Set(heads).count > 1) == (word != "uniform"), "\(heads)")
        let row = try Comparison(cache: cache, holdout: 20).row(for: plan)
        #expect(row.errorMean > 0 && row.errorMean < 1)
        // A budget in bytes is kept with every allocation.
        let bytes = 100_000
        let small = try Plan("snapkv(budget=\(bytes)B, allocate=\(word))").compress(cache)
        #expect(small.report.storedBytes <= bytes)
        #expect(small.report.storedBytes > bytes * 9 / 10)
    }

    @Test func queriesAreNeeded() throws {
        let source = try SeededCache(seed: 1, queries: 0)
        for word in ["entropy", "rank"] {
            let eviction = try #require(Plan("knorm(budget=25%, allocate=\(word))").eviction)
            let error = #expect(throws: CompressionError.self) {
                try eviction.select(from: source.observation()) { _ in 0 }
            }
            #expect(
                error?.description.hasPrefix("'allocate=\(word)' needs the queries of the cache")
                    == true
            )
        }
    }
}
