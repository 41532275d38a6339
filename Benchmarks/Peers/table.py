"""Documentation/Performance.md: what stands between its marks."""

import os
import tomllib

from environment import FOLDER
from measure import quartiles
from targets import targets

BEGIN, END = "<!-- begin: written by compare.py -->", "<!-- end: written by compare.py -->"


def reasons() -> dict[str, str]:
    """Why targets are missed: by "work: promise", or by "work" for all of its promises."""
    with open(os.path.join(FOLDER, "reasons.toml"), "rb") as file:
        return tomllib.load(file)


def cell(text: str) -> str:
    return text.replace("|", "\\|").replace(">=", "≥").replace("<=", "≤")


def text(results: dict) -> str:
    lines = [BEGIN, ""]
    about = next(iter(results.values()), {})
    lines += [f"{about.get('cpu')}, {about.get('isa')}, {about.get('threads')} threads.", ""]
    loaded = [
        f"{section} ({one['others']:.1f} CPUs)" if "others" in one else f"{section} (not recorded)"
        for section, one in results.items() if one.get("others", 1) > 0.1
    ]
    if loaded:
        lines += [
            "**Preliminary**: the machine was not quiet, since other processes were using it: " + ", ".join(loaded) + ".", ""]
    lines += ["| work | target | measured | quartiles | |", "|---|---|---:|---:|---|"]
    found, known, missed = targets(results), reasons(), []
    for target in found:
        spread = "" if target.spread is None else " to ".join(target.value(number) for number in target.spread)
        measured = "" if target.middle is None else target.value(target.middle)
        verdict = {True: "met", False: "**missed**", None: "not measured"}[target.met]
        measured += f" ({target.note})" * bool(target.note)
        lines.append(f"| {cell(target.work)} | {cell(target.promise)} | {measured} | {spread} | {verdict} |")
        if target.met is False:
            why = known.get(target.key) or known.get(target.work)
            missed.append(f"- {cell(target.work)}, {cell(target.promise)}: {why or 'no reason is written down yet.'}")
    if missed:
        lines += ["", "Missed, and why:", "", *missed]
    for section, title in (
        ("decode", "Decode, one layer: 32 query heads, 8 kv heads, d 128, 32,768 tokens"),
        ("prefill", "Prefill, one layer, 2,048 tokens, causal"), ("encode", "Encoding 432 MiB of f32"),
        ("hamming", "Hamming distances of 113 million 32-bit signatures"),
    ):
        one = results.get(section)
        if not one:
            continue
        bandwidth, low, high = one["bandwidth_gb_per_s"]
        lines += ["", f"### {title}", ""]
        lines += ["| | ms | quartiles | MB | GB/s | share of bandwidth | worst head's error |", "|---|---:|---:|---:|---:|---:|---:|"]
        for series in one["series"]:
            middle, first, third = quartiles(series["milliseconds"])
            moved = series["bytes"]
            rate = (f"{moved / 1e6:.1f}", f"{moved / middle / 1e6:.1f}", f"{100 * quartiles(series['share'])[0]:.0f}%")
            error = f"{series['error']:.1e}" if series["error"] else ""
            if "full cache" in series["note"]:
                error += f" (of the full cache: {series['note'].split()[-1].strip(')')})"
            lines.append(
                f"| {cell(series['name'])} | {middle:.2f} | {first:.2f} to {third:.2f} | "
                f"{' | '.join(rate if moved else ('', '', ''))} | {error} |")
        lines += [
            "",
            f"Read bandwidth in the same {one['rounds']} rounds: {bandwidth:.1f} ({low:.1f} to {high:.1f}) GB/s; load average at the end "
            f"{one['load']:.1f}; others took more than half a CPU in {one['disturbed']} of {one['turns']} turns.",
        ]
    return "\n".join([*lines, "", END])


def write(results: dict, path: str) -> None:
    with open(path, encoding="utf-8") as file:
        document = file.read()
    before, rest = document.split(BEGIN)
    with open(path, "w", encoding="utf-8") as file:
        file.write(before + text(results) + rest.split(END)[1])
    print(f"wrote {path}")
