public import Foundation
public import KVCompress

/// A GGUF file, version 2 or 3: a model's metadata and tensors, as ggml's tools write them.
///
/// Nothing in the file is believed before it is checked: a value of this type describes tensors that lie
/// inside the file without overlap and have the size that their shapes need. The layout is
/// https://github.com/ggml-org/ggml/blob/master/docs/gguf.md.
public struct GGUF: Sendable {
    /// What the file says of one tensor.
    public struct Tensor: Hashable, Sendable {
        /// The tensor's name.
        public let name: String
        /// How its numbers are stored.
        public let format: TensorFormat
        /// Its dimensions, slowest first: the reverse of the order in the file, and safetensors' own.
        public let shape: [Int]
        /// Where its bytes lie in the file.
        public let bytes: Range<Int>
    }

    /// The mapped file.
    public let file: MappedFile
    /// What the file says of the model, by key.
    public let metadata: [String: Value]
    /// The tensors by name.
    public let tensors: [String: Tensor]

    /// Maps a file and checks its header; reads no tensor.
    ///
    /// - Throws: `FileError` that names the key, the tensor or the byte that is wrong.
    public init(_ url: URL) throws(FileError) { try self.init(MappedFile(url)) }

    /// Checks the header of a mapped file; reads no tensor.
    public init(_ file: MappedFile) throws(FileError) {
        self.file = file
        (metadata, tensors) = try GGUFHeader.read(file)
    }

    /// A tensor's bytes in the mapped file.
    public func storage(of tensor: Tensor) -> Storage { file.storage(tensor.bytes) }
}
