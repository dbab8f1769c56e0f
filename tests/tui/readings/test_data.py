"""What the Data screen reads, from files that the engine's own writers made."""

import datetime as dt
import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from atft_tui.readings.data import DataReader, DataReading, hours_since, read_stock
from engine.data.load import clean_panel
from engine.data.store import PanelStore
from engine.features.catalog import CATALOG
from engine.records.preflight import AuditResult
from engine.records.quality import BREAK, DIVIDEND, FROZEN, RANGE, SPLIT
from engine.records.record import RecordError
from engine.stages.features import features
from tests.tui.data_market import MISSING, NAMES, NOW, REPEATED, RUN, THIN, settings, stage


def read(workspace: Path) -> DataReading:
    return DataReader(workspace).read(NOW)


def test_an_empty_workspace_is_an_empty_reading(tmp_path: Path) -> None:
    assert read(tmp_path) == DataReading()


def test_coverage_marks_the_days_that_were_spoiled(data_market: Path) -> None:
    value = read(data_market)
    coverage = value.coverage
    assert value.trouble == ()
    assert list(coverage.dates) == sorted(coverage.dates)
    spoiled = {i: mark for i, mark in enumerate(coverage.marks) if mark}
    assert spoiled == {MISSING: "missing", THIN: "thin", REPEATED: "excluded"}
    assert (coverage.names[MISSING], coverage.names[THIN], coverage.names[REPEATED]) == (0, 10, 0)
    bars = clean_panel(data_market, settings()).bars()
    counts = dict(bars.group_by(pl.col("date").cast(pl.String)).len().iter_rows())
    kept = {day: n for day, n in zip(coverage.dates, coverage.names, strict=True) if n}
    assert kept == counts


def test_the_universe_is_that_of_the_arrays(data_market: Path) -> None:
    value = read(data_market)
    directory = next((data_market / "universe").glob("*/member.npy")).parent
    member_SN = np.load(directory / "member.npy")
    told = [count for count in value.coverage.members if count is not None]
    assert told == member_SN.sum(axis=1).tolist()
    assert sum(row.member is True for row in value.stocks) == member_SN[-1].sum()


def test_stocks_are_those_of_the_raw_bars(data_market: Path) -> None:
    value = read(data_market)
    raw = PanelStore(data_market / "data").snapshot().raw()
    clean = clean_panel(data_market, settings()).bars()
    assert [row.symbol for row in value.stocks] == sorted(raw.securities["symbol"])
    assert [row.name for row in value.stocks[: len(NAMES)]] == list(NAMES)
    for row in value.stocks[::9]:
        mine = raw.bars.filter(symbol=row.symbol)
        kept = clean.filter(symbol=row.symbol)
        assert (row.rows, row.kept) == (len(mine), len(kept))
        assert (row.first, row.last) == (str(mine["date"].min()), str(mine["date"].max()))
        days = clean["date"].unique().sort()[-20:]
        recent = kept.filter(pl.col("date").is_in(days.implode()))["turnover"]
        assert row.turnover == (pytest.approx(recent.median()) if len(recent) else None)


def test_findings_keep_what_the_gates_said(data_market: Path) -> None:
    quality = read(data_market).quality
    assert quality is not None
    assert quality.verdict == "degraded"
    found = {finding.rule: finding for finding in quality.findings}
    assert found["negative_volume"].count == 3
    assert [hit.rule for hit in quality.hits].count("negative_volume") == 3
    assert found["high_below_low"].examples[0][2].startswith("o ")
    assert found["missing_session"].examples[0][0] == "*"


