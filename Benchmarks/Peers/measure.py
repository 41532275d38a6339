"""Times contenders in turns, and reads the machine's memory bandwidth beside every turn."""

import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field

WORKING_SET = 432 << 20  # bytes that every contender walks over: more than four times any L3 that we measure on


@dataclass
class Contender:
    """Somebody's way to do one piece of work.

    calls: one per copy of the data, together at least WORKING_SET where the work reads memory.
    bytes: what one call must read (and write, where the work is to write) at least once.
    error: worst head's relative error, found before.
    """

    name: str
    calls: list[Callable[[], object]]
    bytes: float
    error: float = 0.0
    note: str = ""


@dataclass
class Series:
    """What the rounds gave, in their order: milliseconds of one call, and its share of the read bandwidth."""

    name: str
    error: float
    note: str
    bytes: float = 0.0
    milliseconds: list[float] = field(default_factory=list)
    share: list[float] = field(default_factory=list)


def copies(bytes_each: float) -> int:
    return max(2, -(-WORKING_SET // int(bytes_each)))


def busy_seconds() -> tuple[float, float]:
    """CPU seconds used so far on this machine by others than us and our children (stolen ones included); the clock."""
    with open("/proc/stat") as file:
        user, nice, system, _, _, irq, soft, steal = (int(word) for word in file.readline().split()[1:9])
    own = os.times()
    everybody = (user + nice + system + irq + soft + steal) / os.sysconf("SC_CLK_TCK")
    ours = own.user + own.system + own.children_user + own.children_system
    return everybody - ours, time.perf_counter()


@dataclass
class Sitting:
    """Rounds of turns. A turn during which others took more than half a CPU is repeated, `repeats` times at most."""

    read_bandwidth: Callable[[], float]  # bytes per second
    rounds: int
    repeats: int
    bandwidth: list[float] = field(default_factory=list)
    disturbed: int = 0
    turns: int = 0

    def turn(self, contender: Contender, series: Series) -> None:
        for attempt in range(self.repeats + 1):
            others, start = busy_seconds()
            time.sleep(0.05)  # until the last contender's threads have stopped spinning
            bandwidth = self.read_bandwidth()
            contender.calls[0]()
            before = time.perf_counter()
            for call in contender.calls:
                call()
            seconds = (time.perf_counter() - before) / len(contender.calls)
            others_now, now = busy_seconds()
            if (others_now - others) / (now - start) < 0.5:
                break
            if attempt < self.repeats:
                time.sleep(3)
        else:
            self.disturbed += 1
        self.turns += 1
        self.bandwidth.append(bandwidth)
        series.milliseconds.append(1e3 * seconds)
        series.share.append(contender.bytes / seconds / bandwidth)

    def run(self, contenders: list[Contender]) -> dict[str, Series]:
        found = {c.name: Series(c.name, c.error, c.note, c.bytes) for c in contenders}
        for index in range(self.rounds):
            print(f"  round {index + 1} of {self.rounds}", end="\r", flush=True)
            for contender in contenders:
                self.turn(contender, found[contender.name])
        for series in found.values():
            middle, low, high = quartiles(series.milliseconds)
            print(
                f"  {series.name:34} {middle:9.3f} ms ({low:.3f}-{high:.3f}), "
                f"{100 * statistics.median(series.share):5.1f}% of bandwidth, error {series.error:.1e} {series.note}"
            )
        return found


def quartiles(values: list[float]) -> tuple[float, float, float]:
    """Median, first and third quartile."""
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return middle, low, high
