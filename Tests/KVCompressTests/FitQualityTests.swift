import Testing

@testable import KVCompress

/// What fitting is worth on the real caches, by queries that it has not seen.
@Suite struct FitQualityTests {
    /// The same plan without it, and sinks + recent, at 4x, 8x and 16x.
    @Test(arguments: Dump.allCases, ["25%", "12.5%", "6.25%"])
    func beatsWhatItRepairs(dump: Dump, budget: String) throws {
        let comparison = try Comparison(cache: dump.cache())
        func error(_ plan: String) throws -> Double {
            try comparison.row(for: Plan(plan)).errorMean
        }
        let streaming = try error("streaming(budget=\(budget))")
        let plain = try error("rms(budget=\(budget)) | fit")
        #expect(try error("streaming(budget=\(budget)) | fit") < 0.96 * streaming)
        #expect(try plain < 0.85 * error("rms(budget=\(budget))") && plain < 0.96 * streaming)
        let bare = try error("rms(budget=\(budget)) | q4")
        let coded = try error("rms(budget=\(budget)) | q4 | fit")
        #expect(coded < 0.8 * bare, "\(coded) and \(bare)")
    }
}
