import CKVCompress
import Foundation
import KVCompress
import KVCompressC
import Testing

/// A generator of a seeded sequence.
struct Seeded: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        // The low bits of such a sequence repeat soon.
        return state ^ state >> 32
    }
}

/// The same random rows for a C session and a Swift one.
struct Recording {
    static let layers = 2, kvHeads = 2, queryHeads = 4, keyDim = 32, valueDim = 16
    let tokens: Int
    /// `[layer][head]`, packed rows.
    let keys: [[[Float]]]
    let values: [[[Float]]]
    let queries: [[[Float]]]

    init(seed: UInt64, tokens: Int) {
        var random = Seeded(seed)
        func rows(_ heads: Int, _ dim: Int) -> [[[Float]]] {
            (0..<Self.layers).map { _ in
                (0..<heads).map { _ in
                    (0..<tokens * dim).map { _ in Float.random(in: -1...1, using: &random) }
                }
            }
        }
        self.tokens = tokens
        keys = rows(Self.kvHeads, Self.keyDim)
        values = rows(Self.kvHeads, Self.valueDim)
        queries = rows(Self.queryHeads, Self.keyDim)
    }

    static var geometry: [LayerGeometry] {
        (0..<layers).map { _ in
            LayerGeometry(kvHeads: kvHeads, keyDim: keyDim, valueDim: valueDim)
        }
    }

    /// What the Swift session makes of tokens, `[layer][query head]`.
    func feed(_ session: CacheSession, _ tokens: Range<Int>, attention: AttentionOptions? = nil)
        throws -> [[[Float]]]
    {
        func view(_ heads: [[Float]], _ dim: Int) -> [Rows] {
            heads.map { Rows($0, dim: dim)[tokens] }
        }
        return try (0..<Self.layers).map { layer in
            try session.append(
                layer: layer, keys: view(keys[layer], Self.keyDim),
                values: view(values[layer], Self.valueDim))
            return try session.attend(
                layer: layer, queries: view(queries[layer], Self.keyDim), options: attention)
        }
    }

    /// What the C session makes of tokens, `[layer][query head]`.
    func feed(_ session: Handle, _ range: Range<Int>) throws -> [[[Float]]] {
        try (0..<Self.layers).map { layer in
            let n = range.count
            try session.does {
                kvc_session_append(
                    session.pointer, layer, n,
                    session.block(keys[layer], range, Self.keyDim),
                    session.block(values[layer], range, Self.valueDim), $0)
            }
            var outputs = [Float](repeating: .nan, count: Self.queryHeads * n * Self.valueDim)
            try session.does {
                kvc_session_attend(
                    session.pointer, layer, n, Self.queryHeads,
                    session.block(queries[layer], range, Self.keyDim), &outputs, $0)
            }
            return session.heads(outputs, count: Self.queryHeads, Self.valueDim)
        }
    }
}

/// A failure of a call that should have worked.
struct Unexpected: Error {
    let status: kvc_status
    let message: String
}

/// A C session that is freed with this object.
final class Handle {
    let pointer: OpaquePointer
    let tokensFirst: Bool

    init(_ pointer: OpaquePointer, tokensFirst: Bool = false) {
        self.pointer = pointer
        self.tokensFirst = tokensFirst
    }

    deinit { kvc_session_free(pointer) }

    convenience init(_ plan: String, _ change: (inout kvc_options) -> Void = { _ in }) throws {
        var options = kvc_options(), made: OpaquePointer?
        options.size = MemoryLayout<kvc_options>.size
        change(&options)
        let shape = [kvc_geometry](
            repeating: kvc_geometry(
                kv_heads: Recording.kvHeads, key_dim: Recording.keyDim,
                value_dim: Recording.valueDim), count: Recording.layers)
        try succeeds { kvc_session_create(plan, shape, shape.count, &options, &made, $0) }
        self.init(
            try #require(made), tokensFirst: options.layout == kvc_layout_tokens_first)
    }

    convenience init(loading file: URL, tokensFirst: Bool = false) throws {
        var options = kvc_options(), made: OpaquePointer?
        options.size = MemoryLayout<kvc_options>.size
        options.layout = tokensFirst ? kvc_layout_tokens_first : kvc_layout_heads_first
        try succeeds { kvc_session_load(file.path, &options, &made, $0) }
        self.init(try #require(made), tokensFirst: tokensFirst)
    }

    func fork() throws -> Handle {
        var made: OpaquePointer?
        try succeeds { kvc_session_fork(pointer, &made, $0) }
        return Handle(try #require(made), tokensFirst: tokensFirst)
    }

    func compress() throws { try does { kvc_session_compress(pointer, $0) } }

    var statistics: kvc_statistics {
        get throws {
            var statistics = kvc_statistics()
            statistics.size = MemoryLayout<kvc_statistics>.size
            try does { kvc_session_statistics(pointer, &statistics, $0) }
            return statistics
        }
    }

    func does(_ call: (UnsafeMutablePointer<kvc_error>) -> kvc_status) throws {
        try succeeds(call)
    }

    /// Some tokens' rows, in the order that the session expects.
    func block(_ heads: [[Float]], _ tokens: Range<Int>, _ dim: Int) -> [Float] {
        func row(_ head: Int, _ token: Int) -> ArraySlice<Float> {
            heads[head][token * dim..<(token + 1) * dim]
        }
        return tokensFirst
            ? tokens.flatMap { token in heads.indices.flatMap { row($0, token) } }
            : heads.indices.flatMap { head in tokens.flatMap { row(head, $0) } }
    }

    /// Rows in the session's order, head by head.
    func heads(_ block: [Float], count: Int, _ dim: Int) -> [[Float]] {
        let tokens = block.count / count / dim
        return (0..<count).map { head in
            (0..<tokens).flatMap { token in
                let row = tokensFirst ? token * count + head : head * tokens + token
                return block[row * dim..<(row + 1) * dim]
            }
        }
    }
}

/// Status and message of a call.
func said(_ call: (UnsafeMutablePointer<kvc_error>) -> kvc_status) -> (kvc_status, String) {
    var error = kvc_error()
    // What stood there before must not show through.
    withUnsafeMutableBytes(of: &error) { $0.copyBytes(from: [UInt8](repeating: 88, count: 512)) }
    let status = call(&error)
    let message = withUnsafeBytes(of: &error) { bytes in
        bytes.firstIndex(of: 0).map { String(decoding: bytes[..<$0], as: UTF8.self) }
    }
    return (status, message ?? "a message without an end")
}

/// Makes a call that must work.
func succeeds(_ call: (UnsafeMutablePointer<kvc_error>) -> kvc_status) throws {
    let (status, message) = said(call)
    guard status == kvc_ok, message.isEmpty else {
        throw Unexpected(status: status, message: message)
    }
}

/// Makes a call that must fail with a status and a message of one line that has these words.
func refused(
    _ status: kvc_status, _ words: String, sourceLocation: SourceLocation = #_sourceLocation,
    _ call: (UnsafeMutablePointer<kvc_error>) -> kvc_status
) {
    let (found, message) = said(call)
    #expect(found == status, "\(message)", sourceLocation: sourceLocation)
    #expect(message.contains(words), sourceLocation: sourceLocation)
    #expect(!message.contains("\n"), sourceLocation: sourceLocation)
}

/// A folder that goes with this object.
final class Scratch {
    let folder = FileManager.default.temporaryDirectory
        .appending(path: "KVCompressCTests-\(UUID().uuidString)")

    init() throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    subscript(_ name: String) -> URL { folder.appending(path: name) }
}
