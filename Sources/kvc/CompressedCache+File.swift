import Foundation
import KVCompress
import KVFiles

extension CompressedCache {
    /// Reads a .kvc file, all of whose checksums are verified.
    init(file path: String) throws {
        let (archive, metadata) = try Container.read(from: URL(fileURLWithPath: path))
        self = try naming(path) { () throws(CompressionError) in
            try CompressedCache(archive: archive)
        }
        self.metadata = metadata
    }
}
