public import Foundation
public import KVCompress
public import KVFiles

/// A language model of the Llama family: Llama or Qwen2, from a GGUF file or a Hugging Face folder.
///
/// It exists to judge caches by what a model makes of them. Weights stay mapped; models of up to 512 MiB
/// in f32 are decoded when they are loaded, larger ones a block of rows at a time whenever they are used.
/// All arithmetic is f32, attention is that of the `CacheSession` alone. Logits of the same tokens agree
/// to about 1e-4 however they are cut into calls, as the borrowed matrix product is not the same to the bit.
public struct Model: Sendable {
    /// The shape of the model.
    public let configuration: ModelConfiguration
    /// Tokens that the model knows: ids are 0..<vocabulary.
    public let vocabulary: Int
    let weights: Weights

    /// Opens a GGUF file, or a folder with `config.json` and safetensors.
    ///
    /// - Parameters:
    ///   - url: the file or folder.
    ///   - threads: threads that matrix products may use; it holds for the whole process.
    /// - Throws: `FileError` for files that cannot be read, are damaged, or hold another kind of model.
    public init(_ url: URL, threads: Int = 1) throws(FileError) {
        if url.isFolder {
            try self.init(huggingFace: url)
        } else {
            try self.init(try GGUF(url))
        }
        LinearAlgebra.useThreads(threads)
    }

    /// Opens a GGUF file that is mapped already, or part of the program.
    public init(_ file: MappedFile, threads: Int = 1) throws(FileError) {
        try self.init(GGUF(file))
        LinearAlgebra.useThreads(threads)
    }

    /// Takes a model's tensors out of a table.
    init(
        _ table: inout WeightTable, _ naming: Naming, _ configuration: ModelConfiguration,
        vocabulary: Int
    ) throws(FileError) {
        self.configuration = configuration
        self.vocabulary = vocabulary
        weights = try Weights(&table, naming, configuration, vocabulary: vocabulary)
    }

    /// What a `CacheSession` for this model is made of.
    public var geometry: [LayerGeometry] {
        let layer = LayerGeometry(
            kvHeads: configuration.kvHeads, keyDim: configuration.keyDim,
            valueDim: configuration.valueDim)
        return Array(repeating: layer, count: configuration.layers)
    }

    /// An empty session for this model, which knows how the model turns its keys.
    ///
    /// - Throws: `CompressionError` as `CacheSession.init` does.
    public func session(
        _ plan: Plan, options: SessionOptions = SessionOptions()
    ) throws(CompressionError) -> CacheSession {
        var options = options
        options.metadata.merge(configuration.rotary.metadata) { given, _ in given }
        return try CacheSession(plan: plan, geometry: geometry, options: options)
    }
}

extension URL {
    /// Whether a folder stands here.
    var isFolder: Bool {
        var isFolder: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
            && isFolder.boolValue
    }
}
