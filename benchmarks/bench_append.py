"""One more day for a large store: ingest, clean, universe, graph and all features, against a full build.

The first of the added days compiles.
"""

import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.large_market import large_market
from benchmarks.options import read_options, say
from engine.config import Config
from engine.data.load import open_panel
from engine.data.store import PanelStore
from engine.data.tables import RawTables
from engine.data.universe import build_universe
from engine.features.feature_set import build_features
from engine.graph.build import build_graphs
from engine.runs.sink import NullSink


def one_day(raw: RawTables, day: object) -> RawTables:
    return replace(raw, bars=raw.bars.filter(pl.col("date") == day))


def build(workspace: Path, config: Config, seconds: dict[str, float]) -> dict[str, Path]:
    marks = [time.perf_counter()]
    panel = open_panel(workspace, config)
    marks.append(time.perf_counter())
    universe = build_universe(panel, config.universe, workspace / "universe")
    marks.append(time.perf_counter())
    graphs = build_graphs(panel, universe, config.graph, workspace / "graphs", NullSink())
    marks.append(time.perf_counter())
    features = build_features(panel, universe, graphs, config, workspace / "features", NullSink())
    marks.append(time.perf_counter())
    for name, spent in zip(("clean", "universe", "graph", "features"), np.diff(marks), strict=True):
        seconds[name] = float(spent)
    assert features.directory is not None
    return {"features": features.directory, "graphs": workspace / "graphs" / graphs.fingerprint}


def differing(ours: dict[str, Path], theirs: dict[str, Path]) -> list[str]:
    return [
        f"{kind}/{path.name}"
        for kind in ours
        for path in sorted(theirs[kind].iterdir())
        if path.read_bytes() != (ours[kind] / path.name).read_bytes()
    ]


def main(arguments: list[str] | None = None) -> int:
    options = read_options(__doc__, arguments, stocks=(4000, 40), sessions=(2520, 400), days=(4, 1))
    stocks, sessions, added = options.stocks, options.sessions, options.days
    raw = large_market(stocks, sessions)
    config = Config()
    days = raw.bars["date"].unique().sort().to_list()
    say(f"{stocks} stocks x {sessions} sessions, {len(raw.bars) / 1e6:.1f} M rows")
    with tempfile.TemporaryDirectory() as folder:
        grown, fresh = Path(folder) / "grown", Path(folder) / "fresh"
        store, seconds = PanelStore(grown / "data"), dict[str, float]()
        start = time.perf_counter()
        store.save(replace(raw, bars=raw.bars.filter(pl.col("date") < days[-added])))
        seconds["ingest"] = time.perf_counter() - start
        build(grown, config, seconds)
        say(f"full build {_text(seconds)}")
        for day in days[-added:]:
            more = one_day(raw, day)
            start = time.perf_counter()
            store.append(more)
            seconds["ingest"] = time.perf_counter() - start
            ours = build(grown, config, seconds)
            say(f"+ {day}   {_text(seconds)}")
        PanelStore(fresh / "data").save(raw)
        theirs = build(fresh, config, seconds)
        say(f"files that differ from a rebuild: {differing(ours, theirs) or 'none'}")
    return 0


def _text(seconds: dict[str, float]) -> str:
    parts = "  ".join(f"{name} {value:.2f}" for name, value in sorted(seconds.items()))
    return f"{sum(seconds.values()):7.2f} s   {parts}"


if __name__ == "__main__":
    sys.exit(main())
