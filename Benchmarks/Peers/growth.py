#!/usr/bin/env python3
"""Draws how cost grows, from `kvc bench`: Documentation/decode-growth.svg and compress-growth.svg.

    swift build -c release --product kvc
    Benchmarks/Peers/growth.py                          # up to 256k tokens: f16 there takes 4 GiB
    Benchmarks/Peers/growth.py --tokens 1k --tokens 4k  # these; the others' figures stay
    Benchmarks/Peers/growth.py --draw                   # again from Documentation/growth.json
"""

import argparse
import json
import os
import subprocess
import tempfile

import environment

ROOT = os.path.dirname(os.path.dirname(environment.FOLDER))
RESULTS = os.path.join(ROOT, "Documentation", "growth.json")
DECODE = ("f16", "q8", "q4", "q4(rotate=hadamard)", "keydiff(budget=25%) | q4")
COMPRESS = ("q8", "q4", "q4(rotate=hadamard)")
TOKENS = ["1k", "2k", "4k", "8k", "16k", "32k", "64k", "128k", "256k"]


def bench(kvc: str, work: str, tokens: str, plans: tuple[str, ...], threads: int, rounds: int) -> list[dict]:
    with tempfile.TemporaryDirectory() as folder:
        codecs = [word for plan in plans for word in ("--codec", plan)]
        subprocess.run(
            [kvc, "bench", work, "--tokens", tokens, *codecs, "--threads", str(threads), "--repeat", str(rounds),
             "--json", f"{folder}/b.json", "--quiet"], check=True)
        with open(f"{folder}/b.json") as file:
            found = json.load(file)
    print(f"  {work}, {tokens} tokens, {threads} thread{'s' * (threads > 1)}", flush=True)
    return [row | {"cpu": found["cpu"]} for row in found["results"] if row["threads"] == threads]


def measure(options: argparse.Namespace) -> list[dict]:
    kvc = os.path.join(options.build, "kvc")
    rows = []
    for tokens in options.tokens or TOKENS:
        for threads in dict.fromkeys((1, options.threads)):
            rows += bench(kvc, "attend", tokens, DECODE, threads, options.rounds)
        rows += bench(kvc, "encode", tokens, COMPRESS, options.threads, options.rounds)
    return rows


def draw(rows: list[dict], work: str, title: str, path: str) -> None:
    """Time against tokens, both by powers, and below it time per token: level where cost is linear."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = work  # the same figures give the same bytes
    from matplotlib import pyplot

    figure, (time, share) = pyplot.subplots(
        2, 1, figsize=(8, 8), sharex=True, height_ratios=(2, 1), layout="constrained")
    most = max(row["threads"] for row in rows)
    plans = list(dict.fromkeys(row["codec"] for row in rows))
    for index, plan in enumerate(plans):
        for threads in sorted({row["threads"] for row in rows}, reverse=True):
            line = sorted((row["tokens"], row["milliseconds"], row["spread"]) for row in rows
                          if row["codec"] == plan and row["threads"] == threads)
            if not line:
                continue
            tokens, times, spreads = zip(*line, strict=True)
            style = {"color": f"C{index}", "linestyle": "-" if threads == most else ":", "marker": "."}
            label = f"{plan}, {threads} thread{'s' * (threads > 1)}"
            errors = [value * spread / 100 for value, spread in zip(times, spreads, strict=True)]
            time.errorbar(tokens, times, errors, label=label, capsize=2, **style)
            share.plot(tokens, [1e6 * value / count for value, count in zip(times, tokens, strict=True)], **style)
    time.set(xscale="log", yscale="log", ylabel="milliseconds", title=title)
    time.set_xscale("log", base=2)
    time.legend(fontsize="small")
    time.grid(alpha=0.3)
    share.set(xlabel=f"tokens ({rows[0]['cpu']})", ylabel="nanoseconds per token", ylim=(0, None))
    share.set_xticks(tokens_of(rows), [f"{count // 1024}k" for count in tokens_of(rows)])
    share.grid(alpha=0.3)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
    print(f"wrote {path}")


def tokens_of(rows: list[dict]) -> list[int]:
    return sorted({row["tokens"] for row in rows})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=os.path.join(ROOT, ".build", "release"), help="where kvc lies")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tokens", action="append", help=", ".join(TOKENS))
    parser.add_argument("--draw", action="store_true", help="only draw again")
    options = parser.parse_args()
    environment.enter()
    if not options.draw:
        rows = measure(options)
        if options.tokens and os.path.exists(RESULTS):
            with open(RESULTS) as file:
                again = set(tokens_of(rows))
                rows += [row for row in json.load(file) if row["tokens"] not in again]
        with open(RESULTS, "w") as file:
            json.dump(rows, file, indent=1)
    with open(RESULTS) as file:
        rows = json.load(file)
    folder = os.path.join(ROOT, "Documentation")
    decode = [row for row in rows if row["work"] == "attend"]
    compress = [row for row in rows if row["work"] == "encode" and "plan" in row["note"]]
    draw(decode, "decode", "One decode step of one layer: 32 query heads, 8 kv heads, d 128",
         os.path.join(folder, "decode-growth.svg"))
    draw(compress, "compress", "Compressing one layer: 8 kv heads, d 128, from f32",
         os.path.join(folder, "compress-growth.svg"))


if __name__ == "__main__":
    main()
