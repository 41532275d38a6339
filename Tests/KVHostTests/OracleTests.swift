import KVCompress
import KVHost
import Testing

/// The model's numbers against those of two other runtimes, which agree to 3e-5 with each other.
@Suite struct OracleTests {
    @Test(arguments: [[512], [1], [7, 64, 1, 130, 33]])
    func agreesHoweverTheTokensCome(pieces: [Int]) throws {
        let oracle = try Oracle.read()
        let model = try Model(Oracle.url)
        let found = try likelihoods(model, oracle.tokens, pieces: pieces)
        #expect(distance(found, oracle.nll) < 1e-4)
    }

    @Test func theLastLogitsAreTheLastOfAll() throws {
        let oracle = try Oracle.read()
        let model = try Model(Oracle.url)
        func session() throws -> CacheSession { try model.session(Plan("f32")) }
        let all = try model.read(oracle.tokens, session())
        #expect(all.count == oracle.tokens.count * model.vocabulary)
        let last = try model.read(oracle.tokens, session(), logits: .last)
        #expect(last.count == model.vocabulary)
        #expect(
            distance(last.map(Double.init), all.suffix(model.vocabulary).map(Double.init)) < 1e-4)
        #expect(try model.read(oracle.tokens, session(), logits: .none).isEmpty)
    }
}
