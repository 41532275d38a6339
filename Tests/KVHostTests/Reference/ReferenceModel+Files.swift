import Foundation
import KVFiles
import KVModelFiles

extension ReferenceModel {
    /// How a file writes the model's matrices.
    enum Format: UInt32, CaseIterable {
        case f32 = 0
        case f16 = 1
        case q4 = 2
        case q8 = 8
        case bf16 = 30
    }

    /// Fills the tensors with numbers that `format` can hold without rounding.
    mutating func fill(seed: UInt64, biases: Bool, head: Bool, format: Format = .f32) {
        var state = seed
        func random() -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 40)
        }
        for (name, shape) in shapes(biases: biases, head: head) {
            tensors[name] = (0..<shape.reduce(1, *)).map { _ in
                if name.hasSuffix("norm.weight") { return 0.5 + Float(random() % 64) / 64 }
                return format == .q4
                    ? Float(random() % 16 - 8) / 32 : Float(random() % 64 - 32) / 128
            }
        }
    }

    /// The model as a GGUF file.
    func gguf(_ architecture: String, format: Format = .f32) -> GGUFBuilder {
        var file = GGUFBuilder()
        file.add("general.architecture", string: architecture)
        file.add("\(architecture).block_count", u32: UInt32(layers))
        file.add("\(architecture).embedding_length", u32: UInt32(width))
        file.add("\(architecture).feed_forward_length", u32: UInt32(inner))
        file.add("\(architecture).attention.head_count", u32: UInt32(heads))
        file.add("\(architecture).attention.head_count_kv", u32: UInt32(kvHeads))
        file.add("\(architecture).attention.key_length", u32: UInt32(keyDim))
        file.add("\(architecture).attention.layer_norm_rms_epsilon", f32: Float(epsilon))
        file.add("\(architecture).rope.freq_base", f32: Float(theta))
        for (name, floats) in tensors.sorted(by: { $0.key < $1.key }) {
            let shape = shape(name)
            let isMatrix = shape.count == 2
            file.add(
                name, shape.reversed().map(UInt64.init), type: isMatrix ? format.rawValue : 0,
                Self.bytes(floats, isMatrix ? format : .f32))
        }
        if let factors {
            file.add("rope_freqs.weight", [UInt64(factors.count)], factors.map(Float.init))
        }
        return file
    }

    /// The model's tensors under Hugging Face's names.
    func safetensors(_ format: Format = .f32) -> [Safetensors.NewTensor] {
        tensors.sorted { $0.key < $1.key }.map { name, floats in
            let bytes = Self.bytes(floats, format)
            return Safetensors.NewTensor(
                name: Self.renamed(name), dataType: format == .f32 ? .f32 : .bf16,
                shape: shape(name)
            ) { writer throws(FileError) in try writer.write(bytes) }
        }
    }

    func shape(_ name: String) -> [Int] {
        shapes(biases: true, head: true).first { $0.name == name }!.shape
    }

    private static func renamed(_ name: String) -> String {
        var name = name.replacing("blk.", with: "model.layers.")
        for (gguf, other) in [
            ("token_embd", "model.embed_tokens"), ("output_norm", "model.norm"),
            ("attn_q", "self_attn.q_proj"), ("attn_k", "self_attn.k_proj"),
            ("attn_v", "self_attn.v_proj"), ("attn_output", "self_attn.o_proj"),
            ("attn_norm", "input_layernorm"), ("ffn_norm", "post_attention_layernorm"),
            ("ffn_gate", "mlp.gate_proj"), ("ffn_up", "mlp.up_proj"), ("ffn_down", "mlp.down_proj"),
        ] { name = name.replacing(gguf, with: other) }
        return name.hasPrefix("output.") ? "lm_head.weight" : name
    }

    private static func bytes(_ floats: [Float], _ format: Format) -> [UInt8] {
        func little<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
            GGUFBuilder.little(number)
        }
        switch format {
        case .f32: return floats.flatMap { little($0.bitPattern) }
        case .f16: return floats.flatMap { little(half($0)) }
        case .bf16: return floats.flatMap { little(UInt16($0.bitPattern >> 16)) }
        case .q8:
            return blocks(floats, 128) { codes in codes.map { UInt8(bitPattern: Int8($0)) } }
        case .q4:
            return blocks(floats, 32) { codes in
                (0..<16).map { UInt8(codes[$0] + 8) | UInt8(codes[$0 + 16] + 8) << 4 }
            }
        }
    }

    /// Blocks of 32 with a scale of 1 / steps.
    private static func blocks(
        _ floats: [Float], _ steps: Float, _ pack: ([Int]) -> [UInt8]
    ) -> [UInt8] {
        let scale = GGUFBuilder.little(half(1 / steps))
        return stride(from: 0, to: floats.count, by: 32).flatMap { start in
            scale + pack(floats[start..<start + 32].map { Int($0 * steps) })
        }
    }

    /// A normal number of few digits as a half.
    private static func half(_ number: Float) -> UInt16 {
        guard number != 0 else { return 0 }
        let bits = number.bitPattern
        let exponent = Int(bits >> 23 & 255) - 127 + 15
        return UInt16(bits >> 16 & 0x8000) | UInt16(exponent) << 10 | UInt16(bits >> 13 & 0x3FF)
    }
}
