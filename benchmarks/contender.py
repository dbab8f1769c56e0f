"""Contenders in processes of their own that work on demand, so that several take turns in one run.

Each is a Python program that ends in `serve`: it prints `ready` and then, for every word read from standard
input, does that work once and answers with a line "wall cpu" (seconds). All get the same number of OpenMP
threads, which sleep at barriers: one that waits for its turn takes nothing from the one that works. The
standard library is all that this module needs: a peer's own interpreter loads it too.
"""

import contextlib
import importlib.util
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
Work = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Seconds:
    """What a piece of work took: wall seconds, and processor seconds of all its threads."""

    wall: float
    cpu: float


def timed(work: Work) -> Seconds:
    """Do the work once."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Seconds(time.perf_counter() - wall, time.process_time() - cpu)


def serve(works: Mapping[str, Work], answers: Mapping[str, Work] | None = None) -> None:
    """Be a contender until standard input ends; ``answers`` are words answered with their value."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        word = line.strip()
        if work := works.get(word):
            spent = timed(work)
            answer = f"{spent.wall} {spent.cpu}"
        else:
            answer = str((answers or {})[word]())
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


@dataclass(slots=True)
class Contender:
    """A started child that waits for its turn."""

    name: str
    process: subprocess.Popen[str]
    starting: bool = True
    """It has not yet been asked anything, so its word that it is ready is still to be read."""

    def do(self, word: str) -> Seconds:
        """Let it do one work, and wait."""
        wall, cpu = self.ask(word).split()
        return Seconds(float(wall), float(cpu))

    def ask(self, word: str) -> str:
        """The answer line to one word. The child's end is a RuntimeError."""
        assert self.process.stdin is not None
        while self.starting:
            self.starting = self._line() != "ready"  # libraries greet while they start
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        return self._line()

    def _line(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended before it answered (its errors are above)")
        return line.strip()


def python_with(package: str, variable: str) -> str | None:
    """The interpreter that the environment variable names, else this one if it has the package, else None."""
    named = os.environ.get(variable)
    return named or (sys.executable if importlib.util.find_spec(package) else None)


@contextlib.contextmanager
def contender(
    name: str,
    program: Sequence[str],
    *,
    threads: int,
    python: str = sys.executable,
    folder: Path | None = None,
) -> Iterator[Contender]:
    """A child that starts, beside others that do; the first word to it waits. Ended with the block.

    ``program`` are the arguments of ``python``, ``folder`` is where it runs if not here.
    """
    count = str(threads)
    environment = os.environ | {
        "OMP_NUM_THREADS": count, "MKL_NUM_THREADS": count, "OMP_WAIT_POLICY": "PASSIVE",
    }  # fmt: skip
    with subprocess.Popen(
        [python, *program],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=folder,
    ) as process:  # fmt: skip
        yield Contender(name, process)
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
                wall = statistics.fmean(s.wall for s in spent)
                cpu = statistics.fmean(s.cpu for s in spent)
                taken[child.name].append(Seconds(wall, cpu))
    return taken


@dataclass(frozen=True, slots=True)
class Ratio:
    """How many times as long one side of the pairs took: the median pair, and the range of all."""

    median: float
    least: float
    greatest: float

    @classmethod
    def of(cls, slow: Sequence[float], fast: Sequence[float]) -> "Ratio":
        """The two sides in the order of the pairs."""
        of_pairs = sorted(a / b for a, b in zip(slow, fast, strict=True))
        return cls(statistics.median(of_pairs), of_pairs[0], of_pairs[-1])

    def text(self, digits: int = 2) -> str:
        """As in ``x3.60 [3.00, 4.80]``."""
        median, least, greatest = (
            f"{value:.{digits}f}" for value in (self.median, self.least, self.greatest)
        )
        return f"x{median} [{least}, {greatest}]"
