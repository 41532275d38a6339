"""Runs the experiments of Documentation/Results.md and prints their tables.

    swift build -c release --product kvc
    python3 Tools/results.py .build/release/kvc [experiment ...] [--threads 2]

Every experiment is one `kvc evaluate` over the same 72 contexts and 1,256 questions; the command stands above its table.
"""
import argparse
import json
import shlex
import subprocess
import tempfile

Q = "budget=25%"
EXPERIMENTS = {
    "targets": [
        "random(budget=25%, tokens=layer)", "streaming(budget=25%)", "keydiff(budget=25%, tokens=layer)",
        "q8", "q4(rotate=hadamard)", "keydiff(budget=46%, tokens=layer) | q8", "keydiff(budget=43%, tokens=layer) | q4",
        "keydiff(budget=21%, tokens=layer) | q4", "keydiff(budget=12%, tokens=layer) | q4",
    ],
    "kvcrush": [
        f"{base}{allocate}{rest}"
        for base, allocate in ((f"h2o({Q}", ""), (f"snapkv({Q}", ""), (f"snapkv({Q}", ", allocate=pyramid"))
        for rest in (")", ", tokens=layer)", ") | kvcrush(share=25%)")
    ],
    "kvcrush-parts": [
        f"h2o({Q}) | kvcrush({part})"
        for part in (
            "share=10%", "share=50%", "share=75%", "anchor=random", "anchor=alternating",
            "representatives=random", "representatives=even", "representatives=kmeans",
        )
    ],
    "kvmerger": [
        plan.format(budget)
        for budget in ("50%", "35%")
        for plan in (
            "h2o(budget={})", "h2o(budget={}) | cam", "kvmerger(budget={})", "kvmerger(budget={}, weights=uniform)",
            "kvmerger(budget={}, values=paper)", "kvmerger(budget={}, recent=4, heavy=0%)",
        )
    ],
    "bits": [
        "q4", "kv(keys=q4(axis=per-channel), values=q4)", "turboquant(bits=4)", "q3",
        "kv(keys=q3(axis=per-channel), values=q3)", "turboquant(bits=3)", "q2",
        "kv(keys=q2(axis=per-channel), values=q2)", "turboquant(bits=2)",
    ],
    "layers-and-places": [
        "minicache", "minicache | q4", "kcache(top=32)", "kcache(top=64)", "kcache(top=128)", "lowrank(keys=32) | q8",
        "think(keep=50%) | q8",
    ],
}

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("kvc")
parser.add_argument("experiments", nargs="*", metavar="experiment", help=", ".join(EXPERIMENTS))
parser.add_argument("--threads", default="2")
options = parser.parse_args()

for name in options.experiments or EXPERIMENTS:
    arguments = ["--known", "0"] + [word for plan in EXPERIMENTS[name] for word in ("--plan", plan)]
    with tempfile.TemporaryDirectory() as folder:
        found = f"{folder}/found.json"
        subprocess.run(
            [options.kvc, "evaluate", *arguments, "--threads", options.threads, "--quiet", "--json", found], check=True
        )
        with open(found) as file:
            plans = json.load(file)["plans"]
    print(f"### {name}\n\n`kvc evaluate {shlex.join(arguments)}`\n")
    kinds = sorted(plans[0]["tasks"])
    print("| plan | ratio | accuracy | lost (95%) | " + " | ".join(kinds) + " | perplexity | KL | top-1 |")
    print("|---|" + "---:|" * (6 + len(kinds)))
    for plan in plans:
        tasks = " | ".join(f"{100 * plan['tasks'][kind]:.1f}" for kind in kinds)
        lost = "" if plan is plans[0] else f"{100 * plan['loss']:.1f} ± {100 * plan['loss_interval']:.1f}"
        print(
            f"| `{plan['plan'].replace('|', chr(92) + '|')}` | {plan['ratio']:.2f} | {100 * plan['accuracy']:.1f} | {lost} | {tasks} "
            f"| {plan['perplexity']:.2f} | {plan['kl']:.4f} | {100 * plan['top1']:.1f} |"
        )
    print(flush=True)
