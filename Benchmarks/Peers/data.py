"""The data that everybody gets, and attention over it in double precision."""

from dataclasses import dataclass

import numpy as np

QUERY_HEADS, KV_HEADS, DIM = 32, 8, 128


@dataclass
class Layers:
    """Two layers that resemble each other. keys, values: [2, kv heads, tokens, dim] f32; queries: [2, heads, n, dim]."""

    keys: np.ndarray
    values: np.ndarray
    queries: np.ndarray


def made_up(tokens: int, queries: int = 1, seed: int = 7) -> Layers:
    """Normal numbers. Every second query head attends to one token about as much as to all others together."""
    random = np.random.default_rng(seed)
    shape = (KV_HEADS, tokens, DIM)
    keys, values = (random.standard_normal((2, *shape), dtype=np.float32) for _ in range(2))
    for rows in (keys, values):
        rows[1] = rows[0] + 0.3 * rows[1]
    asked = random.standard_normal((2, QUERY_HEADS, queries, DIM), dtype=np.float32)
    for head in range(0, QUERY_HEADS, 2):
        asked[:, head] += 0.8 * keys[:, head * KV_HEADS // QUERY_HEADS, [head * tokens // QUERY_HEADS]]
    return Layers(keys, values, asked)


def attention(query: np.ndarray, key: np.ndarray, value: np.ndarray, votes: np.ndarray | None = None) -> np.ndarray:
    """One head in f64. query: [n, dim], the newest tokens when n > 1 (causal); key, value: [tokens, dim]."""
    logits = query.astype(np.float64) @ key.T.astype(np.float64) / np.sqrt(key.shape[1])
    if votes is not None:
        logits += np.log(votes)
    n, tokens = logits.shape
    if n > 1:
        logits[np.arange(tokens) > np.arange(tokens - n, tokens)[:, None]] = -np.inf
    weights = np.exp(logits - logits.max(1, keepdims=True))
    return weights / weights.sum(1, keepdims=True) @ value.astype(np.float64)


def exact(layers: Layers, layer: int) -> np.ndarray:
    """Outputs over the full cache: [query heads, n, dim] f64."""
    group = QUERY_HEADS // KV_HEADS
    return np.stack([
        attention(layers.queries[layer, h], layers.keys[layer, h // group], layers.values[layer, h // group])
        for h in range(QUERY_HEADS)
    ])


def worst_head(outputs: np.ndarray, reference: np.ndarray) -> float:
    """The largest relative error (Euclidean norm) of a head."""
    difference = (outputs.reshape(reference.shape) - reference).reshape(len(reference), -1)
    size = reference.reshape(len(reference), -1)
    return float((np.linalg.norm(difference, axis=1) / np.linalg.norm(size, axis=1)).max())


def agree(name: str, error: float, bound: float) -> float:
    """The error, if it is what the format explains."""
    if not error <= bound:
        raise SystemExit(f"{name}: outputs are off by {error:.2e}, more than {bound:.0e}: not timed")
    return error
