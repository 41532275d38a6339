import Foundation
import KVCompress
import KVFiles
import KVHost
import Testing

/// The folder of the models that the repository carries.
let dataFolder = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../../Examples/data").standardizedFileURL

/// A small model with what two other runtimes make of a text.
struct Oracle: Decodable {
    /// Ids of the text.
    let tokens: [Int]
    /// -log p of each token but the first, in nats.
    let nll: [Double]

    static let url = dataFolder.appending(path: "stories260k.gguf")

    static func read() throws -> Oracle {
        let url = dataFolder.appending(path: "stories260k.golden.json")
        return try JSONDecoder().decode(Oracle.self, from: Data(contentsOf: url))
    }
}

/// -log p of every token but the first, read in pieces of these sizes, again and again.
func likelihoods(
    _ model: Model, _ tokens: [Int], pieces: [Int], plan: String = "f32"
) throws -> [Double] {
    let session = try model.session(Plan(plan))
    var logits: [Float] = []
    var start = 0, turn = 0
    while start < tokens.count {
        let end = min(start + pieces[turn % pieces.count], tokens.count)
        logits += try model.read(Array(tokens[start..<end]), session)
        (start, turn) = (end, turn + 1)
    }
    return negativeLogLikelihoods(
        Array(tokens.dropFirst()), Array(logits.dropLast(model.vocabulary)))
}

/// A folder that is removed with what is in it at the end of a test.
final class Scratch {
    let folder = FileManager.default.temporaryDirectory
        .appendingPathComponent("KVHostTests-\(UUID().uuidString)")

    init() throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    subscript(_ name: String) -> URL { folder.appendingPathComponent(name) }
}

/// The largest difference between numbers at the same place.
func distance(_ a: [Double], _ b: [Double]) -> Double {
    a.count == b.count ? zip(a, b).map { abs($0 - $1) }.max() ?? 0 : .infinity
}
