/// The names of a model's tensors, in the two conventions that are read.
enum Naming: Sendable {
    case gguf, huggingFace

    var embedding: String { pick("token_embd.weight", "model.embed_tokens.weight") }
    var finalNorm: String { pick("output_norm.weight", "model.norm.weight") }
    var head: String { pick("output.weight", "lm_head.weight") }

    /// A part of a layer.
    enum Part {
        case attentionNorm, query, key, value, output, feedForwardNorm, gate, up, down
    }

    /// A layer's tensor, less `.weight` or `.bias`.
    func name(_ part: Part, layer: Int) -> String {
        let name =
            switch part {
            case .attentionNorm: pick("attn_norm", "input_layernorm")
            case .query: pick("attn_q", "self_attn.q_proj")
            case .key: pick("attn_k", "self_attn.k_proj")
            case .value: pick("attn_v", "self_attn.v_proj")
            case .output: pick("attn_output", "self_attn.o_proj")
            case .feedForwardNorm: pick("ffn_norm", "post_attention_layernorm")
            case .gate: pick("ffn_gate", "mlp.gate_proj")
            case .up: pick("ffn_up", "mlp.up_proj")
            case .down: pick("ffn_down", "mlp.down_proj")
            }
        return "\(pick("blk", "model.layers")).\(layer).\(name)"
    }

    private func pick(_ gguf: String, _ huggingFace: String) -> String {
        self == .gguf ? gguf : huggingFace
    }
}
