"""Every benchmark runs to its end at its smallest size and prints what it is there for."""

import importlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

ROOT = Path(__file__).parents[2]
NAMES = sorted(path.stem for path in (ROOT / "benchmarks").glob("bench_*.py"))
RATIO = r"x\d+\.\d+ \[\d+\.\d+, \d+\.\d+\]"
FIGURE = rf"{RATIO}|\d+(\.\d+)? ?(s|ms|us|MiB|GiB|%)\b"
LAST = {
    "bench_actions": r"with the factors\n\d+ of \d+",
    "bench_append": "files that differ from a rebuild: none",
    "bench_backtest": r"20 random books: \d+\.\d s",
    "bench_cockpit": r"a killed trainer is said to have died after +\d",
    "bench_features": rf"pandas, windows shared .*{RATIO}",
    "bench_gpu": r"share of it: safe \d|no CUDA device",
    "bench_graph": r"weekly graphs of \d+ stocks, random .* edges",
    "bench_model": rf"per-feature TFT .*{RATIO}",
    "bench_runs": r"fold of \d+ MiB of events: \d+\.\d\d s",
    "bench_scale": r"us a row .* peak RSS \d",
    "bench_seals": r"ledger +8 seals +\d+\.\d s of the processor",
    "bench_signals": r"\d s   start \d.* \d",
    "bench_start": rf"empty Textual app .*{RATIO}",
    "bench_step": r"optimized: \d+% of the float32 GEMM peak",
    "bench_step_size": r"largest resident memory of a step, .*\d GiB before",
    "bench_table": r"DataTable +key to the other end: median \d",
    "bench_windows": rf"DataLoader, 2 workers .*{RATIO}",
}
"""What the last part of a benchmark prints; any figure with its unit will do for one not named here."""
ALONE = ("bench_windows",)
"""Its DataLoader forks, which a process with threads should not do."""
SLOW = ("bench_cockpit", "bench_expressions", "bench_signals", "bench_step_size")


@pytest.fixture(autouse=True)
def environment_kept() -> Iterator[None]:
    """The thread limits that a benchmark sets end with it."""
    with patch.dict(os.environ):
        yield


def test_there_are_benchmarks() -> None:
    assert set(LAST) <= set(NAMES)


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in NAMES],
)
def test_runs_to_its_end_and_prints_its_figures(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if name in ALONE:
        command = [sys.executable, "-m", f"benchmarks.{name}", "--smoke"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        printed = done.stdout
    else:
        assert importlib.import_module(f"benchmarks.{name}").main(["--smoke"]) == 0
        printed = capsys.readouterr().out
    assert re.search(LAST.get(name, FIGURE), printed), printed
