import Testing

@testable import KVCompress

/// What fitting is worth on the real caches, by queries that it has not seen.
@Suite struct FitQualityTests {
    private func errors(_ dump: Dump, _ plans: [String]) throws -> [Double] {
        let comparison = try Comparison(cache: dump.cache())
        return try plans.map { try comparison.row(for: Plan($0)).errorMean }
    }

    /// The same plan with and without, and sinks + recent, at 4x, 8x and 16x.
    @Test(arguments: Dump.allCases, ["25%", "12.5%", "6.25%"])
    func beatsWhatItRepairs(dump: Dump, budget: String) throws {
        for plan in [
            "rms(budget=\(budget))", "rms(budget=\(budget)) | q4", "streaming(budget=\(budget))",
        ] {
            let found = try errors(dump, [plan, plan + " | fit"])
            print("QUALITY", dump, plan, found)
            #expect(found[1] < found[0], "\(dump), \(plan): \(found)")
        }
    }
}
