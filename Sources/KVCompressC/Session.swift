public import CKVCompress
import Foundation
import KVCompress
import KVFiles

/// The release, as in `KVC_VERSION`.
let release: StaticString = "0.1.0"

/// The most kv heads of all layers: more are a mistake, and would not fit in memory.
let mostHeads = 1 << 20

/// What a `kvc_session` is.
final class Session {
    let cache: CacheSession
    let attention: AttentionOptions
    let tokensFirst: Bool
    let geometry: [LayerGeometry]

    init(_ cache: CacheSession, _ attention: AttentionOptions, tokensFirst: Bool) {
        self.cache = cache
        self.attention = attention
        self.tokensFirst = tokensFirst
        geometry = cache.geometry
    }

    /// The session of a handle.
    static func of(_ handle: OpaquePointer?) throws -> Session {
        let address = UnsafeRawPointer(try present(handle, "session"))
        return Unmanaged<Session>.fromOpaque(address).takeUnretainedValue()
    }

    /// A handle that keeps the session until it is freed.
    var handle: OpaquePointer { OpaquePointer(Unmanaged.passRetained(self).toOpaque()) }

    /// The shape of a layer.
    func geometry(of layer: Int) throws -> LayerGeometry {
        guard geometry.indices.contains(layer) else {
            throw ArgumentError(
                "layer \(UInt(bitPattern: layer)) of a session of \(geometry.count) layers")
        }
        return geometry[layer]
    }
}

/// `kvc_version`.
@_cdecl("kvc_version")
public func version() -> UnsafePointer<CChar> {
    UnsafeRawPointer(release.utf8Start).assumingMemoryBound(to: CChar.self)
}

/// `kvc_session_create`.
@_cdecl("kvc_session_create")
public func create(
    _ plan: UnsafePointer<CChar>?, _ layers: UnsafePointer<kvc_geometry>?, _ layerCount: Int,
    _ options: UnsafePointer<kvc_options>?, _ session: UnsafeMutablePointer<OpaquePointer?>?,
    _ error: UnsafeMutablePointer<kvc_error>?
) -> kvc_status {
    answer(error) {
        let session = try present(session, "session")
        session.pointee = nil
        let plan = try Plan(text(plan, "plan"))
        let layers = try present(layers, "layers")
        let count = try checked(layerCount, "layer_count", in: 1...mostHeads)
        let options = try Options(options)
        var heads = 0
        let geometry = try (0..<count).map { index in
            let layer = layers[index]
            heads += try checked(
                layer.kv_heads, "layers[\(index)].kv_heads", in: 1...mostHeads)
            guard heads <= mostHeads else {
                throw ArgumentError("more than \(mostHeads) kv heads in all layers")
            }
            return LayerGeometry(
                kvHeads: layer.kv_heads, keyDim: layer.key_dim, valueDim: layer.value_dim)
        }
        let cache = try CacheSession(plan: plan, geometry: geometry, options: options.session)
        session.pointee =
            Session(cache, options.attention, tokensFirst: options.tokensFirst).handle
    }
}

/// `kvc_session_load`.
@_cdecl("kvc_session_load")
public func load(
    _ path: UnsafePointer<CChar>?, _ options: UnsafePointer<kvc_options>?,
    _ session: UnsafeMutablePointer<OpaquePointer?>?, _ error: UnsafeMutablePointer<kvc_error>?
) -> kvc_status {
    answer(error) {
        let session = try present(session, "session")
        session.pointee = nil
        let container = try Container(URL(fileURLWithPath: text(path, "path")))
        let options = try Options(options)
        var saved = try CompressedCache(archive: container.archive)
        saved.metadata = container.metadata
        let cache = try CacheSession(resuming: saved, options: options.session)
        session.pointee =
            Session(cache, options.attention, tokensFirst: options.tokensFirst).handle
    }
}

/// `kvc_session_fork`.
@_cdecl("kvc_session_fork")
public func fork(
    _ session: OpaquePointer?, _ fork: UnsafeMutablePointer<OpaquePointer?>?,
    _ error: UnsafeMutablePointer<kvc_error>?
) -> kvc_status {
    answer(error) {
        let fork = try present(fork, "fork")
        fork.pointee = nil
        let session = try Session.of(session)
        fork.pointee =
            Session(session.cache.fork(), session.attention, tokensFirst: session.tokensFirst)
            .handle
    }
}

/// `kvc_session_free`.
@_cdecl("kvc_session_free")
public func free(_ session: OpaquePointer?) {
    guard let session else { return }
    Unmanaged<Session>.fromOpaque(UnsafeRawPointer(session)).release()
}
