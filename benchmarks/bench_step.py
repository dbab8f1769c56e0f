"""Training step and inference per day against Qlib's GATs and pytorch-forecasting's TFT, turn by turn.

Peers run where QLIB_PYTHON and TFT_PYTHON name an interpreter that has them (or this one has); else they
are left out, and that is printed. Ours runs in safe mode (one thread) and in optimized mode, the peers
with both numbers of threads. Then: safe against optimized, and the share of the machine's peak.
"""

import argparse
import contextlib
import statistics
import sys
from collections.abc import Iterator, Sequence

from benchmarks.contender import (
    FOLDER,
    Contender,
    Ratio,
    Seconds,
    contender,
    python_with,
    rounds,
)
from benchmarks.options import read_options, say
from benchmarks.speed_case import SIZES, Case, case_of, step_gflop
from engine.training.device import physical_cores

PEERS = {
    "GATs": ("qlib", "QLIB_PYTHON", "contender_gats.py"),
    "TFT": ("pytorch_forecasting", "TFT_PYTHON", "contender_tft.py"),
}


@contextlib.contextmanager
def field(case: Case, wanted: Sequence[str], threads: int) -> Iterator[list[Contender]]:
    """Ours in both modes and the peers that are here."""
    with contextlib.ExitStack() as stack:
        started = [
            stack.enter_context(ours(case, "safe", 1)),
            stack.enter_context(ours(case, "optimized", threads)),
        ]
        for name in wanted:
            package, variable, script = PEERS[name]
            python = python_with(package, variable)
            if python is None:
                say(f"{name} left out: {package} is not importable and {variable} is not set")
                continue
            for count in sorted({1, threads}):
                sizes = (count, case.stocks, case.window, case.features, case.hidden)
                program = [str(FOLDER / script), *map(str, sizes)]
                started.append(
                    stack.enter_context(
                        contender(f"{name} {count}", program, threads=count, python=python)
                    )
                )
        yield started


def ours(case: Case, mode: str, threads: int) -> contextlib.AbstractContextManager[Contender]:
    program = ["-m", "benchmarks.contender_ours", mode, str(threads), *case.arguments()]
    return contender(mode, program, threads=threads)


def line(name: str, taken: Sequence[Seconds], samples: int) -> str:
    wall = statistics.median(s.wall for s in taken) / samples * 1e3
    cpu = statistics.median(s.cpu for s in taken) / samples * 1e3
    least = min(s.wall for s in taken) / samples * 1e3
    return f"  {name:<12} {wall:8.3f} ms wall (least {least:.3f})  {cpu:8.3f} ms CPU per sample"


def report(case: Case, word: str, taken: dict[str, list[Seconds]]) -> None:
    say(f"{word}: {case}, medians of {len(taken['safe'])} rounds")
    for name, spent in taken.items():
        own = name in ("safe", "optimized")
        say(line(name, spent, case.samples if own else case.stocks))
    peers = [name for name in taken if name not in ("safe", "optimized")]
    pairs = [("safe" if peer.endswith(" 1") else "optimized", peer) for peer in peers]
    pairs.insert(0, ("optimized", "safe"))
    for mine, other in pairs:
        scale = case.days if other not in ("safe", "optimized") else 1
        wall, cpu = (
            Ratio.of(
                [getattr(s, kind) * scale for s in taken[other]],
                [getattr(s, kind) for s in taken[mine]],
            )
            for kind in ("wall", "cpu")
        )
        say(f"  {mine} against {other}: {wall.text()} wall, x{cpu.median:.2f} CPU")


def share_of_peak(case: Case, started: Sequence[Contender], count: int) -> None:
    """Useful GFLOP/s of a step over the GEMM peak, measured around each step in the same process."""
    gflop = step_gflop(case)
    say(f"matrix products of a step: {gflop:.2f} GFLOP (torch counts no other work)")
    for child in started[:2]:
        shares = []
        for _ in range(count):
            before = float(child.ask("gemm"))
            spent = child.do("step")
            peak = max(before, float(child.ask("gemm")))
            shares.append((gflop / spent.wall / peak, peak))
        share, peak = statistics.median(s for s, _ in shares), max(p for _, p in shares)
        say(
            f"  {child.name}: {share:.0%} of the float32 GEMM peak ({peak:.0f} GFLOP/s, "
            f"{child.ask('threads')} threads; best step {max(s for s, _ in shares):.0%})"
        )


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--peers", nargs="*", default=list(PEERS), choices=list(PEERS))
    options = read_options(__doc__, arguments, parser=parser, rounds=(5, 1), **SIZES)
    case, threads = case_of(options), physical_cores()
    with field(case, options.peers, threads) as started:
        for word in ("step", "score"):
            taken = rounds(started, word, count=options.rounds)
            report(case, word, taken)
        share_of_peak(case, started, options.rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
