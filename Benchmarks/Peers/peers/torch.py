"""PyTorch on the CPU: scaled_dot_product_attention, in the forms that it may be called."""

import torch
from torch.nn.functional import scaled_dot_product_attention

from data import DIM, KV_HEADS, QUERY_HEADS, Layers, agree, exact, worst_head
from measure import Contender, copies

BOUNDS = {torch.float32: 1e-4, torch.bfloat16: 3e-2, torch.float16: 3e-3}


def tensors(layers: Layers, index: int, kind: torch.dtype) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Queries, keys and values of one layer: [1, heads, rows, dim], memory of their own."""
    parts = (layers.queries, layers.keys, layers.values)
    return tuple(torch.from_numpy(part[index % 2])[None].to(kind, copy=True) for part in parts)  # type: ignore


def contender(name: str, kind: torch.dtype, grouped: bool, prepared: list, layers: Layers) -> Contender:
    def call(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        if grouped:
            return scaled_dot_product_attention(q.view(1, KV_HEADS, -1, DIM), k, v)
        return scaled_dot_product_attention(q, k, v, is_causal=q.shape[2] > 1, enable_gqa=True)

    outputs = call(*prepared[0]).reshape(QUERY_HEADS, -1, DIM).float().numpy()
    error = agree(name, worst_head(outputs, exact(layers, 0)), BOUNDS[kind])
    q, *rows = prepared[0]
    bytes_read = sum(part.nbytes for part in rows) if q.shape[2] == 1 else 0  # a prompt is not about reading
    return Contender(name, [lambda given=given: call(*given) for given in prepared], bytes_read, error)


def decode(layers: Layers, kind: torch.dtype, threads: int) -> list[Contender]:
    """One token: the query heads of a kv head as so many rows of one head (fastest), and by enable_gqa."""
    torch.set_num_threads(threads)
    each = layers.keys[0].size * 2 * kind.itemsize
    prepared = [tensors(layers, index, kind) for index in range(copies(each))]
    name = str(kind).removeprefix("torch.").replace("bfloat", "bf").replace("float", "f")
    return [
        contender(f"PyTorch {name}", kind, True, prepared, layers),
        contender(f"PyTorch {name} enable_gqa", kind, False, prepared, layers),
    ]


def prefill(layers: Layers, kind: torch.dtype, threads: int) -> list[Contender]:
    """A causal prompt, by enable_gqa and with expanded keys and values (made before)."""
    torch.set_num_threads(threads)
    prepared = [tensors(layers, index, kind) for index in range(2)]
    group = QUERY_HEADS // KV_HEADS
    expanded = [(q, k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)) for q, k, v in prepared]
    name = str(kind).removeprefix("torch.").replace("bfloat", "bf").replace("float", "f")
    return [
        contender(f"PyTorch {name} enable_gqa", kind, False, prepared, layers),
        contender(f"PyTorch {name} expanded", kind, False, expanded, layers),
    ]


def dtype(name: str) -> torch.dtype:
    return {"bf16": torch.bfloat16, "f32": torch.float32, "f16": torch.float16}[name]
