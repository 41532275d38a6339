"""The targets, and what was measured of each: ratios are taken round by round, since rounds share the weather."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

from measure import quartiles


@dataclass
class Target:
    """A promise about a work. Where `spread` is None there is one figure; where `middle` is, nothing was measured."""

    work: str
    promise: str
    bound: float
    unit: str
    middle: float | None = None
    spread: tuple[float, float] | None = None
    at_most: bool = False
    note: str = ""

    @property
    def key(self) -> str:
        return f"{self.work}: {self.promise}"

    @property
    def met(self) -> bool | None:
        if self.middle is None:
            return None
        return self.middle <= self.bound if self.at_most else self.middle >= self.bound

    def value(self, number: float) -> str:
        digits = 0 if abs(number) >= 100 else 1 if abs(number) >= 10 else 2
        return f"{number:.{digits}f}{self.unit}"


class Sheet:
    """What one section measured, by contender."""

    def __init__(self, results: dict, section: str):
        self.series = {one["name"]: one for one in results.get(section, {}).get("series", [])}

    def fill(self, target: Target, values: list[float]) -> Target:
        if values:
            target.middle, *spread = quartiles(values)
            target.spread = tuple(spread)
        return target

    def ratio(self, work: str, mine: str, others: list[str], bound: float, name: str) -> Target:
        """How many times as fast as the fastest of `others`."""
        target = Target(work, f">= {bound:g}x {name}", bound, "x")
        known = [self.series[other] for other in others if other in self.series]
        if mine not in self.series or not known:
            return target
        best = min(known, key=lambda one: quartiles(one["milliseconds"])[0])
        return self.fill(
            target, [b / a for a, b in zip(self.series[mine]["milliseconds"], best["milliseconds"], strict=True)])

    def share(self, work: str, mine: str, bound: float, name: str = "read bandwidth") -> Target:
        values = [100 * share for share in self.series.get(mine, {}).get("share", [])]
        return self.fill(Target(work, f">= {bound:g}% of {name}", bound, "%"), values)

    def rate(self, work: str, mine: str, other: str, bound: float, promise: str) -> Target:
        """Bytes per second in percent of another's."""
        target = Target(work, promise, bound, "%")
        if mine not in self.series or other not in self.series:
            return target
        a, b = self.series[mine], self.series[other]
        factor = 100 * a["bytes"] / b["bytes"]
        return self.fill(
            target, [factor * y / x for x, y in zip(a["milliseconds"], b["milliseconds"], strict=True)])


def of_peers(results: dict) -> Iterator[Target]:
    sheet = Sheet(results, "decode")
    bf16 = ["PyTorch bf16", "PyTorch bf16 enable_gqa"]
    work = "decode, f16"
    yield sheet.share(work, "ours f16", 90)
    yield sheet.ratio(work, "ours f16", ["ggml f16"], 3.5, "ggml f16")
    yield sheet.ratio(work, "ours f16", bf16, 4.5, "PyTorch bf16")
    work = "decode, q8"
    yield sheet.share(work, "ours q8", 85)
    yield sheet.ratio(work, "ours q8", ["ggml q8_0"], 7, "ggml q8_0")
    for plan in ("q4", "q4(rotate=hadamard)"):
        work, mine = f"decode, {plan}", f"ours {plan}"
        yield sheet.share(work, mine, 75)
        yield sheet.ratio(work, mine, ["ggml q4_0"], 30, "ggml q4_0")
        yield sheet.ratio(work, mine, ["ggml f16"], 10, "ggml f16")
        yield sheet.ratio(work, mine, bf16, 14, "PyTorch bf16")
    yield sheet.ratio("decode, keydiff(budget=25%) | q4", "ours keydiff(budget=25%) | q4", ["ours q4"], 3.5, "our q4")
    for plan in ("minicache(from=0%) | q4", "kvmerger(budget=50%) | q4"):
        yield sheet.rate(f"decode, {plan}", f"ours {plan}", "ours q4", 85, ">= 85% of q4's bytes per second")
    sheet = Sheet(results, "prefill")
    work = "prefill, 2,048 tokens, f32"
    for kind in ("bf16", "f32"):
        others = [f"PyTorch {kind} {way}" for way in ("enable_gqa", "expanded")]
        yield sheet.ratio(work, "ours f32", others, 1.3, f"PyTorch {kind}")
    sheet = Sheet(results, "encode")
    for mine, kind in (("q8", "q8_0"), ("q4", "q4_0"), ("q4 rotated", "q4_0")):
        yield sheet.ratio(f"encode {mine}", f"ours encode {mine}", [f"ggml encode {kind}"], 2, f"ggml {kind}")
    sheet = Sheet(results, "hamming")
    yield sheet.ratio("Hamming distances, 32 bits", "ours Hamming", ["NumKong Hamming"], 20, "NumKong")


