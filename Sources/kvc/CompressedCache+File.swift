import Foundation
import KVCompress
import KVFiles

extension CompressedCache {
    /// Reads a .kvc file, all of whose checksums are verified.
    init(file path: String) throws {
        self = try Self(Container(URL(fileURLWithPath: path)), path)
    }

    /// Puts together what a .kvc file holds.
    init(_ container: Container, _ path: String) throws {
        self = try naming(path) { () throws(CompressionError) in
            try CompressedCache(archive: container.archive)
        }
        metadata = container.metadata
    }
}
