"""Contenders in processes of their own that work on demand, so that several take turns in one run.

Each is a Python program that prints `ready` and then, for every word read from standard input, does that
work once and answers with a line "wall cpu" (seconds). All get the same number of OpenMP threads, which
sleep at barriers: one that waits for its turn takes nothing from the one that works.
"""

import contextlib
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Seconds:
    wall: float
    cpu: float


@dataclass(frozen=True, slots=True)
class Contender:
    name: str
    process: subprocess.Popen[str]

    def do(self, word: str) -> Seconds:
        wall, cpu = self.ask(word).split()
        return Seconds(float(wall), float(cpu))

    def ask(self, word: str) -> str:
        """The answer line to one word. The child's end is a RuntimeError."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        return self._line()

    def _line(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended before it answered (its errors are above)")
        return line.strip()


@contextlib.contextmanager
def contender(
    name: str, program: Sequence[str], *, threads: int, python: str = sys.executable
) -> Iterator[Contender]:
    """A started child that is ready; ended with the block. ``program``: arguments of ``python``."""
    count = str(threads)
    environment = os.environ | {
        "OMP_NUM_THREADS": count, "MKL_NUM_THREADS": count, "OMP_WAIT_POLICY": "PASSIVE",
    }  # fmt: skip
    with subprocess.Popen(
        [python, *program],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
    ) as process:  # fmt: skip
        child = Contender(name, process)
        while child._line() != "ready":
            pass  # libraries greet while they start
        yield child
        assert process.stdin is not None
        process.stdin.close()


def rounds(
    contenders: Sequence[Contender],
    word: str,
    *,
    count: int,
    repeats: Mapping[str, int] | None = None,
) -> dict[str, list[Seconds]]:
    """Every contender in turn, once per round or ``repeats`` times (by name): mean seconds of the work.

    The first round warms up and is not counted.
    """
    taken: dict[str, list[Seconds]] = {child.name: [] for child in contenders}
    for number in range(count + 1):
        for child in contenders:
            spent = [child.do(word) for _ in range((repeats or {}).get(child.name, 1))]
            if number:
                wall, cpu = (
                    statistics.fmean(getattr(s, kind) for s in spent) for kind in ("wall", "cpu")
                )
                taken[child.name].append(Seconds(wall, cpu))
    return taken


def ratio(slow: Sequence[Seconds], fast: Sequence[Seconds]) -> tuple[float, float, float, float]:
    """Median, least and greatest wall ratio of the pairs, and the median of their CPU ratios."""
    wall = sorted(a.wall / b.wall for a, b in zip(slow, fast, strict=True))
    cpu = statistics.median(a.cpu / b.cpu for a, b in zip(slow, fast, strict=True))
    return statistics.median(wall), wall[0], wall[-1], cpu
