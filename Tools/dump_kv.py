#!/usr/bin/env python3
"""Dump the KV cache of a Hugging Face causal language model, with its queries, for `kvc`.

The file (safetensors) holds, for every attention layer i,

    layers.{i}.key    [kv_heads, tokens, key_dim]       after RoPE
    layers.{i}.value  [kv_heads, tokens, value_dim]
    layers.{i}.query  [query_heads, n, key_dim]         after RoPE, the last n tokens

They are taken where the model hands them to its attention function, which is the same place in
every architecture: after RoPE, query and key norms, and before kv heads are repeated for their
group. One forward pass over the whole text, nothing is generated.

Examples:
    dump_kv.py --model Qwen/Qwen3-0.6B --text story.txt -o qwen.kv.safetensors
    dump_kv.py --model ./my-llama --text story.txt --tokens 4096 --queries 512 -o my.kv.safetensors
    dump_kv.py --model ./my-llama --token-ids 1,403,5052,727 -o four.kv.safetensors
    dump_kv.py --random-tiny -o tiny.kv.safetensors        # random weights, no download
"""

import argparse
import json
import math
import os
import sys

IMPLEMENTATION = "kv_dump"  # the name under which the recording attention is registered


class Recorder:
    """An attention function that remembers what it is given and otherwise is torch's own."""

    def __init__(self):
        self.layers = {}
        self.remarks = []

    def __call__(self, module, query, key, value, attention_mask, scaling=None, **options):
        from transformers.integrations.sdpa_attention import sdpa_attention_forward

        if getattr(module, "is_causal", True):
            head_dim = query.shape[-1]
            # Readers of a dump scale logits by 1/sqrt(key_dim); a model with a scale of its own
            # (Gemma, Granite) is brought to that by its queries.
            ratio = 1.0 if scaling is None else scaling * math.sqrt(head_dim)
            if query.shape[0] != 1 or query.shape[2] != key.shape[2]:
                raise ValueError(f"expected one sequence in one pass, got queries {tuple(query.shape)}")
            self.layers[module.layer_idx] = (query[0] * ratio, key[0], value[0])
            for name in ("softcap", "sliding_window", "s_aux"):
                if options.get(name) is not None:
                    self.remark(f"the model's attention uses {name}, which a dump does not describe")
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, **options)

    def remark(self, text):
        if text not in self.remarks:
            self.remarks.append(text)


def record(model, token_ids):
    """Run `model` over `token_ids`; return [(query, key, value)] per layer, and remarks."""
    import torch
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    recorder = Recorder()
    AttentionInterface.register(IMPLEMENTATION, recorder)
    AttentionMaskInterface.register(IMPLEMENTATION, sdpa_mask)
    before = model.config._attn_implementation
    model.set_attn_implementation(IMPLEMENTATION)
    try:
        with torch.no_grad():
            model(input_ids=torch.tensor([token_ids], device=model.device), use_cache=False)
    finally:
        model.set_attn_implementation(before)
    if not recorder.layers:
        raise ValueError(f"{type(model).__name__} does not use transformers' attention interface")
    return [recorder.layers[index] for index in sorted(recorder.layers)], recorder.remarks


def rope_style(model):
    """How the model pairs the elements that RoPE rotates: asked of its own code, not of a list."""
    import torch

    rotate_half = getattr(sys.modules[type(model).__module__], "rotate_half", None)
    if rotate_half is None:
        return None
    turned = rotate_half(torch.arange(4.0)).tolist()
    return {(-2, -3, 0, 1): "split-half", (-1, 0, -3, 2): "interleaved"}.get(tuple(turned))


def describe(model, name):
    """The metadata of a dump: strings, and only what is known."""
    config = model.config.get_text_config()
    rope = getattr(config, "rope_parameters", None) or {}
    about = {"format": "kv-dump", "keys": "post-rope", "model": name}
    if "rope_theta" in rope:
        about["rope_theta"] = f"{rope['rope_theta']:.17g}"
        style = rope_style(model)
        if style:
            about["rope_style"] = style
        fraction = rope.get("partial_rotary_factor", 1.0)
        if fraction != 1.0:
            head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
            about["rope_dims"] = str(int(head_dim * fraction))
        if rope.get("rope_type", "default") != "default":
            about["rope_scaling"] = json.dumps(rope, sort_keys=True)
    return about