def test_features_carry_coverage_and_worth(data_market: Path) -> None:
    value = read(data_market)
    assert [row.name for row in value.features] == [feature.name for feature in CATALOG]
    rows = {row.name: row for row in value.features}
    manifest = json.loads(next((data_market / "features").glob("*/manifest.json")).read_text())
    known = dict(zip(manifest["features"], manifest["known"], strict=True))
    assert rows["return_1"].coverage == known["return_1"] / manifest["cells"]
    assert 0.9 < known["return_1"] / manifest["cells"] <= 1.0
    assert rows["return_3"].off == "features.breadth is core"
    assert rows["return_3"].coverage is None
    source = value.feature_source
    assert (source.run, source.worth and source.worth.horizon, source.fits) == (RUN, 5, True)
    told = json.loads((data_market / "runs" / RUN / "feature_ic.json").read_text())["features"]
    assert rows["return_1"].rank_ic == told["return_1"]["rank_ic"]


def test_the_command_line_says_the_same_of_features(data_market: Path) -> None:
    told = features(stage(data_market, settings()), action="list").json["features"]
    for item, row in zip(told, read(data_market).features, strict=True):
        mine = (row.name, row.coverage, row.rank_ic, row.rank_ic_se, row.n_dates)
        keys = ("name", "coverage", "rank_ic", "rank_ic_se", "n_dates")
        assert tuple(item[key] for key in keys) == mine
    one = features(stage(data_market, settings()), action="show", name="return_1")
    assert f"{next(i['coverage'] for i in told if i['name'] == 'return_1'):.1%}" in one.text


def test_graph_statistics_are_read(data_market: Path) -> None:
    graph = read(data_market).graph
    assert graph is not None
    manifest, fits = graph
    assert (manifest.graph["kind"], fits) == ("correlation", True)
    series = manifest.statistics
    assert len(series["nodes"]) == len(series["date"]) > 50
    assert series["turnover"][0] is None
    edges, nodes, degree = (
        float(series[name][-1] or 0) for name in ("edges", "nodes", "mean_degree")
    )
    assert edges / nodes == pytest.approx(degree)


def test_audit_and_its_age(data_market: Path) -> None:
    value = read(data_market)
    assert value.audit is not None
    assert value.audit.passed
    assert sum(check.passed is not None for check in value.audit.checks) == 9
    assert value.audit_hours == 3
    later = AuditResult(verdict="passed", when="2026-01-06T00:00:00")
    assert hours_since(later, NOW) == 0
    assert hours_since(later, NOW + dt.timedelta(days=2)) == 42


def test_nothing_is_made_again_while_no_file_changes(data_market: Path) -> None:
    reader = DataReader(data_market)
    first, second = reader.read(NOW), reader.read(NOW)
    assert first == second
    for part in ("coverage", "stocks", "features", "graph", "quality", "audit"):
        assert getattr(first, part) is getattr(second, part), part


def test_a_new_snapshot_makes_the_rest_old(dirty_market: Path) -> None:
    reader = DataReader(dirty_market)
    before = reader.read(NOW)
    store = PanelStore(dirty_market / "data")
    raw = store.snapshot().raw()
    new = store.save(raw.as_of(raw.bars["date"].unique().sort()[390]))
    value = reader.read(NOW)
    assert value.current is not None
    assert value.current.id == new
    assert value.current.change == "-8 sessions"
    assert value.n_snapshots == 3
    assert value.quality is not None
    assert value.quality.snapshot != new
    assert not value.feature_source.fits
    assert value.graph is not None
    assert value.graph[1] is False
    assert value.coverage.members[-1] is None
    clean_panel(dirty_market, settings())
    again = reader.read(NOW).quality
    assert again is not None
    assert again.snapshot == new
    assert again.rows_in < (before.quality.rows_in if before.quality else 0)


