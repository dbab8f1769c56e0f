"""Qlib as a peer: the same rows in its binary format, and a process of its own that evaluates on demand."""

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.contender import FOLDER, Contender, Seconds, contender, python_with
from benchmarks.options import say

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class QlibPeer:
    """A started Qlib over the bars."""

    child: Contender
    result: Path

    def evaluate(self) -> Seconds:
        """Seconds of one evaluation of the 79 columns, measured inside the process."""
        return self.child.do("evaluate")

    def every(self) -> Seconds:
        """The same of all 158."""
        return self.child.do("every")

    def values(self) -> Array:
        """``[rows, columns]`` of the first evaluation of either."""
        return np.asarray(np.load(self.result))


@contextlib.contextmanager
def qlib_peer(bars: dict[str, Array]) -> Iterator[QlibPeer | None]:
    """A started Qlib process over the bars; None (and the reason printed) where there is no Qlib."""
    python = python_with("qlib", "QLIB_PYTHON")
    if python is None:
        say("Qlib skipped: not importable here and QLIB_PYTHON names no interpreter")
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        data, result = Path(folder) / "qlib", Path(folder) / "result.npy"
        write_qlib(data, bars)
        program = [str(FOLDER / "alpha158_qlib.py"), str(data), str(result)]
        with contender("Qlib", program, threads=1, python=python, folder=Path(folder)) as child:
            yield QlibPeer(child, result)


def write_qlib(folder: Path, bars: dict[str, Array]) -> None:
    """Qlib's layout: a calendar, a list of instruments, and a float32 file a field, its offset first."""
    N, S = bars["close"].shape
    days = np.busday_offset("2010-01-01", np.arange(S), roll="forward").astype(str)
    for name in ("calendars", "instruments", "features"):
        (folder / name).mkdir(parents=True)
    (folder / "calendars" / "day.txt").write_text("\n".join(days) + "\n")
    lines = [f"S{i:04d}\t{days[0]}\t{days[-1]}\n" for i in range(N)]
    (folder / "instruments" / "all.txt").write_text("".join(lines))
    for i in range(N):
        stock = folder / "features" / f"s{i:04d}"
        stock.mkdir()
        for field, x_NS in (bars | {"vwap": bars["close"]}).items():
            np.concatenate(([0.0], x_NS[i])).astype("<f4").tofile(stock / f"{field}.day.bin")
