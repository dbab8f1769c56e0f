"""What a training step costs as stocks, features and channels grow, and the memory of the largest.

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

from benchmarks.bench_step import line, ours
from benchmarks.contender import rounds
from benchmarks.options import read_options, say
from benchmarks.speed_case import SIZES, Case, case_of
from engine.training.device import physical_cores

ROWS = {
    "stocks": (500, 1000, 2000, 4000),
    "features": (45, 110, 200),
    "hidden": (32, 64, 128),
    "days": (1, 2, 4),
}
LARGEST = {"stocks": 4000, "features": 200}


def row(name: str, values: Sequence[int], base: Case, mode: str, threads: int, count: int) -> None:
    """Time per sample of every value in the row, and how far apart they are."""
    cases = {str(value): replace(base, **{name: value}) for value in values}
    with contextlib.ExitStack() as stack:
        started = [
            replace(stack.enter_context(ours(case, mode, threads)), name=value)
            for value, case in cases.items()
        ]
        most = max(case.samples for case in cases.values())
        repeats = {value: most // case.samples for value, case in cases.items()}
        taken = rounds(started, "step", count=count, repeats=repeats)
    say(f"{name} ({mode}, {threads} threads; else {base})")
    for value, spent in taken.items():
        say(line(value, spent, cases[value].samples))
    for kind in ("wall", "cpu"):
        least = [
            statistics.median(getattr(s, kind) for s in spent) / cases[value].samples
            for value, spent in taken.items()
        ]
        say(f"  {kind} per sample, greatest over least: {max(least) / min(least):.2f}")


def memory(largest: Case, mode: str, threads: int) -> None:
    """Resident memory of three steps of the largest case."""
    with ours(largest, mode, threads) as child:
        before = float(child.ask("peak"))
        for _ in range(3):
            child.do("step")
        peak = float(child.ask("peak"))
    say(
        f"largest resident memory of a step, {largest}, {mode}: {peak / 1024:.2f} GiB "
        f"({before / 1024:.2f} GiB before the first step)"
    )


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--mode", choices=("safe", "optimized"), default="safe")
    parser.add_argument("--only", nargs="*", choices=(*ROWS, "memory"))
    options = read_options(__doc__, arguments, parser=parser, rounds=(5, 1), **SIZES)
    base, mode = case_of(options), options.mode
    threads = 1 if mode == "safe" else physical_cores()
    for name in options.only or (("days", "memory") if options.smoke else (*ROWS, "memory")):
        if name == "memory":
            memory(base if options.smoke else replace(base, **LARGEST), mode, threads)
        else:
            values = ROWS[name][:2] if options.smoke else ROWS[name]
            row(name, values, base, mode, threads, options.rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
