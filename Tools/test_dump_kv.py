#!/usr/bin/env python3
"""Dump tiny random models of several architectures and recompute their attention from the file.

What the model itself computed is caught elsewhere than where the dump is taken: at the input of the
layer's output projection, with the model's stock attention.
"""

import os
import subprocess
import sys
import tempfile
import unittest

try:
    import numpy as np
    import torch
    import transformers
    from safetensors import safe_open
except ImportError as error:
    print(f"skipped: Tools/test_dump_kv.py needs {error.name} (pip install -r Tools/requirements.txt)")
    sys.exit(0)

import dump_kv

SHAPE = dict(
    vocab_size=97, hidden_size=48, intermediate_size=64, num_hidden_layers=2,
    num_attention_heads=6, num_key_value_heads=2, head_dim=16)
TOKENS = 37


def read(path):
    with safe_open(path, "np") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata()


def attention(query, key, value):
    """Naive causal attention in double precision; queries are those of the last positions."""
    query, key, value = (x.astype(np.float64) for x in (query, key, value))
    group, tokens, n = query.shape[0] // key.shape[0], key.shape[1], query.shape[1]
    key, value = np.repeat(key, group, 0), np.repeat(value, group, 0)
    logits = query @ key.transpose(0, 2, 1) / np.sqrt(key.shape[2])
    future = np.arange(tokens)[None, :] > np.arange(tokens - n, tokens)[:, None]
    logits[:, future] = -np.inf
    weights = np.exp(logits - logits.max(-1, keepdims=True))
    return weights @ value / weights.sum(-1, keepdims=True)


def own_outputs(model, projection, ids):
    """Per layer [heads, tokens, head_dim]: the model's attention output before its projection."""
    outputs = []
    hooks = [
        module.register_forward_pre_hook(lambda _, inputs: outputs.append(inputs[0][0]))
        for name, module in model.named_modules() if name.endswith(projection)]
    with torch.no_grad():
        model(input_ids=torch.tensor([ids]))
    for hook in hooks:
        hook.remove()
    heads = model.config.num_attention_heads
    return [x.reshape(len(ids), heads, -1).transpose(0, 1).numpy() for x in outputs]


class DumpTests(unittest.TestCase):
    def check(self, model, projection="self_attn.o_proj", dtype="f32", queries=None, tolerance=1e-5):
        model = model.eval()
        ids = torch.randint(SHAPE["vocab_size"], (TOKENS,)).tolist()
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "a.kv.safetensors")
            remarks = dump_kv.dump(model, ids, path, "random", queries, dtype)
            self.assertEqual(os.listdir(folder), ["a.kv.safetensors"])
            tensors, about = read(path)
        expected = own_outputs(model, projection, ids)
        self.assertEqual(len(tensors), 3 * len(expected))
        for layer, own in enumerate(expected):
            query, key, value = (tensors[f"layers.{layer}.{part}"] for part in ("query", "key", "value"))
            self.assertEqual(key.shape[1], TOKENS)
            own = own[:, TOKENS - query.shape[1]:]
            error = np.abs(attention(query, key, value) - own).max() / np.abs(own).max()
            self.assertLess(error, tolerance, f"layer {layer}")
        self.assertEqual((about["format"], about["keys"]), ("kv-dump", "post-rope"))
        return tensors, about, remarks

    def setUp(self):
        torch.manual_seed(7)

    def test_llama(self):
        model = transformers.LlamaForCausalLM(transformers.LlamaConfig(
            **SHAPE, rope_parameters={"rope_type": "default", "rope_theta": 50000.0}))
        tensors, about, remarks = self.check(model)
        self.assertEqual(tensors["layers.0.key"].shape, (2, TOKENS, 16))
        self.assertEqual(tensors["layers.1.query"].shape, (6, TOKENS, 16))
        self.assertEqual((about["rope_theta"], about["rope_style"]), ("50000", "split-half"))
        self.assertEqual(remarks, [])

    def test_f16_and_last_queries(self):
        tensors, _, _ = self.check(dump_kv.random_tiny(), dtype="f16", queries=5, tolerance=2e-3)
        self.assertEqual(tensors["layers.2.query"].shape, (4, 5, 16))
        self.assertEqual(tensors["layers.2.value"].dtype, np.float16)

    def test_query_and_key_norms(self):
        self.check(transformers.Qwen3ForCausalLM(transformers.Qwen3Config(**SHAPE)))

    def test_interleaved_rope(self):
        _, about, _ = self.check(transformers.CohereForCausalLM(
            transformers.CohereConfig(
                **{k: v for k, v in SHAPE.items() if k != "head_dim"}, bos_token_id=1, eos_token_id=2)))
        self.assertEqual(about["rope_style"], "interleaved")

    def test_partial_rope_and_fused_projection(self):
        config = transformers.GPTNeoXConfig(
            vocab_size=97, hidden_size=96, intermediate_size=64, num_hidden_layers=2,
            num_attention_heads=6)
        _, about, _ = self.check(transformers.GPTNeoXForCausalLM(config), "attention.dense")
        self.assertEqual(about["rope_dims"], "4")

    def test_own_logit_scale(self):
        self.check(transformers.GraniteForCausalLM(
            transformers.GraniteConfig(
                **{k: v for k, v in SHAPE.items() if k != "head_dim"}, attention_multiplier=0.5)))

    def test_command(self):
        tool = os.path.join(os.path.dirname(os.path.abspath(__file__)), "dump_kv.py")
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "tiny.kv.safetensors")
            command = [sys.executable, tool, "--random-tiny", "-o", path]
            run = subprocess.run([*command, "--tokens", "20"], capture_output=True, text=True)
            self.assertEqual(run.returncode, 0, run.stderr)
            self.assertEqual(read(path)[0]["layers.0.key"].shape, (2, 20, 16))
            os.remove(path)
            run = subprocess.run([*command, "--token-ids", "1,999"], capture_output=True, text=True)
            self.assertEqual((run.returncode, len(run.stderr.splitlines())), (1, 1), run.stderr)
            self.assertEqual(os.listdir(folder), [])


if __name__ == "__main__":
    unittest.main()
