"""What a training step costs as stocks, features and channels grow, and the memory of the largest.

python -m benchmarks.bench_step_size [--rounds 5] [--mode safe] [--days 4]

Each size is a process of its own; the sizes of a row take turns, and in a turn each takes as many steps as
make the samples of the largest: what the others leave in the caches costs all alike. Linear in the stocks
means the same time per sample: the row ends with the greatest over the least.
"""

import argparse
import contextlib
import statistics
import sys
from collections.abc import Sequence
from dataclasses import replace

import psutil

from benchmarks.bench_step import line, ours, write
from benchmarks.contender import Contender, Seconds
from benchmarks.speed_case import Case

BASE = Case()
ROWS = {
    "stocks": (500, 1000, 2000, 4000),
    "features": (45, 110, 200),
    "hidden": (32, 64, 128),
    "days": (1, 2, 4),
}
LARGEST = Case(stocks=4000, features=200)


def row(name: str, base: Case, mode: str, threads: int, count: int) -> None:
    cases = {str(value): replace(base, **{name: value}) for value in ROWS[name]}
    with contextlib.ExitStack() as stack:
        started = [
            replace(stack.enter_context(ours(case, mode, threads)), name=value)
            for value, case in cases.items()
        ]
        taken = turns(started, cases, count)
    write(f"{name} ({mode}, {threads} threads; else {base})")
    for value, spent in taken.items():
        write(line(value, spent, cases[value].samples))
    for kind in ("wall", "cpu"):
        least = [
            statistics.median(getattr(s, kind) for s in spent) / cases[value].samples
            for value, spent in taken.items()
        ]
        write(f"  {kind} per sample, greatest over least: {max(least) / min(least):.2f}")


def turns(
    sizes: Sequence[Contender], cases: dict[str, Case], count: int
) -> dict[str, list[Seconds]]:
    """Mean seconds of a step in each turn; the first turn warms up and is not counted."""
    most = max(case.samples for case in cases.values())
    taken: dict[str, list[Seconds]] = {child.name: [] for child in sizes}
    for number in range(count + 1):
        for child in sizes:
            steps = [child.do("step") for _ in range(most // cases[child.name].samples)]
            if number:
                wall, cpu = (sum(getattr(s, kind) for s in steps) for kind in ("wall", "cpu"))
                taken[child.name].append(Seconds(wall / len(steps), cpu / len(steps)))
    return taken


def memory(mode: str, threads: int) -> None:
    with ours(LARGEST, mode, threads) as child:
        before = float(child.ask("peak"))
        for _ in range(3):
            child.do("step")
        peak = float(child.ask("peak"))
    write(
        f"largest resident memory of a step, {LARGEST}, {mode}: {peak / 1024:.2f} GiB "
        f"({before / 1024:.2f} GiB before the first step)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--mode", choices=("safe", "optimized"), default="safe")
    parser.add_argument("--days", type=int, default=BASE.days, help="of a step; presets take 4")
    parser.add_argument("--only", nargs="*", default=[*ROWS, "memory"])
    arguments = parser.parse_args()
    threads = 1 if arguments.mode == "safe" else psutil.cpu_count(logical=False) or 1
    for name in arguments.only:
        if name == "memory":
            memory(arguments.mode, threads)
        else:
            row(name, replace(BASE, days=arguments.days), arguments.mode, threads, arguments.rounds)


if __name__ == "__main__":
    sys.exit(main())
