import Foundation
import KVCompress
import KVFiles
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

    @Test(arguments: ["f32", "h2o(budget=100) | q8"])
    func aSavedSessionGoesOnInAnotherOne(plan text: String) throws {
        let oracle = try Oracle.read()
        let model = try Model(Oracle.url)
        let session = try model.session(Plan(text))
        try session.compress()
        var before: [Float] = []
        for token in oracle.tokens[..<300] { before += try model.read([token], session) }
        let file = FileManager.default.temporaryDirectory.appendingPathComponent(
            "session-\(UUID().uuidString).kvc")
        defer { try? FileManager.default.removeItem(at: file) }
        let snapshot = session.snapshot()
        try Container.write(snapshot.archive(), metadata: snapshot.metadata, to: file)
        let resumed = try CacheSession(
            resuming: CompressedCache(archive: Container(file).archive))
        var after: [Float] = []
        for token in oracle.tokens[300...] {
            let logits = try model.read([token], resumed)
            #expect(try logits == model.read([token], session))
            after += logits
        }
        let found = negativeLogLikelihoods(
            Array(oracle.tokens.dropFirst()), Array((before + after).dropLast(model.vocabulary)))
        #expect(distance(found, oracle.nll) < (text == "f32" ? 1e-4 : 2))
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
