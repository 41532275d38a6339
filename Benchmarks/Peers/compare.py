#!/usr/bin/env python3
"""Runs KVCompress and its peers in turns, on the same data with as many threads, and writes what was measured.

    swift build -c release --product KVCompressC && swift build -c release --product kvc
    Benchmarks/Peers/compare.py                 # everything: an hour, on a quiet machine
    Benchmarks/Peers/compare.py decode encode   # some sections; the others' figures stay
    Benchmarks/Peers/compare.py --write         # measures nothing, writes the table again

Outputs are compared first: ours with double-precision attention over what the cache stores (1e-3 at most),
everybody's with that over the full cache. Then rounds: everybody takes a turn over copies of the data of 432 MiB
together, and read bandwidth is measured beside every turn. The figures go to Documentation/performance.json, the table
between two marks of Documentation/Performance.md. Why a target is missed is for people to say: reasons.toml.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile

import environment

PEERS = ("decode", "prefill", "encode", "hamming")
SECTIONS = (*PEERS, "alone", "fit", "tune")
ROOT = os.path.dirname(os.path.dirname(environment.FOLDER))
RESULTS = os.path.join(ROOT, "Documentation", "performance.json")
CHUNK = 1 << 18  # signatures of one call: as many distances stay in a core's cache

CODECS = ("f16", "q8", "q4", "q4(rotate=hadamard)")
SHAPES = [("--tokens", "4096"), ("--tokens", "4096", "--cached")]  # what must not be a cliff
SHAPES += [("--heads", heads) for heads in ("8/8", "28/4", "32/4", "64/8")]
SHAPES += [("--dim", dim) for dim in ("64", "80", "96", "256")]


def decode(library, options):
    """One token of 32 query heads over 8 kv heads."""
    from data import made_up
    from peers import ours, torch
    from peers.ggml import Ggml

    layers = made_up(options.tokens)
    ggml = Ggml(options.threads)
    for plan in CODECS:
        contender = ours.decode(library, plan, layers)
        yield contender
        if plan == "q4":
            q4 = contender.bytes
    yield ours.decode(library, "keydiff(budget=25%) | q4", layers)
    yield ours.decode(library, "minicache(from=0%) | q4", layers, reads=q4)
    yield ours.decode(library, "kvmerger(budget=50%) | q4", layers)
    for kind in ("f16", "q8_0", "q4_0"):
        yield ggml.decode(layers, kind)
    for kind in ("bf16", "f32"):
        yield from torch.decode(layers, torch.dtype(kind), options.threads)
    from peers import openvino

    for kind in ("f16", "u8", "u4"):
        yield openvino.decode(layers, kind, options.threads)


def prefill(library, options):
    """A causal prompt of 2,048 tokens."""
    from data import made_up
    from peers import ours, torch
    from peers.ggml import Ggml

    layers = made_up(2048, queries=2048)
    yield ours.prefill(library, layers)
    for kind in ("bf16", "f32"):
        yield from torch.prefill(layers, torch.dtype(kind), options.threads)
    yield Ggml(options.threads).attend(layers, "f16", 2)


def encode(library, options):
    """432 MiB of rows in f32 into codes."""
    import numpy as np

    from data import DIM
    from measure import WORKING_SET
    from peers import ours
    from peers.ggml import Ggml

    rows = np.random.default_rng(3).standard_normal((WORKING_SET // DIM // 4, DIM), dtype=np.float32)
    ggml = Ggml(options.threads)
    yield ours.copy(library, rows)
    for bits, rotate in ((8, False), (4, False), (4, True)):
        yield ours.encode(library, bits, rotate, rows)
    for kind in ("q8_0", "q4_0"):
        yield ggml.encode(kind, rows)


def hamming(library, options):
    """432 MiB of 32-bit signatures against one anchor."""
    import numpy as np

    from measure import WORKING_SET
    from peers import numkong, ours

    unit = CHUNK * options.threads
    signatures = np.random.default_rng(5).integers(
        0, 256, (-(-WORKING_SET // 4 // unit) * unit, 4), dtype=np.uint8)
    anchor = signatures[12345].copy()
    yield ours.hamming(library, signatures, anchor, CHUNK)
    yield numkong.hamming(signatures, anchor, CHUNK, options.threads)


def fit(library, options):
    """A fit's time against tokens, beside prefill attention."""
    import costs

    return costs.fit(library, 3)


