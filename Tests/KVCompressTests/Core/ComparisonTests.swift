import Foundation
import Testing

@testable import KVCompress

@Suite struct ComparisonTests {
    static let plans = [
        "f16", "q4", "streaming(budget=25%)",
        "snapkv(budget=25%) | kvcrush(share=25%) | q4(rotate=hadamard)",
        "h2o(budget=30, tokens=layer) | q8(keys=per-channel)",
    ]

    private func check(_ cache: Cache, holdout: Int, plan text: String, _ what: String) throws {
        let plan = try Plan(text)
        let row = try Comparison(cache: cache, holdout: holdout).row(for: plan)
        let reference = try ComparisonReference(cache, holdout: holdout, plan: plan)
        func mean(_ x: [Double]) -> Double { x.reduce(0, +) / Double(x.count) }
        let close = 1e-3
        #expect(abs(row.errorMean - mean(reference.errors)) < close, "\(text), \(what)")
        #expect(abs(row.errorWorst - reference.errors.max()!) < close, "\(text), \(what)")
        #expect(abs(row.cosine - mean(reference.cosines)) < close, "\(text), \(what)")
        #expect(abs(row.mass - mean(reference.masses)) < 1e-5, "\(text), \(what)")
        #expect(row.report.tokens == cache.tokens - holdout)
        #expect(row.attendNanosecondsPerQuery > 0 && row.compressMilliseconds > 0)
    }

    @Test(arguments: plans) func naive(plan text: String) throws {
        for seed in 0..<5 {
            var shape = RandomCache.any(seed + 900, tokens: 40...150)
            shape.queries = shape.tokens
            try check(shape.make(), holdout: 1 + seed * 7, plan: text, "\(shape)")
        }
    }

    @Test(arguments: Dump.allCases) func naiveOnDumps(dump: Dump) throws {
        for text in Self.plans { try check(dump.cache(), holdout: 20, plan: text, dump.rawValue) }
    }

    /// The control row: the whole cache in f16.
    @Test(arguments: Dump.allCases) func fullCache(dump: Dump) throws {
        let comparison = try Comparison(cache: dump.cache())
        let row = try comparison.row(for: nil)
        #expect(comparison.holdout == 64 && comparison.prefixTokens == 448)
        #expect(row.errorWorst < 1e-3 && row.errorMean <= row.errorWorst)
        #expect(abs(row.mass - 1) < 1e-5 && row.cosine > 0.99999)
        #expect(row.report.ratio == 1 && row.report.kept.mean == 1)
    }

    /// Every default plan makes a row, and makes it again.
    @Test func defaultPlansAreDeterministic() throws {
        let cache = try Dump.stories260k.cache()
        let once = try Comparison(cache: cache, holdout: 16)
        let again = try Comparison(
            cache: cache,
            holdout: 16,
            options: CompressionOptions(workers: Workers(threads: 3), instructionSet: .scalar)
        )
        for text in Comparison.defaultPlans {
            let a = try once.row(for: Plan(text)), b = try again.row(for: Plan(text))
            #expect(a.errorMean == b.errorMean && a.errorWorst == b.errorWorst, "\(text)")
            #expect(a.cosine == b.cosine && a.mass == b.mass, "\(text)")
            #expect(
                a.report.storedBytes == b.report.storedBytes && a.report.kept == b.report.kept,
                "\(text)"
            )
            #expect(
                a.mass > 0 && a.mass < 1.00001 && a.cosine <= 1.00001 && a.errorMean < 1.5,
                "\(text)"
            )
        }
    }

    /// What was merged into an entry has not gone.
    @Test func mergedTokensAreRepresented() throws {
        var shape = RandomCache(seed: 4, layers: 2, tokens: 80)
        shape.queries = shape.tokens
        let comparison = try Comparison(cache: shape.make(), holdout: 10)
        func mass(_ text: String) throws -> Double { try comparison.row(for: Plan(text)).mass }
        let kept = try mass("streaming(budget=30%)")
        #expect(kept < 0.9)
        for merger in ["cam(mode=expected)", "weightedkv", "d2o(threshold=-1)", "keepkv"] {
            let mass = try mass("streaming(budget=30%) | \(merger)")
            #expect(mass >= kept && mass < 1.00001, "\(merger)")
        }
        #expect(try mass("streaming(budget=30%) | d2o(threshold=1)") == kept)
        for text in [
            "streaming(budget=30%) | d2o(threshold=-1)", "kvmerger(budget=50%)",
            "streaming(budget=30%) | weightedkv | q4",
        ] {
            #expect(try abs(mass(text) - 1) < 1e-5, "\(text)")
        }
    }

    @Test func refusals() throws {
        func refusal(_ code: CompressionError.Code, _ words: String..., body: () throws -> Void) {
            let error = #expect(throws: CompressionError.self) { try body() }
            #expect(error?.code == code)
            for word in words {
                #expect(error?.description.contains(word) == true, "\(error?.description ?? "")")
            }
        }
        var shape = RandomCache(seed: 2, layers: 2, tokens: 40)
        let bare = try shape.make()
        refusal(.queries, "layer 0", "0 queries") { _ = try Comparison(cache: bare, holdout: 8) }
        shape.queries = 10
        let some = try shape.make()
        refusal(.queries, "10 queries", "11") { _ = try Comparison(cache: some, holdout: 11) }
        for holdout in [-1, 0, 40, 41, .max, .min] {
            refusal(.cache, "hold out \(holdout)", "1...39") {
                _ = try Comparison(cache: some, holdout: holdout)
            }
        }
        refusal(.cache, "1 token", "at least 1") {
            _ = try Comparison(cache: some.prefix(1), holdout: 1)
        }
        // All queries are held out: methods that need some say so, others work.
        let comparison = try Comparison(cache: some, holdout: 10)
        for method in ["h2o", "snapkv", "tova"] {
            refusal(.queries, method) { _ = try comparison.row(for: Plan("\(method)(budget=50%)")) }
        }
        #expect(try comparison.row(for: Plan("keydiff(budget=50%)")).mass <= 1)
        var spoiled = some.layers
        spoiled[1].values[0] = Rows([Float](repeating: .nan, count: 40 * 32), dim: 32)
        let cache = try Cache(layers: spoiled)
        refusal(.values, "layer 1", "value head 0", "token 0") {
            _ = try Comparison(cache: cache, holdout: 8)
        }
    }
}