@pytest.mark.parametrize(
    ("file", "keeps"),
    [
        ("data/quality.json", ("snapshots", "features", "graph")),
        ("data/snapshots/*/manifest.json", ("snapshots", "quality", "stocks", "coverage")),
        ("audit.json", ("snapshots", "quality", "stocks")),
        ("data/stocks.parquet", ("snapshots", "quality", "coverage")),
        ("features/catalog.json", ("snapshots", "quality", "stocks")),
        ("universe/*/manifest.json", ("snapshots", "quality", "features")),
        ("graphs/*/manifest.json", ("snapshots", "quality", "stocks", "features")),
        (f"runs/{RUN}/feature_ic.json", ("snapshots", "quality", "graph")),
    ],
)
def test_a_torn_file_is_told_and_hides_only_its_part(
    dirty_market: Path, file: str, keeps: tuple[str, ...]
) -> None:
    path = next(dirty_market.glob(file))
    whole = path.read_bytes()
    reader = DataReader(dirty_market)
    path.write_bytes(whole[: len(whole) // 2])
    value = reader.read(NOW)
    assert any(path.name in said for said in value.trouble), value.trouble
    assert not any(str(dirty_market) in said for said in value.trouble)
    for part in keeps:
        assert getattr(value, part), part
    path.write_bytes(whole)
    assert reader.read(NOW).trouble == ()


@pytest.mark.parametrize(
    ("file", "text", "place"),
    [
        ("data/quality.json", '{"snapshot": "%s", "findings": 7}', "data/quality.json: "),
        ("data/quality.json", '{"snapshot": "%s", "coverage": {}}', "data/quality.json: "),
        ("audit.json", '{"verdict": "passed", "when": "yesterday"}', "audit.json: "),
        ("features/catalog.json", '{"features": [{"name": null}]}', "features/catalog.json: "),
        (f"runs/{RUN}/feature_ic.json", "[]", f"runs/{RUN}/feature_ic.json: "),
        (f"runs/{RUN}/feature_ic.json", "{}", f"runs/{RUN}/feature_ic.json: "),
    ],
)
def test_a_file_of_another_form_is_told_with_its_place(
    dirty_market: Path, file: str, text: str, place: str
) -> None:
    current = (dirty_market / "data" / "CURRENT").read_text().strip()
    (dirty_market / file).write_text(text.replace("%s", current))
    value = read(dirty_market)
    assert value.trouble
    assert all(said.startswith(place) for said in value.trouble), value.trouble
    assert value.snapshots


def test_a_current_snapshot_that_is_gone_is_told(dirty_market: Path) -> None:
    current = (dirty_market / "data" / "CURRENT").read_text().strip()
    shutil.rmtree(dirty_market / "data" / "snapshots" / current)
    value = read(dirty_market)
    assert value.snapshots == ()
    assert current in value.trouble[0]


def test_one_stock_from_the_clean_bars_else_from_the_raw_ones(
    data_market: Path, tmp_path: Path
) -> None:
    value = read(data_market)
    assert value.current is not None
    clean = clean_panel(data_market, settings()).bars().filter(symbol="S0002")
    bars = read_stock(data_market, value.current.id, value.panel, "S0002")
    assert bars.cleaned
    assert bars.close == tuple(clean["close"])
    raw = read_stock(data_market, value.current.id, "", "S0002")
    assert not raw.cleaned
    assert len(raw.dates) == value.stocks[2].rows
    assert read_stock(data_market, value.current.id, value.panel, "nobody").dates == ()
    (tmp_path / "bars-2020-01.parquet").write_bytes(b"PAR1 torn")
    with pytest.raises(RecordError, match="cannot be read"):
        read_stock(data_market, value.current.id, str(tmp_path), "S0002")


def test_what_happened_to_the_shares_comes_with_the_closes(tmp_path: Path) -> None:
    """Bits of quality are no events; a row may have several."""
    pl.DataFrame(
        {
            "date": [dt.date(2020, 1, day) for day in (2, 3, 6)],
            "symbol": ["A"] * 3,
            "close": [1.0, 2.0, 3.0],
            "flags": [FROZEN, SPLIT | RANGE | DIVIDEND, BREAK],
        }
    ).write_parquet(tmp_path / "bars-2020-01.parquet")
    bars = read_stock(tmp_path, "none", str(tmp_path), "A")
    assert bars.events == ((1, "split"), (1, "dividend"), (2, "break"))
