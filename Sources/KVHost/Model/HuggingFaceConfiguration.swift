import Foundation
import KVCompress
import KVFiles

/// What is read of a Hugging Face folder's `config.json`.
struct HuggingFaceConfiguration: Decodable {
    struct RoPEParameters: Decodable {
        var ropeTheta: Double?
        var ropeType: String?
        /// The older name of `ropeType`.
        var type: String?
        var factor: Double?
        var lowFreqFactor: Double?
        var highFreqFactor: Double?
        var originalMaxPositionEmbeddings: Double?
    }

    var architectures: [String]
    var hiddenSize: Int
    var numHiddenLayers: Int
    var numAttentionHeads: Int
    var numKeyValueHeads: Int?
    var headDim: Int?
    var intermediateSize: Int
    var vocabSize: Int
    var rmsNormEps: Double?
    var ropeTheta: Double?
    var ropeScaling: RoPEParameters?
    /// Where releases of transformers from 5 on keep what stood in the two before.
    var ropeParameters: RoPEParameters?
    var partialRotaryFactor: Double?
    var hiddenAct: String?
    var tieWordEmbeddings: Bool?
    var useSlidingWindow: Bool?

    /// Reads a folder's configuration.
    ///
    /// - Throws: `FileError` that names the entry which is missing, has another type, or asks for what is not done here.
    static func read(_ url: URL) throws(FileError) -> HuggingFaceConfiguration {
        let configuration = try decodeJSON(HuggingFaceConfiguration.self, url)
        func unsupported(_ what: String) -> FileError { FileError(.unsupported, url, what) }
        let known = ["LlamaForCausalLM", "Qwen2ForCausalLM"]
        guard configuration.architectures.contains(where: known.contains) else {
            let names = configuration.architectures.joined(separator: ", ").prefix(80)
            throw unsupported(
                "architectures are \(names.debugDescription); "
                    + "\(known.joined(separator: " and ")) are read")
        }
        guard configuration.hiddenAct ?? "silu" == "silu" else {
            throw unsupported("hidden_act is no silu")
        }
        guard configuration.useSlidingWindow != true else {
            throw unsupported("use_sliding_window is true; full attention is done")
        }
        guard configuration.partialRotaryFactor ?? 1 == 1 else {
            throw unsupported("partial_rotary_factor is not 1")
        }
        return configuration
    }

    /// The model's shape.
    func shape(_ url: URL) throws(FileError) -> ModelConfiguration {
        let limit = 0...ModelConfiguration.limit
        guard limit.contains(hiddenSize), limit.contains(numAttentionHeads),
            limit.contains(headDim ?? 0), limit.contains(vocabSize)
        else { throw FileError(.shape, url, "a size is beyond \(limit.upperBound)") }
        let keyDim = headDim ?? hiddenSize / max(numAttentionHeads, 1)
        let shape = ModelConfiguration(
            layers: numHiddenLayers, width: hiddenSize, queryHeads: numAttentionHeads,
            kvHeads: numKeyValueHeads ?? numAttentionHeads, keyDim: keyDim, valueDim: keyDim,
            feedForward: intermediateSize, epsilon: Float(rmsNormEps ?? 1e-6),
            rotary: try Rotary(
                style: .splitHalf, theta: ropeParameters?.ropeTheta ?? ropeTheta ?? 10000,
                dims: keyDim, keyDim: keyDim, scaling: try scaling(url), file: url))
        try shape.validate(url)
        return shape
    }

    private func scaling(_ url: URL) throws(FileError) -> Rotary.Scaling {
        guard let rope = ropeParameters ?? ropeScaling else { return .none }
        func needed(_ number: Double?, _ name: String) throws(FileError) -> Double {
            guard let number, number.isFinite, number > 0 else {
                throw FileError(.shape, url, "RoPE scaling needs a positive \(name)")
            }
            return number
        }
        switch rope.ropeType ?? rope.type ?? "default" {
        case "default": return .none
        case "linear": return .linear(try needed(rope.factor, "factor"))
        case "llama3":
            return .llama3(
                factor: try needed(rope.factor, "factor"),
                low: try needed(rope.lowFreqFactor, "low_freq_factor"),
                high: try needed(rope.highFreqFactor, "high_freq_factor"),
                context: try needed(
                    rope.originalMaxPositionEmbeddings, "original_max_position_embeddings"))
        case let type:
            throw FileError(
                .unsupported, url,
                "RoPE scaling \(type.prefix(80).debugDescription); default, linear and llama3 are read"
            )
        }
    }
}

/// Decodes a JSON file whose names are in snake case.
///
/// - Throws: `FileError` that names the file and the place in it.
func decodeJSON<Value: Decodable>(_: Value.Type, _ url: URL) throws(FileError) -> Value {
    let file = try MappedFile(url)
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    do {
        return try decoder.decode(Value.self, from: Data(file.bytes))
    } catch let error as DecodingError {
        throw FileError(.format, url, error.summary)
    } catch {
        throw FileError(.format, url, "no JSON")
    }
}

extension DecodingError {
    /// What was wrong, and where, on one line.
    fileprivate var summary: String {
        func place(_ context: Context) -> String {
            let path = context.codingPath.map { $0.intValue.map(String.init) ?? $0.stringValue }
            return path.isEmpty
                ? "" : " at \(path.joined(separator: ".").prefix(80).debugDescription)"
        }
        switch self {
        case .keyNotFound(let key, let context):
            return "\(key.stringValue.debugDescription) is missing\(place(context))"
        case .typeMismatch(let type, let context), .valueNotFound(let type, let context):
            return "expected a value of type \(type)\(place(context))"
        case .dataCorrupted(let context):
            // Foundation does not say which.
            return "no valid JSON, or a number of another kind than expected\(place(context))"
        @unknown default: return "no valid JSON"
        }
    }
}
