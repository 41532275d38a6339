public import Foundation
public import KVFiles

/// A file of token ids: JSON with a list `tokens`.
public enum TokenFile {
    private struct Content: Decodable {
        var tokens: [Int]
    }

    /// Reads the ids.
    ///
    /// - Parameters:
    ///   - url: JSON as `{"tokens": [1, 403, 407]}`; other members are left alone.
    ///   - vocabulary: ids are 0..<vocabulary.
    /// - Throws: `FileError` for text that is no such JSON (`.format`), or an id out of range (`.shape`).
    public static func read(_ url: URL, vocabulary: Int) throws(FileError) -> [Int] {
        let tokens = try decodeJSON(Content.self, url).tokens
        if let place = tokens.firstIndex(where: { !(0..<vocabulary).contains($0) }) {
            throw FileError(
                .shape, url,
                "token \(place) is \(tokens[place]); the model knows 0..<\(vocabulary)")
        }
        return tokens
    }
}
