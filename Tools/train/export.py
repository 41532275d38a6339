"""Writes a trained model as GGUF (qwen2 architecture, f16 matrices, f32 vectors, `llama` vocabulary).

    python export.py run.pt small.gguf
"""
import sys

import gguf
import numpy as np
import sentencepiece
import torch

import prose
import vocabulary

source, target = sys.argv[1:]
saved = torch.load(source, weights_only=False)
shape, weights = saved["shape"], saved["model"]

writer = gguf.GGUFWriter(target, "qwen2")
writer.add_name("kvcompress-small")
writer.add_license("MIT")
writer.add_description("Trained on recall, look-ups, few-shot labels and public-domain prose; Tools/train is the recipe")
writer.add_context_length(4096)
writer.add_embedding_length(shape["width"])
writer.add_block_count(shape["layers"])
writer.add_feed_forward_length(shape["hidden"])
writer.add_head_count(shape["heads"])
writer.add_head_count_kv(shape["kv_heads"])
writer.add_key_length(shape["head_dim"])
writer.add_value_length(shape["head_dim"])
writer.add_rope_freq_base(shape["theta"])
writer.add_layer_norm_rms_eps(1e-5)
writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)

pieces = sentencepiece.SentencePieceProcessor(model_file=str(vocabulary.HERE / "prose.model"))
learnt = range(1, pieces.get_piece_size())
tokens = vocabulary.CONTROLS + vocabulary.NAMES + vocabulary.VALUES + vocabulary.LABELS + [pieces.id_to_piece(i) for i in learnt]
words = vocabulary.PROSE0 - len(vocabulary.CONTROLS)
writer.add_tokenizer_model("llama")
writer.add_token_list(tokens)
writer.add_token_scores([0.0] * vocabulary.PROSE0 + [pieces.get_score(i) for i in learnt])
types = [gguf.TokenType.UNKNOWN if t == "<unk>" else gguf.TokenType.CONTROL for t in vocabulary.CONTROLS]
writer.add_token_types(types + [gguf.TokenType.USER_DEFINED] * words + [gguf.TokenType.NORMAL] * len(learnt))
writer.add_bos_token_id(vocabulary.BOS)
writer.add_eos_token_id(vocabulary.EOS)
writer.add_unk_token_id(vocabulary.UNK)
writer.add_add_bos_token(True)
writer.add_add_space_prefix(True)

NAMES = {
    "attention_norm.weight": "attn_norm.weight", "mlp_norm.weight": "ffn_norm.weight",
    "q.weight": "attn_q.weight", "q.bias": "attn_q.bias", "k.weight": "attn_k.weight", "k.bias": "attn_k.bias",
    "v.weight": "attn_v.weight", "v.bias": "attn_v.bias", "o.weight": "attn_output.weight",
    "gate.weight": "ffn_gate.weight", "up.weight": "ffn_up.weight", "down.weight": "ffn_down.weight",
}
for name, tensor in weights.items():
    array = tensor.detach().numpy().astype(np.float16 if tensor.dim() > 1 else np.float32)
    if name.startswith("blocks."):
        _, layer, rest = name.split(".", 2)
        name = f"blk.{layer}.{NAMES[rest]}"
    else:
        name = {"embedding.weight": "token_embd.weight", "norm.weight": "output_norm.weight"}[name]
    writer.add_tensor(name, array)
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()

# The prose that evaluation may use, as u16 ids.
held_out = np.array(prose.tokens()[1], dtype="<u2")
held_out.tofile(target.rsplit("/", 1)[0] + "/prose.ids" if "/" in target else "prose.ids")