def of_ours(results: dict) -> Iterator[Target]:
    """From `kvc bench`: its rows are medians with a spread in percent."""
    rows = results.get("alone", {}).get("rows", [])
    threads = results.get("alone", {}).get("threads")

    def find(work: str, codec: str, **wanted: object) -> dict | None:
        for row in rows:
            plain = not row["shape"] or "shape" in wanted
            if plain and row["work"] == work and row["codec"] == codec and row["threads"] == wanted.get("threads", threads):
                if all(row.get(name) == value for name, value in wanted.items() if name != "note"):
                    if wanted.get("note", "") in (row.get("note") or ""):
                        return row
        return None

    def of(row: dict | None, field: str, target: Target, factor: float = 1) -> Target:
        if row and row.get(field) is not None:
            target.middle = factor * row[field]
            part = row["spread"] / 100 * target.middle
            target.spread = (target.middle - part, target.middle + part)
        return target

    shapes = list(dict.fromkeys(row["shape"] for row in rows if row["shape"]))
    for codec in ("f16", "q8", "q4", "q4(rotate=hadamard)"):
        usual = find("attend", codec, tokens=32768)
        for where, chosen in (("worst of other shapes", [shape for shape in shapes if "cached" not in shape]),
                              ("in cache", [shape for shape in shapes if "cached" in shape])):
            blank = Target(f"decode, {codec}, {where}", ">= 75% of the usual share", 75, "%")
            found = [
                of(row, "share_of_bandwidth", replace(blank, note=shape.removeprefix("--").replace(" --", ", ")),
                   100 / usual["share_of_bandwidth"])
                for shape in chosen if usual and (row := find("attend", codec, shape=shape))
            ]
            yield min(found or [blank], key=lambda one: one.middle or 0)
    for name, codec, bound in (("q8", "q8", 70), ("q4", "q4", 50), ("q4 rotated", "q4(rotate=hadamard)", 50)):
        yield of(
            find("encode", codec, note="codec alone"), "share_of_bandwidth",
            Target(f"encode {name}", f">= {bound}% of copy bandwidth", bound, "%"), 100)
    yield of(
        find("select", "hamming(bits=32)"), "share_of_bandwidth",
        Target("Hamming distances, 32 bits", ">= 50% of read bandwidth", 50, "%"), 100)
    most = partial(Target, at_most=True)
    yield of(
        find("prefill", "received attention"), "percent",
        most("prefill, received attention collected", "<= 10% more time", 10, "%"))
    yield of(
        find("select", "h2o(budget=25%) | kvcrush"), "percent",
        most("KVCrush's selection, 32,768 tokens", "<= 0.5% of the layer's prefill", 0.5, "%"))
    for name, codec in (("KVMerger", "kvmerger(budget=50%)"), ("MiniCache", "minicache(from=0%)")):
        yield of(
            find("select", codec), "share_of_bandwidth",
            Target(f"{name}: search and merge", ">= 60% of read bandwidth", 60, "%"), 100)
    yield of(
        find("place", "f16 | kcache", note="cold"), "speedup",
        Target("KCache, 32,768 tokens, values not in memory", ">= 1.4x our full attention", 1.4, "x"))
    yield of(
        find("place", "f16 | kcache", note="in memory"), "speedup",
        Target("KCache, values in memory", ">= 0.91x our full attention", 0.91, "x"))
    batches = [row for row in rows if row["work"] == "batch" and row["codec"] != "f16" and not row["shape"]]
    batch = max(batches, key=lambda row: row.get("speedup") or 0, default=None)
    yield of(
        batch, "speedup", Target("tokens per second at the largest batch, 8x plan", ">= 6x f16", 6, "x"))
    for codec in ("f16", "q4"):
        for count in dict.fromkeys((1, threads or 1)):
            row = find("step", codec, threads=count, tokens=64)
            work = f"a session's step, {codec}, {count} thread{'s' * (count != 1)}"
            yield of(row, "microseconds_per_layer", most(work, "<= 5 us per layer beside the kernels", 5, " us"))
            yield most(work, "no allocation in a step", 0, "", (row or {}).get("allocations_per_step"))


def of_costs(results: dict) -> Iterator[Target]:
    fit, tune = results.get("fit", {}), results.get("tune", {})
    target = Target("fit of one layer, 2,048 tokens", "<= 2x its prefill attention", 2, "x", at_most=True)
    if fit:
        target.middle, *spread = (fit["rows"][0]["milliseconds"] / prefill for prefill in fit["prefill"])
        target.spread = (min(spread), max(spread))
    yield target
    for work, found in (("fit", fit), ("tune", tune)):
        yield Target(
            work, "linear in tokens: time grows with their power of <= 1.1", 1.1, "", found.get("slope"), at_most=True)


def targets(results: dict) -> list[Target]:
    # A work's targets stand together, whoever measured them.
    found: dict[str, list[Target]] = {}
    for target in (*of_peers(results), *of_ours(results), *of_costs(results)):
        found.setdefault(target.work, []).append(target)
    return [target for works in found.values() for target in works]
