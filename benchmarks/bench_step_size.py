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
from dataclasses import replace

from benchmarks.bench_step import line, ours, write
from benchmarks.contender import rounds
from benchmarks.speed_case import Case
from engine.training.device import physical_cores

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
        most = max(case.samples for case in cases.values())
        repeats = {value: most // case.samples for value, case in cases.items()}
        taken = rounds(started, "step", count=count, repeats=repeats)
    write(f"{name} ({mode}, {threads} threads; else {base})")
    for value, spent in taken.items():
        write(line(value, spent, cases[value].samples))
    for kind in ("wall", "cpu"):
        least = [
            statistics.median(getattr(s, kind) for s in spent) / cases[value].samples
            for value, spent in taken.items()
        ]
        write(f"  {kind} per sample, greatest over least: {max(least) / min(least):.2f}")


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
    threads = 1 if arguments.mode == "safe" else physical_cores()
    for name in arguments.only:
        if name == "memory":
            memory(arguments.mode, threads)
        else:
            row(name, replace(BASE, days=arguments.days), arguments.mode, threads, arguments.rounds)


if __name__ == "__main__":
    sys.exit(main())
