public import Foundation
public import KVFiles

/// Text to token ids and back, with the SentencePiece vocabulary that a GGUF file calls `llama`.
///
/// Control and user-defined pieces are found in a text first, the leftmost and of those the longest. The
/// runs between them are cut into characters, and the neighbours whose piece has the highest score become
/// one, again and again (the leftmost of equals). What is then no piece is written as bytes. As llama.cpp
/// does it.
public struct Tokenizer: Sendable {
    private let vocabulary: Vocabulary
    /// The id that begins every text; nil where none does.
    public let beginning: Int?
    /// The id that ends a text; nil where there is none.
    public let end: Int?
    /// The id of what cannot be written otherwise.
    private let unknown: Int
    /// Whether a run of text is given a space in front.
    private let addsSpace: Bool

    /// Ids are 0..<count.
    public var count: Int { vocabulary.pieces.count }

    /// Reads the vocabulary of the model at `url`, as `Model` opens it.
    ///
    /// - Throws: `FileError`, also for a folder, whose tokenizer is not read.
    public init(model url: URL) throws(FileError) {
        guard !url.isFolder else {
            throw FileError(
                .unsupported, url,
                "the tokenizers of Hugging Face folders are not read; Tools/tokenize.py writes "
                    + "files of token ids with them, which are taken instead")
        }
        try self.init(try GGUF(url))
    }

    /// Reads a file's vocabulary.
    ///
    /// - Throws: `FileError` for another kind of vocabulary (`.unsupported`), or one that contradicts
    ///   itself (`.shape`).
    public init(_ file: GGUF) throws(FileError) {
        let vocabulary = try Vocabulary(file)
        func flag(_ name: String, _ fallback: Bool) -> Bool {
            file.metadata["tokenizer.ggml.\(name)"]?.bool ?? fallback
        }
        func id(_ name: String) throws(FileError) -> Int? {
            guard let value = file.metadata["tokenizer.ggml.\(name)_token_id"] else { return nil }
            guard let id = value.integer, vocabulary.pieces.indices.contains(id) else {
                throw FileError(
                    .shape, file.file.url,
                    "tokenizer.ggml.\(name)_token_id is no token; "
                        + "valid are 0..<\(vocabulary.pieces.count)")
            }
            return id
        }
        self.vocabulary = vocabulary
        let first = try id("bos")
        beginning = flag("add_bos_token", true) ? first : nil
        end = try id("eos")
        unknown = try id("unknown") ?? 0
        addsSpace = flag("add_space_prefix", true)
    }

    /// The ids of a text, with the one that begins it.
    public func encode(_ text: String) -> [Int] {
        var tokens = beginning.map { [$0] } ?? []
        let bytes = Array(text.utf8)
        var start = 0
        var position = 0
        while position < bytes.count {
            let found = vocabulary.marks[bytes[position]]?.first {
                bytes[position...].starts(with: $0.text)
            }
            guard let (mark, id) = found else {
                position += 1
                continue
            }
            tokens += run(bytes[start..<position])
            tokens.append(id)
            position += mark.count
            start = position
        }
        return tokens + run(bytes[start...])
    }

    /// The text of ids; bytes that are no UTF-8 become U+FFFD.
    public func decode(_ tokens: [Int]) -> String {
        var bytes = tokens.flatMap(self.bytes)
        if addsSpace, bytes.first == UInt8(ascii: " ") { bytes.removeFirst() }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The text of one id, perhaps a part of a character; control pieces have none.
    ///
    /// - Parameter token: an id in 0..<count.
    public func bytes(_ token: Int) -> [UInt8] {
        let piece = vocabulary.pieces[token]
        switch piece.kind {
        case .control: return []
        case .byte: return Vocabulary.byte(piece.text).map { [$0] } ?? []
        case .unknown: return Array("\u{FFFD}".utf8)
        case .normal, .userDefined, .unused: return Vocabulary.unescaped(piece.text)
        }
    }

    /// The ids of text between marks.
    private func run(_ text: ArraySlice<UInt8>) -> [Int] {
        guard !text.isEmpty else { return [] }
        var escaped: [UInt8] = addsSpace ? Vocabulary.space : []
        for byte in text {
            if byte == UInt8(ascii: " ") {
                escaped += Vocabulary.space
            } else {
                escaped.append(byte)
            }
        }
        return PairMerger(vocabulary, escaped).merged().flatMap { piece in
            if let id = vocabulary.ids[Array(piece)] { return [id] }
            return piece.map { vocabulary.bytes[Int($0)] ?? unknown }
        }
    }
}
