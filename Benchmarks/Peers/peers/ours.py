"""KVCompress, through libKVCompressC: sessions by the C API, and the kernels that the library exports beside it."""

import ctypes as c
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from data import DIM, KV_HEADS, QUERY_HEADS, Layers, agree, attention, exact, worst_head
from measure import WORKING_SET, Contender, copies

PREFILL_AT_ONCE = 16  # layers of one session: rows stand in f32 until they are compressed


class Geometry(c.Structure):
    _fields_ = [(name, c.c_size_t) for name in ("kv_heads", "key_dim", "value_dim")]


class Options(c.Structure):
    _fields_ = [
        ("size", c.c_size_t), ("layout", c.c_int), ("threads", c.c_size_t), ("scale", c.c_float),
        ("softcap", c.c_float), ("interval", c.c_size_t), ("observe", c.c_size_t), ("windows", c.c_void_p),
        ("window_count", c.c_size_t), ("metadata", c.c_void_p), ("metadata_count", c.c_size_t),
        ("directory", c.c_char_p),
    ]


class Statistics(c.Structure):
    _fields_ = [(name, c.c_size_t) for name in ("size", "layers", "tokens", "stored", "resident", "mapped", "f16")]
    _fields_ += [("ratio", c.c_double)]


class Quantizer(c.Structure):
    _fields_ = [
        ("dim", c.c_uint32), ("group", c.c_uint32), ("per_channel", c.c_bool), ("asymmetric", c.c_bool),
        ("values", c.c_bool), ("codebook", c.c_bool), ("levels", c.c_int8 * 16), ("step", c.c_float),
    ]


def pointer(array: np.ndarray, offset: int = 0) -> c.c_void_p:
    return c.c_void_p(array.ctypes.data + offset)


