public import CKVCompress
import KVCompress

/// `kvc_session_append`.
@_cdecl("kvc_session_append")
public func append(
    _ session: OpaquePointer?, _ layer: Int, _ tokens: Int, _ keys: UnsafePointer<Float>?,
    _ values: UnsafePointer<Float>?, _ error: UnsafeMutablePointer<kvc_error>?
) -> kvc_status {
    answer(error) {
        let session = try Session.of(session)
        let shape = try session.geometry(of: layer)
        let tokens = try checked(tokens, "tokens", in: 1...Options.most)
        guard tokens <= Options.most - session.cache.tokens(layer: layer) else {
            throw ArgumentError("more than \(Options.most) tokens in all")
        }
        func rows(_ values: UnsafePointer<Float>?, _ dim: Int, _ name: String) throws -> RowBlock {
            try Shape(
                heads: shape.kvHeads, tokens: tokens, dim: dim, tokensFirst: session.tokensFirst
            ).rows(values, name)
        }
        try session.cache.append(
            layer: layer, keys: rows(keys, shape.keyDim, "keys"),
            values: rows(values, shape.valueDim, "values"))
    }
}

/// `kvc_session_attend`.
@_cdecl("kvc_session_attend")
public func attend(
    _ session: OpaquePointer?, _ layer: Int, _ tokens: Int, _ queryHeads: Int,
    _ queries: UnsafePointer<Float>?, _ outputs: UnsafeMutablePointer<Float>?,
    _ error: UnsafeMutablePointer<kvc_error>?
) -> kvc_status {
    answer(error) {
        let session = try Session.of(session)
        let shape = try session.geometry(of: layer)
        let tokens = try checked(tokens, "tokens", in: 1...Options.most)
        let heads = try checked(queryHeads, "query_heads", in: 1...16 * shape.kvHeads)
        func all(_ dim: Int) -> Shape {
            Shape(heads: heads, tokens: tokens, dim: dim, tokensFirst: session.tokensFirst)
        }
        let room = try all(shape.valueDim).room(outputs, "outputs")
        try session.cache.attend(
            layer: layer, queries: all(shape.keyDim).rows(queries, "queries"),
            options: session.attention, into: room)
    }
}

/// `kvc_session_compress`.
@_cdecl("kvc_session_compress")
public func compress(
    _ session: OpaquePointer?, _ error: UnsafeMutablePointer<kvc_error>?
) -> kvc_status {
    answer(error) { try Session.of(session).cache.compress() }
}

/// `kvc_session_truncate`.
@_cdecl("kvc_session_truncate")
public func truncate(
    _ session: OpaquePointer?, _ tokens: Int, _ error: UnsafeMutablePointer<kvc_error>?
) -> kvc_status {
    answer(error) {
        let session = try Session.of(session)
        try session.cache.truncate(to: checked(tokens, "tokens", in: 0...Options.most))
    }
}
