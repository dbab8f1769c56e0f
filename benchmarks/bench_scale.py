"""All catalog columns on 1.3 and on 20 million rows, then a training day: time per row, memory, tensor.

Both sizes run, each in a process of its own; with `--stocks` and `--sessions` that one size runs here.
"""

import resource
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

from benchmarks.options import read_options, say
from engine.config import Config
from engine.data.panel import DensePanel
from engine.data.universe import build_universe
from engine.dataset.batch import make_batch
from engine.features.feature_set import FeatureSet, build_features
from engine.graph.build import build_graphs
from engine.graph.graph import GraphSeries
from engine.model.atft_gat_fan import build_model
from engine.runs.sink import NullSink
from engine.training.device import apply_mode
from engine.training.passes import StepPass

SIZES = ((1000, 1300), (8000, 2520))
"""Stocks and sessions."""
SMALL = (40, 520)
"""A market on which everything is compiled first; all that a smoke run has."""


@dataclass(frozen=True)
class Generated:
    """A panel of random walks that exists as arrays only."""

    stocks: int
    sessions: int
    market: Any = "us"
    source: str = "generated"
    fingerprint: str = "generated"
    settings: str = ""
    chain: tuple[str, ...] = ()
    tables: dict[str, pl.DataFrame] = field(default_factory=dict)

    @property
    def dates_S(self) -> Any:
        return np.busday_offset("2010-01-04", np.arange(self.sessions), roll="forward")

    @property
    def securities(self) -> pl.DataFrame:
        names = [f"{n:05d}" for n in range(self.stocks)]
        sectors = [f"Sector {n % 33:02d}" for n in range(self.stocks)]
        return pl.DataFrame({"symbol": names, "sector": sectors})

    def dense(self, start: int = 0) -> DensePanel:
        rng = np.random.default_rng(0)
        shape = (self.stocks, self.sessions)
        close = rng.normal(0.0002, 0.015, shape)
        np.cumsum(close, axis=1, out=close)
        np.exp(close, out=close)
        close *= 40.0
        close[rng.random(shape, dtype=np.float32) < 0.002] = np.nan
        gap = np.exp(rng.normal(0, 0.004, shape))
        volume = np.exp(rng.normal(12.5, 0.5, shape))
        table = self.securities
        names = sorted(set(table["sector"]))
        return DensePanel(
            dates_S=self.dates_S[start:],
            symbols=tuple(table["symbol"]),
            open_NS=(close * gap)[:, start:],
            high_NS=(close * np.maximum(gap, 1.0) * 1.006)[:, start:],
            low_NS=(close * np.minimum(gap, 1.0) * 0.994)[:, start:],
            close_NS=close[:, start:],
            close_raw_NS=close[:, start:],
            volume_NS=volume[:, start:],
            turnover_NS=(volume * close)[:, start:],
            sector_N=np.array([names.index(s) for s in table["sector"]], dtype=np.int16),
            sectors=tuple(names),
            index_close_S=None,
            bars_before_N=np.zeros(self.stocks, dtype=np.int64),
            first=start,
        )


class Anonymous:
    """Largest anonymous memory of this process, looked at ten times a second."""

    def __init__(self) -> None:
        self.peak = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._stop.wait(0.1):
            for line in Path("/proc/self/status").read_text().splitlines():
                if line.startswith("RssAnon"):
                    self.peak = max(self.peak, int(line.split()[1]) * 1024)

    def close(self) -> int:
        self._stop.set()
        return self.peak


def one(stocks: int, sessions: int) -> None:
    panel, config = Generated(stocks, sessions), Config()
    with tempfile.TemporaryDirectory() as folder:
        root, sink = Path(folder), NullSink()
        _warm(config, root)
        memory = Anonymous() if Path("/proc/self/status").exists() else None
        marks = [time.perf_counter()]
        universe = build_universe(panel, config.universe, root / "universe")
        marks.append(time.perf_counter())
        graphs = build_graphs(panel, universe, config.graph, root / "graphs", sink)
        marks.append(time.perf_counter())
        before = time.process_time()
        features = build_features(panel, universe, graphs, config, root / "features", sink)
        marks.append(time.perf_counter())
        cpu = time.process_time() - before
        built = memory.peak if memory else 0
        _one_day(features, graphs, config)
        assert features.directory is not None
        size = sum(path.stat().st_size for path in features.directory.glob("x-*"))
    rows = stocks * sessions
    seconds = np.diff(marks)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    say(
        f"{rows / 1e6:5.1f} M rows  {len(features.features)} columns  "
        f"universe {seconds[0]:.1f} s  graph {seconds[1]:.1f} s  features {seconds[2]:.1f} s "
        f"(CPU {cpu:.1f} s)  {1e6 * seconds[2] / rows:.2f} us a row (CPU {1e6 * cpu / rows:.2f})  "
        f"tensor {size / 2**30:.2f} GiB  peak RSS {peak / 2**30:.2f} GiB"
        + (f"  anonymous {built / 2**30:.2f} GiB, " if memory else "")
        + (f"with a training day {memory.close() / 2**30:.2f} GiB" if memory else "")
    )


def _one_day(features: FeatureSet, graphs: GraphSeries, config: Config) -> None:
    """Forward and backward through the newest labelled day."""
    day = features.dates_S.size - max(features.horizons) - 2
    runtime = apply_mode("safe", torch.device("cpu"), 0)
    model = build_model(config, len(features.features)).train()
    batch = make_batch(features, graphs, [day], config.split.window)
    StepPass(runtime)(model, batch, config, seed=0)


def _warm(config: Config, root: Path) -> None:
    """Compile everything on a small market."""
    small, sink = Generated(*SMALL), NullSink()
    universe = build_universe(small, config.universe, root / "warm")
    graphs = build_graphs(small, universe, config.graph, root / "warm graphs", sink)
    build_features(small, universe, graphs, config, root / "warm features", sink)


def main(arguments: list[str] | None = None) -> int:
    options = read_options(__doc__, arguments, stocks=(0, 0), sessions=(0, 0))
    if options.stocks and options.sessions:
        one(options.stocks, options.sessions)
        return 0
    for stocks, sessions in (SMALL,) if options.smoke else SIZES:
        command = [sys.executable, "-m", "benchmarks.bench_scale"]
        command += ["--stocks", str(stocks), "--sessions", str(sessions)]
        # What it says goes through `say`, for whoever listens to this process.
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        say(done.stdout.rstrip())
    return 0


if __name__ == "__main__":
    sys.exit(main())
