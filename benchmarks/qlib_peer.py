"""Qlib as a peer: the same rows in its binary format, and a process of its own that evaluates on demand."""

import contextlib
import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
SCRIPT = Path(__file__).with_name("alpha158_qlib.py")


@dataclass(frozen=True, slots=True)
class QlibPeer:
    process: subprocess.Popen[str]
    result: Path

    def evaluate(self) -> tuple[float, float]:
        """CPU and wall seconds of one evaluation, measured inside the process."""
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        cpu, wall = self._answer().split()
        return float(cpu), float(wall)

    def values(self) -> Array:
        """``[rows, 79]`` of the first evaluation."""
        return np.asarray(np.load(self.result))

    def _answer(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("the Qlib process ended before it answered")
        return line


def python_with_qlib() -> str | None:
    """The interpreter named by QLIB_PYTHON, else this one if it has Qlib, else None."""
    named = os.environ.get("QLIB_PYTHON")
    if named:
        return named
    return sys.executable if importlib.util.find_spec("qlib") else None


@contextlib.contextmanager
def qlib_peer(bars: dict[str, Array]) -> Iterator[QlibPeer | None]:
    """A started Qlib process over the bars; None (and the reason printed) where there is no Qlib."""
    python = python_with_qlib()
    if python is None:
        sys.stdout.write("Qlib skipped: not importable here and QLIB_PYTHON names no interpreter\n")
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        data, result = Path(folder) / "qlib", Path(folder) / "result.npy"
        write_qlib(data, bars)
        with subprocess.Popen(
            [python, str(SCRIPT), str(data), str(result)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            cwd=folder,
        ) as process:  # fmt: skip
            peer = QlibPeer(process, result)
            while not peer._answer().startswith("ready"):
                pass  # Qlib prints while it starts
            yield peer
            assert process.stdin is not None
            process.stdin.close()


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
        for field, x_NS in bars.items():
            np.concatenate(([0.0], x_NS[i])).astype("<f4").tofile(stock / f"{field}.day.bin")