class Library:
    """libKVCompressC, and threads of ours for its kernels, which have none."""

    def __init__(self, folder: str, threads: int):
        self.kvc = os.path.join(folder, "kvc")
        self.library = c.CDLL(os.path.join(folder, "libKVCompressC.so"))
        self.threads = threads
        self.pool = ThreadPoolExecutor(threads)
        for name in ("kv_read_words", "kv_tile_bytes_q8", "kv_tile_bytes_q4"):
            getattr(self.library, name).restype = c.c_size_t
        self.library.kv_isa_detect.restype = c.c_uint32
        detected = self.library.kv_isa_detect()
        levels = ("scalar", "avx2", "avx512", "neon")
        self.isa = max(i for i in range(len(levels)) if detected >> i & 1)
        self.level = levels[self.isa]
        self.memory = np.random.default_rng(1).integers(0, 2**63, WORKING_SET // 8, dtype=np.int64)

    def call(self, name: str, *arguments: object) -> None:
        message = c.create_string_buffer(512)
        if getattr(self.library, name)(*arguments, message) != 0:
            raise SystemExit(f"{name}: {message.value.decode()}")

    def each_thread(self, work: Callable[[int], object]) -> None:
        """work(thread), on all of them."""
        list(self.pool.map(work, range(self.threads)))

    def read_bandwidth(self) -> float:
        """Bytes per second: every thread reads its part of the working set."""
        part = self.memory.nbytes // self.threads // 64 * 64
        start = time.perf_counter()
        self.each_thread(
            lambda thread: self.library.kv_read_words(self.isa, pointer(self.memory, thread * part), c.c_size_t(part))
        )
        return part * self.threads / (time.perf_counter() - start)


class Session:
    def __init__(self, library: Library, plan: str, layers: int):
        self.library, self.layers = library, layers
        geometry = (Geometry * layers)(*[Geometry(KV_HEADS, DIM, DIM)] * layers)
        options = Options(size=c.sizeof(Options), threads=library.threads)
        self.handle = c.c_void_p()
        library.call(
            "kvc_session_create", plan.encode(), geometry, c.c_size_t(layers), c.byref(options), c.byref(self.handle))

    def append(self, layer: int, keys: np.ndarray, values: np.ndarray) -> None:
        self.library.call(
            "kvc_session_append", self.handle, c.c_size_t(layer), c.c_size_t(keys.shape[1]), pointer(keys),
            pointer(values))

    def attend(self, layer: int, queries: np.ndarray, outputs: np.ndarray) -> None:
        """queries, outputs: [query heads, n, dim] f32."""
        self.library.call(
            "kvc_session_attend", self.handle, c.c_size_t(layer), c.c_size_t(queries.shape[1]),
            c.c_size_t(queries.shape[0]), pointer(queries), pointer(outputs))

    def compress(self) -> None:
        self.library.call("kvc_session_compress", self.handle)

    def fill(self, layers: Layers) -> "Session":
        """The prefill, the last query of it, and compression."""
        room = np.empty((QUERY_HEADS, 1, DIM), np.float32)
        for layer in range(self.layers):
            self.append(layer, layers.keys[layer % 2], layers.values[layer % 2])
            self.attend(layer, layers.queries[layer % 2], room)
        self.compress()
        return self

    def stored_bytes(self) -> int:
        found = Statistics(size=c.sizeof(Statistics))
        self.library.call("kvc_session_statistics", self.handle, c.byref(found))
        return found.stored

    def __del__(self) -> None:
        self.library.library.kvc_session_free(self.handle)


def entries(path: str, names: list[str]) -> list[np.ndarray]:
    """Tensors of a safetensors file, mapped."""
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    found = []
    for name in names:
        about = header[name]
        kind = {"F32": np.float32, "I32": np.int32}[about["dtype"]]
        found.append(np.memmap(path, kind, "r", 8 + length + about["data_offsets"][0], tuple(about["shape"])))
    return found


def check(library: Library, plan: str, layers: Layers) -> tuple[float, float]:
    """Worst head's error against f64 attention over what is stored (1e-3 at most), and over the full cache."""
    session = Session(library, plan, 2).fill(layers)
    stored = lost = 0.0
    with tempfile.TemporaryDirectory() as folder:
        saved, exported = f"{folder}/s.kvc", f"{folder}/s.safetensors"
        library.call("kvc_session_save", session.handle, saved.encode())
        subprocess.run([library.kvc, "export", "--quiet", saved, "-o", exported], check=True)
        for layer in range(2):
            outputs = np.empty((QUERY_HEADS, 1, DIM), np.float32)
            session.attend(layer, layers.queries[layer], outputs)
            heads = [
                entries(exported, [f"layers.{layer}.heads.{h}.{part}" for part in ("key", "value", "votes")])
                for h in range(KV_HEADS)
            ]
            group = QUERY_HEADS // KV_HEADS
            reference = np.stack([attention(layers.queries[layer, h], *heads[h // group]) for h in range(QUERY_HEADS)])
            stored = max(stored, worst_head(outputs, reference))
            lost = max(lost, worst_head(outputs, exact(layers, layer)))
    return agree(plan, stored, 1e-3), lost


def decode(library: Library, plan: str, layers: Layers, reads: float | None = None) -> Contender:
    """Attention of one token over a compressed cache.

    reads: bytes that a layer reads, where that is not what it stores, since two layers share rows. Layers with even
    numbers are asked first, so that what two share is not still in a cache when it is read again.
    """
    error, lost = check(library, plan, layers)
    pair = Session(library, plan, 2).fill(layers).stored_bytes()
    count = -(-copies(pair / 2) // 2) * 2
    sessions = [
        Session(library, plan, min(PREFILL_AT_ONCE, count - first)).fill(layers)
        for first in range(0, count, PREFILL_AT_ONCE)
    ]
    places = sorted(((s, layer) for s in sessions for layer in range(s.layers)), key=lambda place: place[1] % 2)
    outputs = np.empty((QUERY_HEADS, 1, DIM), np.float32)
    calls = [lambda s=s, layer=layer: s.attend(layer, layers.queries[layer % 2], outputs) for s, layer in places]
    return Contender(f"ours {plan}", calls, reads or pair / 2, error, f"(full cache: {lost:.1e})")


def prefill(library: Library, layers: Layers) -> Contender:
    """A prompt of one chunk: appended and attended to, in f32, causal."""
    outputs = np.empty(layers.queries.shape[1:], np.float32)

    def call(layer: int) -> None:
        session = Session(library, "f32", 1)
        session.append(0, layers.keys[layer], layers.values[layer])
        session.attend(0, layers.queries[layer], outputs)

    call(0)
    error = agree("ours f32 prefill", worst_head(outputs, exact(layers, 0)), 1e-4)
    return Contender("ours f32", [lambda: call(0), lambda: call(1)], 0, error)


def encode(library: Library, bits: int, rotate: bool, rows: np.ndarray) -> Contender:
    """rows [n, dim] f32 into tiles, every thread its part; rotated 512 at a time on their way."""
    quantizer = Quantizer(dim=DIM, group=32)
    tile = getattr(library.library, f"kv_tile_bytes_q{bits}")(quantizer)
    n = len(rows) // library.threads // 512 * 512
    tiles = np.zeros((library.threads, n // 16 * tile), np.uint8)
    scratch = np.zeros((library.threads, 512, DIM), np.float32)
    write, read = (getattr(library.library, f"kv_{way}_q{bits}") for way in ("encode", "decode"))
    size = c.c_size_t

    def thread(index: int) -> None:
        source = rows[index * n : (index + 1) * n]
        if not rotate:
            write(library.isa, pointer(tiles[index]), None, None, pointer(source), size(DIM), size(n), quantizer)
            return
        room = pointer(scratch[index])
        for first in range(0, n, 512):
            library.library.kv_hadamard(
                library.isa, room, pointer(source, first * DIM * 4), size(DIM), size(512), size(DIM))
            write(
                library.isa, pointer(tiles[index], first // 16 * tile), None, None, room, size(DIM), size(512), quantizer)

    library.each_thread(thread)
    back = np.empty((n, DIM), np.float32)
    read(library.isa, pointer(back), pointer(tiles[0]), None, None, size(0), size(n), quantizer)
    if rotate:
        library.library.kv_hadamard(library.isa, pointer(back), pointer(back), size(DIM), size(n), size(DIM))
    name = f"ours encode q{bits}" + " rotated" * rotate
    error = agree(name, float(np.linalg.norm(back - rows[:n]) / np.linalg.norm(rows[:n])), {8: 1e-2, 4: 0.15}[bits])
    return Contender(
        name, [lambda: library.each_thread(thread)], library.threads * (n * DIM * 4 + tiles.shape[1]), error)


def copy(library: Library, rows: np.ndarray) -> Contender:
    """What a plain copy of the same rows takes: bytes read and written."""
    target = np.zeros_like(rows)
    part = rows.nbytes // library.threads
    return Contender(
        "copy",
        [lambda: library.each_thread(lambda t: c.memmove(pointer(target, t * part), pointer(rows, t * part), part))],
        2 * rows.nbytes)


def hamming(library: Library, signatures: np.ndarray, anchor: np.ndarray, chunk: int) -> Contender:
    """Distances of 32-bit signatures [n, 4] u8 to one anchor, `chunk` at a time, every thread its part."""
    distances = np.zeros((library.threads, chunk), np.uint32)
    part = len(signatures) // library.threads

    def thread(index: int) -> None:
        room = pointer(distances[index])
        for first in range(index * part, (index + 1) * part, chunk):
            library.library.kv_hamming(
                library.isa, room, pointer(signatures, 4 * first), c.c_size_t(chunk), c.c_size_t(4), pointer(anchor))

    library.each_thread(thread)
    if not np.array_equal(distances[0], np.bitwise_count(signatures[part - chunk : part] ^ anchor).sum(1)):
        raise SystemExit("ours: Hamming distances are wrong")
    return Contender("ours Hamming", [lambda: library.each_thread(thread)], signatures.nbytes)
