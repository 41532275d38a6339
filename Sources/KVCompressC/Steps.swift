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
        func view(_ rows: UnsafePointer<Float>?, _ dim: Int, _ name: String) throws -> [Rows] {
            try RowBlock(
                heads: shape.kvHeads, tokens: tokens, dim: dim, tokensFirst: session.tokensFirst
            ).view(rows, name, keptBy: session)
        }
        try session.cache.append(
            layer: layer, keys: view(keys, shape.keyDim, "keys"),
            values: view(values, shape.valueDim, "values"))
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
        func block(_ dim: Int) -> RowBlock {
            RowBlock(heads: heads, tokens: tokens, dim: dim, tokensFirst: session.tokensFirst)
        }
        let room = try block(shape.valueDim).room(outputs, "outputs")
        let found = try session.cache.attend(
            layer: layer,
            queries: block(shape.keyDim).view(queries, "queries", keptBy: session),
            options: session.attention)
        block(shape.valueDim).write(found, to: room)
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
