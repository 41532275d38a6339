"""How the time of fitting and tuning grows with the tokens, when as many queries look on."""

import json
import os
import subprocess
import tempfile
import time

import numpy as np

from data import DIM, QUERY_HEADS, made_up
from peers.ours import Library, Session

QUERIES = 1024  # as many as a fit looks at
PLAN = "streaming(budget=25%) | f16"


def slope(rows: list[dict]) -> float:
    """Of the logarithms: 1 is linear, 2 quadratic."""
    points = [(np.log(row["tokens"]), np.log(row["milliseconds"])) for row in rows]
    return float(np.polyfit(*zip(*points, strict=True), 1)[0])


def fit(library: Library, rounds: int) -> dict:
    """Compressing one layer with a fit less the same without, and its prefill attention at 2,048 tokens."""
    rows = []
    prefill: list[float] = []
    for tokens in (2048, 4096, 8192, 16384):
        layers = made_up(tokens, queries=tokens if tokens == 2048 else QUERIES)
        keys, values, queries = layers.keys[0], layers.values[0], layers.queries[0]
        times: dict[str, list[float]] = {PLAN: [], f"{PLAN} | fit": []}
        outputs = np.empty((QUERY_HEADS, queries.shape[1], DIM), np.float32)
        for _ in range(rounds):
            for plan, series in times.items():
                session = Session(library, plan, 1)
                session.append(0, keys, values)
                start = time.perf_counter()
                session.attend(0, queries, outputs)
                middle = time.perf_counter()
                session.compress()
                series.append(1e3 * (time.perf_counter() - middle))
                if tokens == 2048 and plan == PLAN:
                    prefill.append(1e3 * (middle - start))
        plain, fitted = (float(np.median(series)) for series in times.values())
        rows.append({"tokens": tokens, "milliseconds": fitted - plain})
        print(f"  fit {tokens:6} tokens: {fitted - plain:9.1f} ms", flush=True)
    quartiles = np.percentile(prefill, (50, 25, 75))
    print(f"  prefill attention of 2048 tokens: {quartiles[0]:.1f} ms; slope {slope(rows):.2f}")
    return {"rows": rows, "slope": slope(rows), "prefill": list(quartiles)}


def dump(path: str, tokens: int) -> None:
    """A KV dump of one layer: 4 query heads, 2 kv heads, d 64, 128 queries."""
    random = np.random.default_rng(2)
    header: dict[str, object] = {"__metadata__": {"format": "kv-dump", "keys": "post-rope"}}
    parts, end = [], 0
    for part, shape in (("key", (2, tokens, 64)), ("query", (4, 128, 64)), ("value", (2, tokens, 64))):
        rows = random.standard_normal(shape, dtype=np.float32)
        header[f"layers.0.{part}"] = {"dtype": "F32", "shape": shape, "data_offsets": (end, end + rows.nbytes)}
        parts.append(rows.tobytes())
        end += rows.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-(len(text) + 8) % 64)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text + b"".join(parts))


def tune(library: Library) -> dict:
    """`kvc tune` on made-up dumps that differ in their tokens alone."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for tokens in (1024, 2048, 4096):
            path = os.path.join(folder, f"{tokens}.safetensors")
            dump(path, tokens)
            start = time.perf_counter()
            subprocess.run(
                [library.kvc, "tune", path, "--threads", str(library.threads), "--quiet"], check=True,
                stdout=subprocess.DEVNULL)
            rows.append({"tokens": tokens, "milliseconds": 1e3 * (time.perf_counter() - start)})
            print(f"  tune {tokens:5} tokens: {rows[-1]['milliseconds'] / 1e3:.1f} s", flush=True)
    print(f"  slope {slope(rows):.2f}")
    return {"rows": rows, "slope": slope(rows)}
