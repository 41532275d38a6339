import Foundation
import KVCompress
import KVFiles

/// The tensors of a model's files, each taken once under its name.
///
/// What nobody takes is an error: a model with parts that this runtime does not know would be
/// computed wrongly.
struct WeightTable {
    /// A tensor that is still to be taken.
    struct Entry {
        let storage: Storage
        /// Nil where the numbers are of a kind that is not read.
        let format: TensorFormat?
        /// The format's own name for them.
        let formatName: String
        let shape: [Int]
    }

    /// The file or folder that messages name.
    let url: URL
    private var entries: [String: Entry]

    init(url: URL, entries: [String: Entry]) {
        self.url = url
        self.entries = entries
    }

    /// A matrix of `rows x columns`.
    ///
    /// - Throws: `FileError` (`.shape`) when it is missing or has another shape.
    mutating func matrix(
        _ name: String, rows: Int, columns: Int
    ) throws(FileError) -> Matrix {
        try matrix(name, rows: rows, columns: columns, orNil: false)!
    }

    /// A matrix that may be missing.
    mutating func matrix(
        ifPresent name: String, rows: Int, columns: Int
    ) throws(FileError) -> Matrix? {
        try matrix(name, rows: rows, columns: columns, orNil: true)
    }

    /// A vector in f32.
    ///
    /// - Throws: `FileError` (`.shape`) when it is missing or has another length.
    mutating func vector(_ name: String, count: Int) throws(FileError) -> [Float] {
        guard let vector = try vector(ifPresent: name, count: count) else { throw missing(name) }
        return vector
    }

    /// A vector in f32 that may be missing; of any length when `count` is nil.
    mutating func vector(ifPresent name: String, count: Int? = nil) throws(FileError) -> [Float]? {
        guard let (storage, format, shape) = try take(name) else { return nil }
        guard shape.count == 1, count == nil || shape[0] == count else {
            throw FileError(
                .shape, url,
                "\(name) has shape \(shape); expected [\(count.map(String.init) ?? "n")]")
        }
        var floats = [Float](repeating: 0, count: shape[0])
        format.decode(storage.bytes.baseAddress!, count: shape[0], to: &floats)
        return floats
    }

    /// The shape of a tensor, without taking it.
    func shape(_ name: String) throws(FileError) -> [Int] {
        guard let entry = entries[name] else { throw missing(name) }
        return entry.shape
    }

    /// Whether a tensor is there to be taken.
    func has(_ name: String) -> Bool { entries[name] != nil }

    /// Leaves out tensors that say nothing new.
    mutating func ignore(_ isNeedless: (String) -> Bool) {
        entries = entries.filter { !isNeedless($0.key) }
    }

    /// - Throws: `FileError` (`.unsupported`) when a tensor was not taken.
    func checkAllTaken() throws(FileError) {
        guard let name = entries.keys.min() else { return }
        throw FileError(
            .unsupported, url,
            "the tensor \(name.debugDescription) has no place in a plain Llama or Qwen2 model")
    }

    private func missing(_ name: String) -> FileError {
        FileError(.shape, url, "the tensor \(name) is missing")
    }

    private mutating func matrix(
        _ name: String, rows: Int, columns: Int, orNil: Bool
    ) throws(FileError) -> Matrix? {
        guard let (storage, format, shape) = try take(name) else {
            if orNil { return nil }
            throw missing(name)
        }
        guard shape == [rows, columns] else {
            throw FileError(
                .shape, url, "\(name) has shape \(shape); expected [\(rows), \(columns)]")
        }
        return Matrix(storage: storage, format: format, rows: rows, columns: columns)
    }

    private mutating func take(
        _ name: String
    ) throws(FileError) -> (storage: Storage, format: TensorFormat, shape: [Int])? {
        guard let entry = entries.removeValue(forKey: name) else { return nil }
        guard let format = entry.format else {
            throw FileError(
                .unsupported, url,
                "\(name) has numbers of type \(entry.formatName); valid are F32, F16 and BF16")
        }
        var storage = entry.storage
        // Safetensors may place numbers anywhere; GGUF's alignment is enough for every format.
        if UInt(bitPattern: storage.bytes.baseAddress) % 4 != 0 {
            storage = Storage(copying: Array(storage.bytes))
        }
        return (storage, format, entry.shape)
    }
}
