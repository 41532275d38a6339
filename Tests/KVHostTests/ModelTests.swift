import Foundation
import KVCompress
import KVFiles
import KVHost
import KVModelFiles
import Testing

/// Small models of made-up weights against plain loops.
@Suite struct ModelTests {
    private let tokens = (0..<30).map { $0 * 17 % 40 }

    private func write(_ file: GGUFBuilder, _ scratch: Scratch) throws -> URL {
        try Data(file.bytes).write(to: scratch["model.gguf"])
        return scratch["model.gguf"]
    }

    private func expectAgreement(
        _ reference: ReferenceModel, _ url: URL, _ location: SourceLocation = #_sourceLocation
    ) throws {
        let expected = reference.likelihoods(tokens)
        // The weights must make the model say something.
        #expect((expected.max() ?? 0) - (expected.min() ?? 0) > 1, sourceLocation: location)
        let found = try likelihoods(Model(url), tokens, pieces: [13, 1])
        #expect(distance(found, expected) < 1e-4, sourceLocation: location)
    }

    @Test(arguments: ["llama", "qwen2"], [true, false])
    func readsGGUF(architecture: String, biases: Bool) throws {
        let scratch = try Scratch()
        var reference = ReferenceModel()
        reference.interleaved = architecture == "llama"
        // Biases, a tied head and heads that are wider together than the stream go with one another here.
        reference.keyDim = biases ? 32 : 16
        reference.fill(seed: 1, biases: biases, head: !biases)
        try expectAgreement(reference, write(reference.gguf(architecture), scratch))
    }

    @Test(arguments: ReferenceModel.Format.allCases)
    func readsEveryFormat(_ format: ReferenceModel.Format) throws {
        let scratch = try Scratch()
        var reference = ReferenceModel()
        reference.fill(seed: 2, biases: false, head: true, format: format)
        try expectAgreement(reference, write(reference.gguf("qwen2", format: format), scratch))
    }

    @Test func dividesFrequenciesByTheFileFactors() throws {
        let scratch = try Scratch()
        var reference = ReferenceModel()
        reference.interleaved = true
        reference.factors = [1, 1, 1.5, 2, 4, 8, 8, 8]
        reference.fill(seed: 3, biases: false, head: true)
        try expectAgreement(reference, write(reference.gguf("llama"), scratch))
    }

    private func configuration(
        _ reference: ReferenceModel, _ changes: [String: Any?] = [:]
    ) throws -> Data {
        var members: [String: Any] = [
            "architectures": ["Qwen2ForCausalLM"], "hidden_act": "silu",
            "hidden_size": reference.width, "num_hidden_layers": reference.layers,
            "num_attention_heads": reference.heads, "num_key_value_heads": reference.kvHeads,
            "head_dim": reference.keyDim, "intermediate_size": reference.inner,
            "vocab_size": reference.vocabulary, "rms_norm_eps": reference.epsilon,
            "rope_theta": reference.theta, "tie_word_embeddings": false, "rope_scaling": NSNull(),
        ]
        for (name, value) in changes { members[name] = value }
        return try JSONSerialization.data(withJSONObject: members)
    }

    @Test func readsHuggingFaceFolders() throws {
        let scratch = try Scratch()
        var reference = ReferenceModel()
        reference.fill(seed: 4, biases: true, head: false)
        try configuration(reference, ["tie_word_embeddings": true]).write(
            to: scratch["config.json"])
        try Safetensors.write(reference.safetensors(.bf16), to: scratch["model.safetensors"])
        try expectAgreement(reference, scratch.folder)
    }

    @Test func readsShardsWithLlama3Scaling() throws {
        let scratch = try Scratch()
        var reference = ReferenceModel()
        // Wavelengths 2 pi theta^(2i / 16) against a context of 64 tokens: longer than 64 / 1 are
        // divided by 8, shorter than 64 / 4 kept, and between them the ramp (64 / wave - 1) / (4 - 1).
        reference.theta = 500
        reference.factors = (0..<8).map { pair in
            let turns = 64 / (2 * .pi * pow(500, 2 * Double(pair) / 16))
            let kept = turns > 4 ? 1 : turns < 1 ? 0 : (turns - 1) / 3
            return 1 / (kept + (1 - kept) / 8)
        }
        reference.fill(seed: 5, biases: false, head: true)
        let scaling: [String: Any] = [
            "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
            "original_max_position_embeddings": 64,
        ]
        try configuration(
            reference, ["rope_scaling": scaling, "architectures": ["LlamaForCausalLM"]]
        ).write(to: scratch["config.json"])
        let tensors = reference.safetensors()
        try Safetensors.write(Array(tensors.prefix(5)), to: scratch["one.safetensors"])
        try Safetensors.write(Array(tensors.dropFirst(5)), to: scratch["two.safetensors"])
        let index = #"{"metadata":{},"weight_map":{"a":"one.safetensors","b":"two.safetensors"}}"#
        try Data(index.utf8).write(to: scratch["model.safetensors.index.json"])
        try expectAgreement(reference, scratch.folder)
    }

