import Foundation
import KVFiles

/// The pieces of a GGUF file's `llama` vocabulary.
struct Vocabulary: Sendable {
    /// What a piece is for, as it is numbered in the file.
    enum Kind: Int, Sendable {
        case normal = 1
        case unknown, control, userDefined, unused, byte
    }

    struct Piece: Sendable {
        let text: [UInt8]
        let score: Float
        let kind: Kind
    }

    /// The mark that stands for a space in a piece: U+2581.
    static let space: [UInt8] = [0xE2, 0x96, 0x81]

    /// By id.
    let pieces: [Piece]
    /// Ids of the pieces that text is merged into.
    let ids: [[UInt8]: Int]
    /// The id of each byte, where there is one.
    let bytes: [Int?]
    /// Pieces that are found in text before anything else, with a space where they have its mark; by first
    /// byte, the longest first.
    let marks: [UInt8: [(text: [UInt8], id: Int)]]

    /// Reads the lists of a file.
    ///
    /// - Throws: `FileError` for another kind of vocabulary, or lists that do not fit each other.
    init(_ file: GGUF) throws(FileError) {
        let url = file.file.url
        let model = file.metadata["tokenizer.ggml.model"]?.string
        guard model == "llama" else {
            let found = model.map { "of kind \($0.prefix(80).debugDescription)" } ?? "missing"
            throw FileError(
                .unsupported, url,
                "the vocabulary is \(found); 'llama' is read, and for any other "
                    + "Tools/tokenize.py writes files of token ids, which are taken, too")
        }
        func list(_ name: String) throws(FileError) -> GGUF.List {
            guard let list = file.metadata["tokenizer.ggml.\(name)"]?.list else {
                throw FileError(.shape, url, "the list tokenizer.ggml.\(name) is missing")
            }
            return list
        }
        guard let texts = try list("tokens").strings, let scores = try list("scores").numbers,
            let kinds = try list("token_type").numbers
        else {
            throw FileError(.shape, url, "a list of tokenizer.ggml has elements of a wrong type")
        }
        guard !texts.isEmpty, texts.count == scores.count, texts.count == kinds.count else {
            throw FileError(
                .shape, url,
                "\(texts.count) tokens, \(scores.count) scores and \(kinds.count) token types; "
                    + "expected as many of each")
        }
        var pieces: [Piece] = []
        for (id, text) in texts.enumerated() {
            guard let kind = Int(exactly: kinds[id]).flatMap(Kind.init), !scores[id].isNaN else {
                throw FileError(
                    .shape, url,
                    "token \(id) has type \(kinds[id]) and score \(scores[id]); "
                        + "expected a type of 1...6 and a number")
            }
            pieces.append(Piece(text: text, score: Float(scores[id]), kind: kind))
        }
        self.pieces = pieces
        (ids, bytes, marks) = Self.index(pieces)
    }

    private static func index(
        _ pieces: [Piece]
    ) -> (ids: [[UInt8]: Int], bytes: [Int?], marks: [UInt8: [(text: [UInt8], id: Int)]]) {
        var ids: [[UInt8]: Int] = [:]
        var bytes = [Int?](repeating: nil, count: 256)
        var marks: [UInt8: [(text: [UInt8], id: Int)]] = [:]
        for (id, piece) in pieces.enumerated() {
            switch piece.kind {
            case .normal, .unused: if ids[piece.text] == nil { ids[piece.text] = id }
            case .byte: if let byte = byte(piece.text) { bytes[Int(byte)] = id }
            case .userDefined, .control:
                let text = unescaped(piece.text)
                guard let first = text.first else { continue }
                marks[first, default: []].append((text, id))
            case .unknown: break
            }
        }
        for first in marks.keys {
            marks[first]?.sort { ($1.text.count, $0.id) < ($0.text.count, $1.id) }
        }
        return (ids, bytes, marks)
    }

    /// The byte that a piece such as `<0x0A>` stands for.
    static func byte(_ text: [UInt8]) -> UInt8? {
        guard text.count == 6, text.starts(with: "<0x".utf8), text.last == UInt8(ascii: ">") else {
            return nil
        }
        return UInt8(String(decoding: text[3..<5], as: UTF8.self), radix: 16)
    }

    /// A piece's text with spaces in place of their marks.
    static func unescaped(_ text: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        var rest = text[...]
        while let first = rest.first {
            if rest.starts(with: space) {
                result.append(UInt8(ascii: " "))
                rest = rest.dropFirst(space.count)
            } else {
                result.append(first)
                rest = rest.dropFirst()
            }
        }
        return result
    }
}
