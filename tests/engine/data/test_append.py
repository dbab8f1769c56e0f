"""A store that grew day by day holds the same bytes as one filled at once: panel, graphs, features."""

import datetime as dt
import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from engine.config import Config
from engine.config.file import override, resolve
from engine.data.load import open_panel
from engine.data.store import PanelStore, Snapshot
from engine.data.synthetic import generate
from engine.data.tables import RawTables
from engine.data.universe import build_universe
from engine.errors import DataError
from engine.features.feature_set import build_features
from engine.files import read_json
from engine.graph.build import build_graphs
from engine.runs.sink import NullSink
from tests.conftest import SMALL

KINDS = ("panels", "universe", "graphs", "features")
TOLD = {
    "universe": ("days", "members", "last_members"),
    "graphs": ("graph", "statistics"),
    "features": ("cells", "known"),
}
"""What the manifests say for a screen."""
OVERRIDES = (
    "data.synthetic.n_symbols=40",
    "data.synthetic.n_sessions=460",
    *SMALL,
    "features.breadth=full",
    "universe.min_turnover=3e6",
)


@pytest.fixture(scope="module")
def config() -> Config:
    return resolve([], preset="demo", overrides=OVERRIDES).config


@pytest.fixture(scope="module")
def market(config: Config) -> RawTables:
    """With dirt at the seams: a bad print, a split and a jump around the days that are appended."""
    raw = generate(config.data.synthetic).raw
    days = raw.bars["date"].unique().sort()
    names = raw.bars.filter(pl.col("date") == days[-1])["symbol"].sort()

    def factor(name: str, first: int, last: int, by: float) -> pl.Expr:
        hit = (pl.col("symbol") == name) & pl.col("date").is_between(days[first], days[last])
        return pl.when(hit).then(by).otherwise(1.0)

    scale = (
        factor(names[3], -5, -5, 2.37)  # reverts: a bad print
        * factor(names[4], -4, -1, 2.2)  # stays: a jump
        * factor(names[5], -3, -1, 0.5)  # a 2:1 split
    )
    prices = ("open", "high", "low", "close")
    return replace(raw, bars=raw.bars.with_columns(pl.col(name) * scale for name in prices))


def upto(raw: RawTables, day: dt.date, after: dt.date | None = None) -> RawTables:
    def part(table: pl.DataFrame, key: str) -> pl.DataFrame:
        table = table.filter(pl.col(key) <= day)
        return table if after is None else table.filter(pl.col(key) > after)

    if after is not None:
        raw = replace(
            raw,
            index=None if raw.index is None else part(raw.index, "date"),
            oracle=None if raw.oracle is None else part(raw.oracle, "date"),
            optional={name: part(table, "available") for name, table in raw.optional.items()},
        )
    raw = raw.as_of(day)
    bars = part(raw.bars, "date")
    return replace(
        raw,
        bars=bars,
        securities=raw.securities.filter(pl.col("symbol").is_in(bars["symbol"].implode())),
    )


def build(workspace: Path, config: Config) -> dict[str, Path]:
    panel = open_panel(workspace, config)
    universe = build_universe(panel, config.universe, workspace / "universe")
    graphs = build_graphs(panel, universe, config.graph, workspace / "graphs", NullSink())
    features = build_features(panel, universe, graphs, config, workspace / "features", NullSink())
    assert features.directory is not None
    return {
        "panels": panel.directory,
        "universe": workspace / "universe" / universe.fingerprint,
        "graphs": workspace / "graphs" / graphs.fingerprint,
        "features": features.directory,
    }


