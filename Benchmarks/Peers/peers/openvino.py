"""OpenVINO on the CPU: PagedAttention, the operator that openvino-genai serves models with, as a model of one node.

The plain operator (scaled_dot_product_attention) is taken apart by the CPU plugin and is slower. The cache is
written by OpenVINO itself, in its own format: chunks of the prompt go in as sequences of their own, so that no time
is spent on attention between them.
"""

import numpy as np
import openvino
from openvino import Tensor, Type
from openvino import opset13 as op
from openvino.op import _PagedAttentionExtension

from data import DIM, KV_HEADS, QUERY_HEADS, Layers, agree, exact, worst_head
from measure import Contender, copies

BLOCK, CHUNK = 32, 512  # tokens of a block of the CPU plugin; tokens written at once
BOUNDS = {"f32": 1e-4, "f16": 3e-3, "u8": 5e-2, "u4": 0.4}
CACHES = ("key_cache.0", "value_cache.0")


def model() -> openvino.Model:
    def parameter(name: str, kind: Type, shape: openvino.PartialShape) -> openvino.Node:
        node = op.parameter(shape, kind)
        node.set_friendly_name(name)
        node.output(0).get_tensor().set_names({name})
        return node

    def constant(value: object, kind: type) -> openvino.Node:
        return op.constant(np.array(value, kind))

    f32, i32 = np.float32, np.int32
    rows = [
        parameter(name, Type.f32, openvino.PartialShape([-1, heads * DIM]))
        for name, heads in (("query", QUERY_HEADS), ("key", KV_HEADS), ("value", KV_HEADS))
    ]
    caches = [parameter(name, Type.dynamic, openvino.PartialShape.dynamic(4)) for name in CACHES]
    places = [
        parameter(name, Type.i32, openvino.PartialShape([-1]))
        for name in ("past_lens", "subsequence_begins", "block_indices", "block_indices_begins")
    ]
    longest = parameter("max_context_len", Type.i32, openvino.PartialShape([]))
    # scale, sliding_window, alibi_slopes; then what is not used: score aggregation, rotation, xattention, sinks,
    # adaptive eviction, token types, biases.
    settings = [constant(DIM**-0.5, f32), constant(0, i32), constant([], f32), longest]
    unused = [constant(0, i32), constant([], i32), constant([], i32), constant([], f32)]
    unused += [constant([], f32), constant(64, i32), constant(8, i32), constant(np.zeros((0, 0, 0, 0)), f32)]
    unused += [constant(0, i32), constant([], i32), constant([], i32), constant([], i32)]
    unused += [constant([], i32), constant([], np.uint8), constant([], i32)]
    inputs = rows + caches + places + settings + unused
    attention = _PagedAttentionExtension([node.output(0) for node in inputs])
    for name, number in (
        ("num_k_heads", KV_HEADS), ("k_head_size", DIM), ("num_v_heads", KV_HEADS), ("v_head_size", DIM)
    ):
        attention.get_rt_info()[name] = number
    return openvino.Model([attention.output(0)], rows + caches + places + [longest])


class Layer:
    """One layer's cache and the request that reads it."""

    def __init__(self, compiled: openvino.CompiledModel, keys: np.ndarray, values: np.ndarray, query: np.ndarray):
        tokens = keys.shape[1]
        self.request = compiled.create_infer_request()
        self.bytes = 0
        for given in compiled.inputs:
            if given.any_name in CACHES:
                shape = [tokens // BLOCK] + [given.partial_shape[axis].get_length() for axis in (1, 2, 3)]
                cache = Tensor(given.element_type, openvino.Shape(shape))
                self.bytes += cache.byte_size
                self.request.set_tensor(given.any_name, cache)
        keys, values = (rows.transpose(1, 0, 2).reshape(tokens, -1) for rows in (keys, values))
        for first in range(0, tokens, CHUNK):
            last = first + CHUNK
            self.give(np.zeros((CHUNK, query.size), np.float32), keys[first:last], values[first:last], 0, first, last)
            self.request.infer()
        self.give(query.reshape(1, -1), keys[-1:], values[-1:], tokens - 1, 0, tokens)  # the last token, once more

    def give(self, query: np.ndarray, key: np.ndarray, value: np.ndarray, past: int, first: int, last: int) -> None:
        blocks = np.arange(first // BLOCK, last // BLOCK)
        for name, array in (
            ("query", query), ("key", key), ("value", value), ("past_lens", [past]),
            ("subsequence_begins", [0, len(query)]), ("block_indices", blocks),
            ("block_indices_begins", [0, len(blocks)]), ("max_context_len", last - first),
        ):
            kind = np.float32 if name in ("query", "key", "value") else np.int32
            self.request.set_tensor(name, Tensor(np.array(array, kind)))

    def outputs(self) -> np.ndarray:
        self.request.infer()
        return self.request.get_output_tensor(0).data.reshape(QUERY_HEADS, 1, DIM)


def decode(layers: Layers, kind: str, threads: int) -> Contender:
    """One token over a cache that OpenVINO keeps as `kind` (KV_CACHE_PRECISION)."""
    compiled = openvino.Core().compile_model(model(), "CPU", {
        "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "KV_CACHE_PRECISION": kind,
        "INFERENCE_PRECISION_HINT": "f32",
    })
    made: list[Layer] = []
    while not made or len(made) < copies(made[0].bytes):
        index = len(made) % 2
        made.append(Layer(compiled, layers.keys[index], layers.values[index], layers.queries[index]))
    error = agree(f"OpenVINO {kind}", worst_head(made[0].outputs(), exact(layers, 0)), BOUNDS[kind])
    return Contender(f"OpenVINO {kind}", [layer.request.infer for layer in made], made[0].bytes, error)
