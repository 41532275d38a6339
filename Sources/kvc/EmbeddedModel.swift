import CKVModel
import Foundation
import KVFiles
import KVHost

/// The small model that is part of the program, and what it may be asked about.
enum EmbeddedModel {
    /// The model's file.
    static var file: MappedFile {
        MappedFile(
            embedded: UnsafeRawBufferPointer(
                start: kv_small_model_start(), count: kv_small_model_bytes),
            name: "the embedded model")
    }

    /// Ids of prose that the model was not trained on.
    static var prose: [Int] {
        let bytes = UnsafeRawBufferPointer(
            start: kv_small_prose_start(), count: kv_small_prose_bytes)
        return (0..<bytes.count / 2).map { Int(bytes[2 * $0]) | Int(bytes[2 * $0 + 1]) << 8 }
    }

    /// The model named, or this one.
    static func model(_ path: String?, threads: Int = 1) throws -> Model {
        if let path { return try Model(URL(fileURLWithPath: path), threads: threads) }
        return try Model(file, threads: threads)
    }
}
