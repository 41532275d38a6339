import Foundation
import KVCompress
import KVFiles

/// The real caches that the repository carries.
enum Dump: String, CaseIterable, Sendable {
    case stories260k = "stories260k"
    case tinystories = "tinystories-5m"

    func cache() throws -> Cache {
        let folder = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../../Examples/data").standardizedFileURL
        return try KVDump.read(folder.appending(path: "\(rawValue).kv.safetensors"))
    }
}