    /// Checks that a model is refused with a one-line message that contains `words`.
    private func expectRefusal(
        _ words: String, _ url: URL, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let error = #expect(throws: FileError.self, sourceLocation: sourceLocation) {
            try Model(url)
        }
        #expect(
            error?.description.contains(words) == true && !"\(error!)".contains("\n"),
            "\(String(describing: error))", sourceLocation: sourceLocation)
    }

    @Test func refusesOtherModels() throws {
        let scratch = try Scratch()
        var reference = ReferenceModel()
        reference.fill(seed: 6, biases: false, head: true)
        func refuse(
            _ words: String, architecture: String = "llama",
            sourceLocation: SourceLocation = #_sourceLocation,
            _ spoil: (inout GGUFBuilder) -> Void
        ) throws {
            var file = reference.gguf(architecture)
            spoil(&file)
            expectRefusal(words, try write(file, scratch), sourceLocation: sourceLocation)
        }
        func set(_ key: String, _ number: UInt32) -> (inout GGUFBuilder) -> Void {
            { file in
                file.metadata.removeAll { $0.key == key }
                file.add(key, u32: number)
            }
        }
        try refuse("\"mamba\"; llama and qwen2", architecture: "mamba") { _ in }
        try refuse("llama.block_count is missing") { $0.metadata.remove(at: 1) }
        try refuse("blk.2.attn_norm.weight is missing", set("llama.block_count", 3))
        try refuse("no place in a plain", set("llama.block_count", 1))
        try refuse("blk.0.attn_q.weight has shape [64, 64]", set("llama.attention.key_length", 8))
        try refuse("3 kv heads", set("llama.attention.head_count_kv", 3))
        try refuse("0 kv heads", set("llama.attention.head_count_kv", 0))
        try refuse("0 layers", set("llama.block_count", 0))
        try refuse("not valid; expected a whole number", set("llama.feed_forward_length", .max))
        try refuse("RoPE turns 7 elements", set("llama.rope.dimension_count", 7))
        try refuse("mixture of 8 experts", set("llama.expert_count", 8))
        try refuse("\"yarn\"; none, linear") { $0.add("llama.rope.scaling.type", string: "yarn") }
        try refuse("outside 0...1") {
            $0.metadata.removeAll { $0.key == "llama.rope.freq_base" }
            $0.add("llama.rope.freq_base", f32: .nan)
        }
        try refuse("3 RoPE factors for 8") { $0.add("rope_freqs.weight", [3], [1, 1, 1]) }
        try refuse("token_embd.weight is missing") {
            $0.tensors.removeAll { $0.name == "token_embd.weight" }
        }
    }

    @Test func refusesOtherFolders() throws {
        let scratch = try Scratch()
        var reference = ReferenceModel()
        reference.fill(seed: 7, biases: false, head: false)
        expectRefusal("config.json: cannot be opened", scratch.folder)
        for (words, changes) in [
            ("GPT2LMHeadModel", ["architectures": ["GPT2LMHeadModel"]]),
            ("\"hiddenSize\" is missing", ["hidden_size": nil]),
            ("at \"vocabSize\"", ["vocab_size": "many"]),
            ("use_sliding_window", ["use_sliding_window": true]),
            ("\"yarn\"", ["rope_scaling": ["type": "yarn"]]),
            ("hidden_act", ["hidden_act": "gelu"]),
            ("a size is beyond", ["hidden_size": Int.max]),
            ("lm_head.weight is missing", [:]),
        ] as [(String, [String: Any?])] {
            try configuration(reference, changes).write(to: scratch["config.json"])
            try Safetensors.write(reference.safetensors(), to: scratch["model.safetensors"])
            expectRefusal(words, scratch.folder)
        }
        try configuration(reference).write(to: scratch["config.json"])
        try Data(#"{"weight_map":{"a":"../other"}}"#.utf8).write(
            to: scratch["model.safetensors.index.json"])
        expectRefusal("is no file name", scratch.folder)
    }

    /// Models whose headers something happened to: refused, or as good as whole.
    @Test func damagedModelsNeverCrash() throws {
        let scratch = try Scratch()
        var reference = ReferenceModel()
        reference.layers = 1
        reference.fill(seed: 8, biases: true, head: false)
        let file = reference.gguf("qwen2")
        let header = file.header
        var random = Lehmer(state: 8)
        var accepted = 0
        for round in 0..<1500 {
            var bytes = header
            let start = Int.random(in: 8..<header.count - 8, using: &random)
            let number = [0, 1, 1 << 20, 1 << 62, .max, .random(in: 0 ... .max, using: &random)]
            let piece = GGUFBuilder.little(number[round % number.count])
            let count = [1, 4, 8][round / number.count % 3]
            bytes.replaceSubrange(start..<start + count, with: piece.prefix(count))
            try Data(bytes + file.data).write(to: scratch["model.gguf"])
            do {
                let model = try Model(scratch["model.gguf"])
                accepted += 1
                _ = try model.read([0, 1], model.session(Plan("f32")))
            } catch {
                #expect(error is FileError || error is CompressionError)
                #expect(!"\(error)".contains("\n"))
            }
        }
        #expect(accepted > 0 && accepted < 1000)
    }
}

/// A generator of a seeded sequence (Lehmer's, 64 of 128 bits).
private struct Lehmer: RandomNumberGenerator {
    var state: UInt128

    mutating func next() -> UInt64 {
        state = (state | 1) &* 0xDA94_2042_E4DD_58B5
        return UInt64(truncatingIfNeeded: state >> 64)
    }
}
