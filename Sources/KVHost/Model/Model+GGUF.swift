import Foundation
import KVCompress
import KVFiles

extension Model {
    /// The model in a GGUF file of architecture `llama` or `qwen2`.
    init(_ file: GGUF) throws(FileError) {
        let keys = try GGUFKeys(file)
        let url = file.file.url
        var table = WeightTable(
            url: url,
            entries: file.tensors.mapValues {
                WeightTable.Entry(
                    storage: file.storage(of: $0), format: $0.format,
                    formatName: $0.format.description, shape: $0.shape)
            })
        let shape = try table.shape(Naming.gguf.embedding)
        guard shape.count == 2 else {
            throw FileError(.shape, url, "\(Naming.gguf.embedding) has shape \(shape)")
        }
        let width = try keys.integer("embedding_length")
        let queryHeads = try keys.integer("attention.head_count")
        let keyDim = try keys.integer("attention.key_length", width / max(queryHeads, 1))
        let factors = try table.vector(ifPresent: "rope_freqs.weight")
        let configuration = ModelConfiguration(
            layers: try keys.integer("block_count"), width: width, queryHeads: queryHeads,
            kvHeads: try keys.integer("attention.head_count_kv", queryHeads), keyDim: keyDim,
            valueDim: try keys.integer("attention.value_length", keyDim),
            feedForward: try keys.integer("feed_forward_length"),
            epsilon: Float(try keys.number("attention.layer_norm_rms_epsilon", nil)),
            rotary: try Rotary(
                // Llama's converter permutes queries and keys so that neighbours are pairs.
                style: keys.architecture == "llama" ? .interleaved : .splitHalf,
                theta: try keys.number("rope.freq_base", 10000),
                dims: try keys.integer("rope.dimension_count", keyDim), keyDim: keyDim,
                scaling: try keys.scaling(factors), file: url))
        try configuration.validate(url)
        try self.init(&table, .gguf, configuration, vocabulary: shape[0])
    }
}

/// The metadata under a GGUF file's architecture.
private struct GGUFKeys {
    let file: GGUF
    let architecture: String

    init(_ file: GGUF) throws(FileError) {
        guard let architecture = file.metadata["general.architecture"]?.string else {
            throw FileError(.shape, file.file.url, "general.architecture is missing")
        }
        guard ["llama", "qwen2"].contains(architecture) else {
            throw FileError(
                .unsupported, file.file.url,
                "architecture \(architecture.prefix(80).debugDescription); "
                    + "llama and qwen2 are read")
        }
        self.file = file
        self.architecture = architecture
        if let experts = file.metadata["\(architecture).expert_count"]?.integer, experts > 0 {
            throw FileError(
                .unsupported, file.file.url,
                "a mixture of \(experts) experts; plain models are read")
        }
    }

    func integer(_ key: String, _ fallback: Int? = nil) throws(FileError) -> Int {
        try value(key, "a whole number", fallback) { value in
            value.integer.flatMap { (0...ModelConfiguration.limit).contains($0) ? $0 : nil }
        }
    }

    func number(_ key: String, _ fallback: Double?) throws(FileError) -> Double {
        try value(key, "a number", fallback, \.number)
    }

    /// How RoPE's frequencies are changed, by a tensor or by name.
    func scaling(_ factors: [Float]?) throws(FileError) -> Rotary.Scaling {
        if let factors { return .factors(factors) }
        let type = try value("rope.scaling.type", "text", "none", \.string)
        switch type {
        case "none": return .none
        case "linear": return .linear(try number("rope.scaling.factor", nil))
        default:
            throw FileError(
                .unsupported, file.file.url,
                "RoPE scaling \(type.prefix(80).debugDescription); none, linear and "
                    + "rope_freqs.weight are read")
        }
    }

    private func value<Value>(
        _ key: String, _ expected: String, _ fallback: Value?, _ read: (GGUF.Value) -> Value?
    ) throws(FileError) -> Value {
        guard let value = file.metadata["\(architecture).\(key)"] else {
            guard let fallback else {
                throw FileError(.shape, file.file.url, "\(architecture).\(key) is missing")
            }
            return fallback
        }
        guard let result = read(value) else {
            throw FileError(
                .shape, file.file.url, "\(architecture).\(key) is not valid; expected \(expected)")
        }
        return result
    }
}
