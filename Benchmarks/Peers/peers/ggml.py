"""ggml, as it lies in llama-cpp-python, through its C API: graphs of one node on the CPU backend."""

import ctypes as c
import importlib.util
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from data import DIM, QUERY_HEADS, Layers, agree, exact, worst_head
from measure import Contender, copies

F32, F16, Q4_0, Q8_0, BF16 = 0, 1, 2, 8, 30
KINDS = {"f32": F32, "f16": F16, "q8_0": Q8_0, "q4_0": Q4_0, "bf16": BF16}
BOUNDS = {"f32": 1e-4, "f16": 5e-2, "q8_0": 5e-2, "q4_0": 0.4, "bf16": 3e-2}


class InitParams(c.Structure):
    _fields_ = [("mem_size", c.c_size_t), ("mem_buffer", c.c_void_p), ("no_alloc", c.c_bool)]


class Ggml:
    def __init__(self, threads: int):
        self.threads = threads
        folder = os.path.join(os.path.dirname(importlib.util.find_spec("llama_cpp").origin), "lib")
        self.base, self.cpu = (
            c.CDLL(os.path.join(folder, name), c.RTLD_GLOBAL) for name in ("libggml-base.so", "libggml-cpu.so"))
        for name in (
            "ggml_init", "ggml_new_tensor_4d", "ggml_view_4d", "ggml_permute", "ggml_flash_attn_ext", "ggml_new_graph",
            "ggml_get_data",
        ):
            getattr(self.base, name).restype = c.c_void_p
        for name in ("ggml_quantize_chunk", "ggml_row_size", "ggml_nbytes"):
            getattr(self.base, name).restype = c.c_size_t
        self.cpu.ggml_backend_cpu_init.restype = c.c_void_p
        self.backend = c.c_void_p(self.cpu.ggml_backend_cpu_init())
        self.cpu.ggml_backend_cpu_set_n_threads(self.backend, c.c_int(threads))
        self.contexts: list[c.c_void_p] = []

    def tensor(self, context: c.c_void_p, kind: str, rows: np.ndarray) -> c.c_void_p:
        """rows [heads, n, dim] f32, written as `kind` by ggml itself."""
        heads, n, dim = rows.shape
        found = c.c_void_p(self.base.ggml_new_tensor_4d(
            context, KINDS[kind], c.c_int64(dim), c.c_int64(n), c.c_int64(heads), c.c_int64(1)))
        place = c.c_void_p(self.base.ggml_get_data(found))
        source = np.ascontiguousarray(rows)
        if kind == "f32":
            c.memmove(place, source.ctypes.data, source.nbytes)
        elif kind in ("f16", "bf16"):
            convert = getattr(self.base, {"f16": "ggml_fp32_to_fp16_row", "bf16": "ggml_fp32_to_bf16_row"}[kind])
            convert(c.c_void_p(source.ctypes.data), place, c.c_int64(source.size))
        else:
            self.base.ggml_quantize_chunk(
                KINDS[kind], c.c_void_p(source.ctypes.data), place, c.c_int64(0), c.c_int64(heads * n), c.c_int64(dim),
                None)
        return found

    def graph(self, layers: Layers, index: int, kind: str) -> tuple[c.c_void_p, c.c_void_p]:
        """Attention of one layer: the graph and its result."""
        queries, keys, values = (part[index % 2] for part in (layers.queries, layers.keys, layers.values))
        n, tokens = queries.shape[1], keys.shape[1]
        size = 3 * queries.nbytes + 2 * keys.size * {"f32": 4}.get(kind, 2) + 2 * n * tokens + (4 << 20)
        context = c.c_void_p(self.base.ggml_init(InitParams(size, None, False)))
        self.contexts.append(context)
        parts = [self.tensor(context, "f32", queries)] + [self.tensor(context, kind, rows) for rows in (keys, values)]
        mask = None
        if n > 1:
            allowed = np.where(np.arange(tokens) > np.arange(tokens - n, tokens)[:, None], -np.inf, 0)
            mask = self.tensor(context, "f16", allowed[None].astype(np.float32))
        result = c.c_void_p(self.base.ggml_flash_attn_ext(
            context, *parts, mask, c.c_float(DIM**-0.5), c.c_float(0), c.c_float(0)))
        graph = c.c_void_p(self.base.ggml_new_graph(context))
        self.base.ggml_build_forward_expand(graph, result)
        return graph, result

    def compute(self, graph: c.c_void_p) -> None:
        if self.base.ggml_backend_graph_compute(self.backend, graph) != 0:
            raise SystemExit("ggml: the graph was not computed")

    def attend(self, layers: Layers, kind: str, count: int) -> Contender:
        graphs = [self.graph(layers, index, kind) for index in range(count)]
        self.compute(graphs[0][0])
        n = layers.queries.shape[2]
        place = self.base.ggml_get_data(graphs[0][1])
        outputs = np.ctypeslib.as_array(c.cast(place, c.POINTER(c.c_float)), (n, QUERY_HEADS, DIM))
        error = agree(f"ggml {kind}", worst_head(outputs.transpose(1, 0, 2).copy(), exact(layers, 0)), BOUNDS[kind])
        calls = [lambda graph=graph: self.compute(graph) for graph, _ in graphs]
        bytes_read = self.bytes(kind, 2 * layers.keys[0].size) if n == 1 else 0  # a prompt is not about reading
        return Contender(f"ggml {kind}", calls, bytes_read, error)

    def bytes(self, kind: str, elements: int) -> float:
        return self.base.ggml_row_size(KINDS[kind], c.c_int64(elements))

    def decode(self, layers: Layers, kind: str) -> Contender:
        """One token; keys and values lie head by head, which is ggml's faster order."""
        return self.attend(layers, kind, copies(self.bytes(kind, 2 * layers.keys[0].size)))

    def encode(self, kind: str, rows: np.ndarray) -> Contender:
        """rows [n, dim] f32: quantize_row, the CPU backend's own where it has one, every thread its part."""
        write = getattr(self.cpu, f"quantize_row_{kind}")
        n = len(rows) // self.threads
        coded = np.zeros((self.threads, self.bytes(kind, n * DIM)), np.uint8)
        back = np.empty((n, DIM), np.float32)
        pool = ThreadPoolExecutor(self.threads)

        def thread(index: int) -> None:
            write(
                c.c_void_p(rows[index * n :].ctypes.data), c.c_void_p(coded[index].ctypes.data), c.c_int64(n * DIM))

        call = lambda: list(pool.map(thread, range(self.threads)))  # noqa: E731
        call()
        getattr(self.base, f"dequantize_row_{kind}")(
            c.c_void_p(coded.ctypes.data), c.c_void_p(back.ctypes.data), c.c_int64(n * DIM))
        error = float(np.linalg.norm(back - rows[:n]) / np.linalg.norm(rows[:n]))
        agree(f"ggml encode {kind}", error, {"q8_0": 1e-2, "q4_0": 0.15}[kind])
        return Contender(f"ggml encode {kind}", [call], self.threads * (n * DIM * 4 + coded.shape[1]), error)

