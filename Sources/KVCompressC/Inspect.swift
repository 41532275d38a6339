public import CKVCompress
import Foundation
import KVCompress
import KVFiles

/// `kvc_session_geometry`.
@_cdecl("kvc_session_geometry")
public func geometry(
    _ session: OpaquePointer?, _ layer: Int, _ geometry: UnsafeMutablePointer<kvc_geometry>?,
    _ error: UnsafeMutablePointer<kvc_error>?
) -> kvc_status {
    answer(error) {
        let geometry = try present(geometry, "geometry")
        let shape = try Session.of(session).geometry(of: layer)
        geometry.pointee = kvc_geometry(
            kv_heads: shape.kvHeads, key_dim: shape.keyDim, value_dim: shape.valueDim)
    }
}

/// `kvc_session_statistics`.
@_cdecl("kvc_session_statistics")
public func statistics(
    _ session: OpaquePointer?, _ statistics: UnsafeMutablePointer<kvc_statistics>?,
    _ error: UnsafeMutablePointer<kvc_error>?
) -> kvc_status {
    answer(error) {
        let statistics = try present(statistics, "statistics")
        let session = try Session.of(session)
        let known = MemoryLayout<kvc_statistics>.size
        // A later release's fields, which this one does not know, stay as they are.
        let size = try checked(statistics.pointee.size, "statistics.size", in: known...4096)
        let ledger = session.cache.ledger, f16 = session.cache.f16Bytes
        statistics.pointee = kvc_statistics(
            size: size, layers: session.geometry.count, tokens: session.cache.tokens,
            stored_bytes: ledger.storedBytes, resident_bytes: ledger.residentBytes,
            mapped_bytes: ledger.mappedBytes, f16_bytes: f16,
            ratio: ledger.storedBytes == 0 ? 0 : Double(f16) / Double(ledger.storedBytes))
    }
}

/// `kvc_session_save`.
@_cdecl("kvc_session_save")
public func save(
    _ session: OpaquePointer?, _ path: UnsafePointer<CChar>?,
    _ error: UnsafeMutablePointer<kvc_error>?
) -> kvc_status {
    answer(error) {
        let cache = try Session.of(session).cache
        let file = URL(fileURLWithPath: try text(path, "path"))
        guard cache.tokens > 0 else {
            throw CompressionError(.session, "a session without tokens has nothing to save")
        }
        try cache.checkStep(isWholeBefore: "saving")
        let snapshot = cache.snapshot()
        try Container.write(snapshot.archive(), metadata: snapshot.metadata, to: file)
    }
}
