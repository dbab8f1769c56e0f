"""A small dirty market that the engine's own writers stored, checked and built from; times are frozen."""

import datetime as dt
import os
from dataclasses import replace
from pathlib import Path

import polars as pl

from engine.audit.audit import _CHECKS, _check
from engine.config import Config
from engine.config.file import resolve
from engine.data.load import open_panel
from engine.data.store import PanelStore
from engine.data.synthetic import generate
from engine.data.tables import RawTables
from engine.data.universe import build_universe
from engine.dataset.split import Split
from engine.features.feature_set import build_features
from engine.graph.build import build_graphs
from engine.records import record
from engine.records.preflight import AuditResult, AuditSample
from engine.runs.sink import NullSink
from engine.stages.check import check
from engine.stages.context import StageContext, StopFlag
from engine.training.evaluate import feature_rank_ics

NOW = dt.datetime(2026, 1, 5, 18, 0, tzinfo=dt.UTC)
SETTINGS = (
    "data.synthetic.n_symbols=40",
    "data.synthetic.n_sessions=400",
    "universe.min_history=60",
    "universe.min_names=10",
    "universe.min_turnover=0",
    "universe.min_price=0",
    "graph.window=60",
    "graph.k=4",
    "features.breadth=core",
    "quality.repeated_sessions=drop",
)
RUN = "20260105-090100-train-0001"
NAMES = ("トヨタ自動車", "ソニーグループ", "三菱ＵＦＪフィナンシャル・グループ", "任天堂")
MISSING, THIN, REPEATED = 100, 120, 140
"""Positions of the sessions without a bar, with few of them, and with those of the day before."""


def settings() -> Config:
    return resolve([], preset="demo", overrides=SETTINGS).config


def dirty(config: Config) -> RawTables:
    """The synthetic market with Japanese names, three bad sessions and some bad bars."""
    raw = generate(config.data.synthetic).raw
    # Processors differ in the last bits of a price, and a snapshot's name is a hash of its prices.
    # Seven digits: decimals would leave a turnover of billions most of its last bits.
    raw = replace(raw, bars=raw.bars.with_columns(pl.col(pl.Float64).round_sig_figs(7)))
    days = raw.bars["date"].unique().sort()
    symbols = raw.bars["symbol"].unique().sort()
    date, symbol = pl.col("date"), pl.col("symbol")
    few = symbols[:10].implode()
    bars = raw.bars.filter((date != days[MISSING]) & ((date != days[THIN]) | symbol.is_in(few)))
    again = bars.filter(date == days[REPEATED - 1]).with_columns(date=pl.lit(days[REPEATED]))
    bars = pl.concat([bars.filter(date != days[REPEATED]), again]).sort("date", "symbol")
    bad = (symbol == symbols[2]) & date.is_in(days[50:53].implode())
    bars = bars.with_columns(
        volume=pl.when(bad).then(-pl.col("volume")).otherwise(pl.col("volume")),
        high=pl.when((symbol == symbols[3]) & (date == days[70]))
        .then(pl.col("low") * 0.5)
        .otherwise(pl.col("high")),
    )
    named = pl.Series("name", [*NAMES, *raw.securities["name"][len(NAMES) :]])
    return replace(raw, bars=bars, securities=raw.securities.with_columns(named))


def stage(workspace: Path, config: Config) -> StageContext:
    return StageContext(
        workspace=workspace, config=config, sink=NullSink(), stop=StopFlag(), now=lambda: NOW
    )


def frozen(path: Path, hour: int) -> None:
    at = NOW.replace(hour=hour).timestamp()
    os.utime(path, (at, at))


def build(workspace: Path) -> Path:
    """Two snapshots, the newer one checked, audited, and built from."""
    config = settings()
    store, raw = PanelStore(workspace / "data"), dirty(config)
    old = store.save(raw.as_of(raw.bars["date"].unique().sort()[380]))
    new = store.save(raw)
    for hour, name in ((8, old), (9, new)):
        frozen(store.root / "snapshots" / name / "manifest.json", hour)
    check(stage(workspace, config))
    panel = open_panel(workspace, config)
    universe = build_universe(panel, config.universe, workspace / "universe")
    graphs = build_graphs(panel, universe, config.graph, workspace / "graphs", NullSink())
    features = build_features(
        panel, universe, graphs, config, workspace / "features", NullSink()
    ).loaded()
    usable = features.member_SN.sum(axis=1).nonzero()[0]
    split = Split(train=usable[:80], validation=usable[100:110], test=usable[120:])
    run = workspace / "runs" / RUN
    run.mkdir(parents=True)
    record.write(run / "feature_ic.json", feature_rank_ics(features, split, horizon=5))
    audit = AuditResult(
        verdict="passed",
        checks=tuple(_check(name, [], {"scores": "no run"}) for name in _CHECKS),
        sample=AuditSample(stocks=40, sessions=400, columns=45),
        snapshot=new,
        when="2026-01-05T15:00:00+00:00",
    )
    record.write(workspace / "audit.json", audit)
    return workspace