def contents(directory: Path) -> dict[str, str]:
    """Hash of each file; the report's examples and the manifest's entry for it may differ."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in directory.iterdir()
        if path.name not in ("report.json", "manifest.json")
    }


def test_appended_days_give_the_bytes_of_a_rebuild(
    market: RawTables, config: Config, tmp_path: Path
) -> None:
    days = market.bars["date"].unique().sort().to_list()
    grown, fresh = tmp_path / "grown", tmp_path / "fresh"
    store = PanelStore(grown / "data")
    start = 380
    store.save(upto(market, days[start]))
    build(grown, config)
    for first, last in ((start, 383), (383, 384), (384, 390), (390, len(days) - 7)):
        store.append(upto(market, days[last], days[first]))
        build(grown, config)
    for last in range(len(days) - 6, len(days)):
        store.append(upto(market, days[last], days[last - 1]))
        ours = build(grown, config)
    PanelStore(fresh / "data").save(upto(market, days[-1]))
    theirs = build(fresh, config)
    assert store.current() == PanelStore(fresh / "data").current()
    for kind in KINDS:
        assert ours[kind].name == theirs[kind].name
        a, b = contents(ours[kind]), contents(theirs[kind])
        assert a.keys() == b.keys()
        assert [name for name in a if a[name] != b[name]] == [], kind
        told = [read_json(d[kind] / "manifest.json") for d in (ours, theirs)]
        for name in TOLD.get(kind, ()):
            assert told[0][name] == told[1][name], name
    snapshots = [root / "data" / "snapshots" / store.current() for root in (grown, fresh)]
    rows = [Snapshot(directory).manifest.rows for directory in snapshots]
    assert rows[0] == rows[1]
    assert sum(n for file, n in rows[0].items() if file.startswith("bars-")) == len(market.bars)
    assert contents(snapshots[0]) == contents(snapshots[1])
    counts = [
        {f["rule"]: f["count"] for f in read_json(d["panels"] / "report.json")["findings"]}
        for d in (ours, theirs)
    ]
    assert counts[0] == counts[1]
    assert counts[0]["bad_print"] >= 1
    assert counts[0]["jump"] >= 1
    assert counts[0]["suspected_split"] >= 1


def test_append_reuses_what_is_done(market: RawTables, config: Config, tmp_path: Path) -> None:
    days = market.bars["date"].unique().sort().to_list()
    store = PanelStore(tmp_path / "data")
    store.save(upto(market, days[-2]))
    before = build(tmp_path, config)
    store.append(upto(market, days[-1], days[-2]))
    after = build(tmp_path, config)
    for kind, file in (("features", "x-0000.npy"), ("graphs", "g-0001.npz")):
        assert (before[kind] / file).stat().st_ino == (after[kind] / file).stat().st_ino
    assert np.load(before["universe"] / "member.npy").shape[0] == len(days) - 1


def test_a_day_that_is_dropped_whole_can_be_appended(
    market: RawTables, config: Config, tmp_path: Path
) -> None:
    """Yesterday's file given again as today's: nothing is added, and the next day goes on."""
    days = market.bars["date"].unique().sort().to_list()
    store = PanelStore(tmp_path / "data")
    store.save(upto(market, days[-3]))
    before = open_panel(tmp_path, config)
    again = upto(market, days[-3], days[-4])
    again = replace(again, bars=again.bars.with_columns(pl.lit(days[-2]).alias("date")))
    store.append(again)
    panel = open_panel(tmp_path, config)
    assert not panel.report.last_session_complete
    assert panel.dates_S.size == before.dates_S.size
    build(tmp_path, config)
    store.append(upto(market, days[-1], days[-2]))
    build(tmp_path, config)
    panel = open_panel(tmp_path, config)
    assert panel.report.last_session_complete
    assert panel.dates_S.size == before.dates_S.size + 1


def test_sessions_given_again_are_skipped_and_corrections_take_their_place(
    market: RawTables, config: Config, tmp_path: Path
) -> None:
    """The last three sessions of four stocks differ at first; panels, graphs and features are rebuilt."""
    days = market.bars["date"].unique().sort().to_list()
    wrong = pl.col("symbol").is_in(market.bars["symbol"].unique().sort().head(4).implode())
    wrong &= pl.col("date") >= days[-4]
    early = market.bars.with_columns(
        pl.when(wrong).then(pl.col(name) * 1.01).otherwise(pl.col(name)).alias(name)
        for name in ("open", "high", "low", "close")
    )
    grown, fresh = tmp_path / "grown", tmp_path / "fresh"
    store = PanelStore(grown / "data")
    first = store.save(upto(replace(market, bars=early), days[-2]))
    build(grown, config)
    store.append(upto(market, days[-1], days[-7]))
    assert store.current() != first
    ours = build(grown, config)
    PanelStore(fresh / "data").save(upto(market, days[-1]))
    theirs = build(fresh, config)
    assert store.current() == PanelStore(fresh / "data").current()
    for kind in KINDS:
        assert contents(ours[kind]) == contents(theirs[kind]), kind
    assert store.append(upto(market, days[-1], days[-7])) == store.current()


def test_a_beginning_before_the_stored_one_cannot_be_appended(
    market: RawTables, tmp_path: Path
) -> None:
    days = market.bars["date"].unique().sort().to_list()
    store = PanelStore(tmp_path / "data")
    first = store.save(upto(market, days[-2], days[-9]))
    with pytest.raises(DataError, match=f"of {days[-9]}, but the store begins with {days[-8]}"):
        store.append(upto(market, days[-1], days[-10]))
    assert store.current() == first


def test_changed_history_is_computed_anew(
    market: RawTables, config: Config, tmp_path: Path
) -> None:
    """A revised bar of the past: the old snapshot stays, nothing built on it is taken over."""
    days = market.bars["date"].unique().sort().to_list()
    store = PanelStore(tmp_path / "data")
    first = store.save(upto(market, days[-2]))
    old = build(tmp_path, config)
    hit = (pl.col("date") == days[200]) & (pl.col("symbol") == pl.col("symbol").min())
    prices = ("open", "high", "low", "close")
    revised = market.bars.with_columns(
        pl.when(hit).then(pl.col(name) * 1.01).otherwise(pl.col(name)).alias(name)
        for name in prices
    )
    store.save(replace(market, bars=revised))
    new = build(tmp_path, config)
    assert (old["features"] / "x-0000.npy").stat().st_ino != (
        new["features"] / "x-0000.npy"
    ).stat().st_ino
    assert store.snapshot(first).raw().bars.equals(upto(market, days[-2]).bars)


@pytest.mark.parametrize(
    ("key", "value"),
    [("quality.max_move", 0.4), ("universe.min_history", 70), ("labels.entry", "open")],
)
def test_other_settings_extend_nothing(
    key: str, value: object, market: RawTables, config: Config, tmp_path: Path
) -> None:
    """What was built by other rules is no beginning, however far upstream the rule stands."""
    days = market.bars["date"].unique().sort().to_list()
    store = PanelStore(tmp_path / "data")
    store.save(upto(market, days[-2]))
    before = build(tmp_path, config)
    store.append(upto(market, days[-1], days[-2]))
    other = override(config, {key: value}, origin="test")
    after = build(tmp_path, other)
    alone = tmp_path / "alone"
    PanelStore(alone / "data").save(upto(market, days[-1]))
    for kind, directory in build(alone, other).items():
        assert contents(directory) == contents(after[kind]), kind
    first = before["features"] / "x-0000.npy"
    assert first.stat().st_ino != (after["features"] / "x-0000.npy").stat().st_ino