def dump(model, token_ids, path, name, queries=None, dtype="f16"):
    """Write the dump of one pass of `model` over `token_ids`; return remarks for people.

    queries: keep those of the last n tokens (None: all). dtype: f16, bf16 or f32.
    """
    import torch
    from safetensors.torch import save_file

    kind = {"f16": torch.float16, "bf16": torch.bfloat16, "f32": torch.float32}[dtype]
    layers, remarks = record(model, token_ids)
    if queries is not None and not 0 <= queries <= len(token_ids):
        raise ValueError(f"{queries} queries asked for, but there are {len(token_ids)} tokens")
    first = len(token_ids) - (len(token_ids) if queries is None else queries)
    tensors = {}
    for index, (query, key, value) in enumerate(layers):
        for part, rows in (("query", query[:, first:]), ("key", key), ("value", value)):
            stored = rows.to(kind).cpu().contiguous()
            if not torch.isfinite(stored).all():
                raise ValueError(f"layer {index}, {part}: values do not fit {dtype}; try --dtype bf16 or f32")
            if stored.numel():
                tensors[f"layers.{index}.{part}"] = stored
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        save_file(tensors, temporary, metadata=describe(model, name))
        os.replace(temporary, path)
    finally:
        if os.path.exists(temporary):
            os.remove(temporary)
    return remarks


def random_tiny(seed=0):
    """A Llama of 3 layers with random weights: 4 query heads, 2 kv heads, head dim 16."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=256, hidden_size=64, intermediate_size=128, num_hidden_layers=3,
        num_attention_heads=4, num_key_value_heads=2, head_dim=16, max_position_embeddings=4096)
    return LlamaForCausalLM(config).eval()


def parse(arguments):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--model", help="model id or path")
    source.add_argument("--random-tiny", action="store_true", help="a tiny Llama with random weights")
    text = parser.add_mutually_exclusive_group()
    text.add_argument("--text", metavar="FILE", help="text to run the model over (UTF-8)")
    text.add_argument("--token-ids", metavar="N,N,...", help="token ids instead of a text")
    parser.add_argument("--tokens", type=int, metavar="N", help="use the first N tokens only")
    parser.add_argument("--queries", type=int, metavar="N", help="keep the last N queries (default: all)")
    parser.add_argument("--dtype", choices=["f16", "bf16", "f32"], default="f16")
    parser.add_argument("--device", default="cpu", help="where to run the model (default: cpu)")
    parser.add_argument("--seed", type=int, default=0, help="of --random-tiny")
    parser.add_argument("-o", "--output", required=True, metavar="FILE")
    options = parser.parse_args(arguments)
    if options.model and not (options.text or options.token_ids):
        parser.error("--model needs --text or --token-ids")
    if options.random_tiny and options.text:
        parser.error("--random-tiny has no tokenizer: use --token-ids, or --tokens N for random ones")
    for flag, value, least in (("tokens", options.tokens, 1), ("queries", options.queries, 0)):
        if value is not None and value < least:
            parser.error(f"--{flag} must be at least {least}")
    return options


def load(options):
    """The model, its name and the token ids that the options ask for."""
    import torch

    if options.random_tiny:
        model, name = random_tiny(options.seed), f"random tiny Llama (seed {options.seed})"
        ids = torch.randint(model.config.vocab_size, (options.tokens or 256,)).tolist()
    else:
        from transformers import AutoModelForCausalLM, AutoTokenizer

        model, name = AutoModelForCausalLM.from_pretrained(options.model, dtype="auto").eval(), options.model
        if options.text:
            with open(options.text, encoding="utf-8") as file:
                ids = AutoTokenizer.from_pretrained(options.model)(file.read())["input_ids"]
    if options.token_ids:
        ids = [int(token) for token in options.token_ids.split(",")]
    ids = ids[: options.tokens]
    vocabulary = model.config.get_text_config().vocab_size
    if not ids or not all(0 <= token < vocabulary for token in ids):
        raise ValueError(f"expected at least one token, with ids of 0 to {vocabulary - 1}")
    return model.to(options.device), name, ids


def main(arguments=None):
    options = parse(arguments)
    try:
        model, name, ids = load(options)
        remarks = dump(model, ids, options.output, name, options.queries, options.dtype)
    except (OSError, ValueError) as error:
        print(f"dump_kv.py: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    for remark in remarks:
        print(f"note: {remark}", file=sys.stderr)
    size = os.path.getsize(options.output)
    print(f"{options.output}: {len(ids)} tokens of {name}, {size / 2**20:.1f} MiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