def tune(library, options):
    """Tuning's time against tokens."""
    import costs

    return costs.tune(library)


def alone(library, options):
    """What no peer does: `kvc bench`, once for everything and once for each shape that must not be a cliff."""
    if subprocess.run([library.kvc, "bench", "--help"], capture_output=True).returncode:
        print(f"  {library.kvc} has no bench")
        return {"rows": []}
    codecs = [word for codec in CODECS for word in ("--codec", codec)]
    rows = []
    for arguments in (["all"], *(["attend", *shape, *codecs] for shape in SHAPES)):
        with tempfile.TemporaryDirectory() as folder:
            command = [library.kvc, "bench", *arguments, "--threads", str(options.threads)]
            print(" ", *command[1:], flush=True)
            if subprocess.run([*command, "--quiet", "--json", f"{folder}/b.json"]).returncode:
                continue
            with open(f"{folder}/b.json") as file:
                found = json.load(file)
        label = " ".join(arguments[1:]).split(" --codec")[0] if arguments[0] == "attend" else ""
        rows += [row | {"shape": label} for row in found["results"]]
    return {"rows": rows}


def cpu_name() -> str:
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                return line.split(":")[1].strip()
    return platform.processor()


def measure(section: str, library, options) -> dict:
    """One sitting: everybody is made and checked, then timed in turns."""
    from measure import Sitting, quartiles

    print(f"{section}: {globals()[section].__doc__} Load average {os.getloadavg()[0]:.2f}.", flush=True)
    if section not in PEERS:
        return globals()[section](library, options)
    sitting = Sitting(library.read_bandwidth, options.rounds, options.repeats)
    contenders = []
    for contender in globals()[section](library, options):
        print(f"  {contender.name}: error {contender.error:.1e} {contender.note}", flush=True)
        contenders.append(contender)
    found = sitting.run(contenders)
    bandwidth = quartiles([one / 1e9 for one in sitting.bandwidth])
    print(
        f"  read bandwidth {bandwidth[0]:.1f} ({bandwidth[1]:.1f}-{bandwidth[2]:.1f}) GB/s; load average "
        f"{os.getloadavg()[0]:.2f}; others took over half a CPU in {sitting.disturbed} of {sitting.turns} turns")
    return {
        "bandwidth_gb_per_s": bandwidth, "disturbed": sitting.disturbed, "turns": sitting.turns,
        "load": os.getloadavg()[0], "series": [vars(series) for series in found.values()],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", metavar="section", help=", ".join(SECTIONS))
    parser.add_argument("--build", default=os.path.join(ROOT, ".build", "release"), help="where the products lie")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--repeats", type=int, default=3, help="of a turn that others disturbed")
    parser.add_argument("--tokens", type=int, default=32768, help="of decode; the table's targets mean 32768")
    parser.add_argument("--write", action="store_true", help="only write the table again")
    options = parser.parse_args()
    if unknown := set(options.sections) - set(SECTIONS):
        parser.error(f"no section {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    environment.enter()

    import table
    from measure import busy_seconds
    from peers.ours import Library

    results = {}
    if os.path.exists(RESULTS):
        with open(RESULTS) as file:
            results = json.load(file)
    if not options.write:
        library = Library(options.build, options.threads)
        about = {"cpu": cpu_name(), "threads": options.threads, "isa": library.level, "rounds": options.rounds}
        for section in options.sections or SECTIONS:
            others, start = busy_seconds()
            found = measure(section, library, options)
            others_now, now = busy_seconds()
            results[section] = about | found | {"others": (others_now - others) / (now - start)}
            with open(RESULTS, "w") as file:
                json.dump(results, file, indent=1)
    table.write(results, os.path.join(ROOT, "Documentation", "Performance.md"))


if __name__ == "__main__":
    main()
