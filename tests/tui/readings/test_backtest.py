"""What the screen reads is what the engine wrote, in every age of the files."""

import contextlib
import math
import os
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from atft_tui.glyphs import GLYPHS
from atft_tui.readings.backtest import (
    BacktestReader,
    falls,
    growth,
    overrides,
    read_day,
    run_to_show,
)
from atft_tui.widgets.backtest.panels import HOLDINGS
from atft_tui.widgets.backtest.words import changes, conditions
from engine.backtest.performance import drawdowns, equity, monthly_returns
from engine.errors import IntegrityError
from engine.files import read_json, read_parquet, write_json, write_parquet
from engine.hashes import LIST
from engine.records import record
from engine.records.backtest import BacktestSummary
from engine.records.protocol import CountedLook
from engine.records.record import RecordError
from engine.records.sweep import SweepSummary
from engine.runs.store import Run
from engine.runs.trials import add_looks
from tests.tui.backtest_files import sessions, without, write_backtest, write_sweep
from tests.tui.conftest import MakeRun

KEYS = (
    "baselines", "waterfall", "factor", "decay", "lags", "years", "year", "sessions", "horizon", "lag",
    "quantile_returns", "quantile_errors", "alpha_to_orders", "steps", "orders", "notes", "costs",
    "cells", "settings", "best", "exposures", "1", "lightgbm", "trials",
)  # fmt: skip


@pytest.fixture
def run(make_run: MakeRun) -> Run:
    return write_backtest(make_run(), count=300)


def test_headline_figures_equal_the_file(tmp_path: Path, run: Run) -> None:
    saved = read_json(run.path("backtest.json"))
    found = BacktestReader().value(tmp_path, None).figures
    assert found is not None
    names = ("sharpe", "sharpe_low", "sharpe_high", "target", "sharpe_deflated", "turnover")
    assert [getattr(found, name) for name in names] == [saved[name] for name in names]
    assert found.verdict == saved["verdict"]
    for name, rival in found.rivals:
        values = saved["baselines"][name]
        assert (rival.sharpe, rival.sharpe_low) == (values["sharpe"], values["sharpe_low"])
    assert found.rivals[-1][0] == "random"
    parts = dict(found.waterfall.bars())
    assert parts["gross"] == saved["waterfall"]["gross_return"]
    assert sum(v for k, v in parts.items() if k != "net") == pytest.approx(parts["net"])
    assert not found.older


def test_curves_and_months_equal_the_engines(tmp_path: Path, run: Run) -> None:
    curves = BacktestReader().value(tmp_path, None).curves
    assert curves is not None
    net = pl.read_parquet(run.path("backtest.parquet"))["net_return"].to_numpy()
    assert curves.equity == pytest.approx(equity(net)[1:].tolist(), rel=1e-12)
    assert curves.drawdown == pytest.approx(drawdowns(net)[1:].tolist(), abs=1e-12)
    dates = pl.Series(curves.dates).to_numpy().astype("datetime64[D]")
    months = {f"{y}-{m:02d}": value for (y, m), value in curves.months.items()}
    assert months == pytest.approx(monthly_returns(dates, net), abs=1e-12)
    assert [name for name, _ in curves.sectors] == ["Energy", "Technology", "unknown"]
    assert {name for name, _ in curves.rivals} == {"lightgbm", "equal_weight", "reversal_5"}


def test_growth_and_falls_by_hand() -> None:
    assert growth([0.1, math.nan, -0.5]) == pytest.approx((1.1, 1.1, 0.55))
    assert falls((1.1, 0.55, 2.2, 1.1)) == pytest.approx((0.0, -0.5, 0.0, -0.5))
    assert falls((0.9,)) == pytest.approx((-0.1,)), "the start is a high"


def test_which_run_is_shown(tmp_path: Path, make_run: MakeRun) -> None:
    assert run_to_show(tmp_path, None) is None
    first = write_backtest(make_run(), count=5)
    other = make_run()
    assert run_to_show(tmp_path, None) == first
    assert run_to_show(tmp_path, other.id) == other
    assert run_to_show(tmp_path, "20200101-000000-train-dead") == first
    value = BacktestReader().value(tmp_path, other.id)
    assert (value.run_id, value.figures) == (other.id, None)


def test_the_same_value_until_a_file_changes(tmp_path: Path, run: Run) -> None:
    reader = BacktestReader()
    first = reader.value(tmp_path, None)
    assert reader.value(tmp_path, None) is first
    write_sweep(run)
    second = reader.value(tmp_path, None)
    assert second.sweep is not None
    assert second.earlier is None, "the backtest itself is the same"


def test_a_new_backtest_of_the_same_run_remembers_the_one_before(tmp_path: Path, run: Run) -> None:
    reader = BacktestReader()
    before = reader.value(tmp_path, None)
    saved = read_json(run.path("backtest.json"))
    costs = saved["costs"] | {"commission_bps": 2.0}
    write_json(run.path("backtest.json"), saved | {"sharpe": 0.8, "costs": costs, "trials": 4})
    after = reader.value(tmp_path, None)
    assert after.earlier is not None
    assert after.earlier.figures == before.figures
    assert after.figures is not None
    settings, shown = changes(after.earlier.figures, after.figures)
    assert settings == [f"commission_bps 5 {GLYPHS.running} 2"]
    assert shown == [f"net Sharpe +0.40 {GLYPHS.running} +0.80", f"trials 3 {GLYPHS.running} 4"]
    write_sweep(run)
    assert reader.value(tmp_path, None).earlier == after.earlier


def test_days_that_confirm_are_told_with_every_look_at_them(tmp_path: Path, run: Run) -> None:
    reader = BacktestReader()
    assert reader.value(tmp_path, None).days == ""
    span = {"name": "confirmation", "first": "2015-01-02", "last": "2015-12-31", "sessions": 252}
    saved = read_json(run.path("backtest.json"))
    write_json(
        run.path("backtest.json"), saved | {"judged_days": {"market": "us", "spans": [span]}}
    )
    look = CountedLook(run=run.id, market="us", first="2015-12-31", last="2015-12-31")
    add_looks(tmp_path / "runs", [look])
    first = reader.value(tmp_path, None)
    assert first.days == "confirmed once"
    assert reader.value(tmp_path, None) is first
    add_looks(tmp_path / "runs", [structs.replace(look, run="another")])
    assert "sessions, looked at 2 times)" in conditions(reader.value(tmp_path, None)).plain


def test_older_files_say_so_and_lack_only_what_they_lacked(tmp_path: Path, run: Run) -> None:
    without(run.path("backtest.json"), "factor.lags", "waterfall.spread", "waterfall.impact")
    for name in ("holdings.parquet", "holdings_names.parquet", "backtest_sectors.parquet"):
        run.path(name).unlink()
    value = BacktestReader().value(tmp_path, None)
    assert value.figures is not None
    assert value.figures.older
    assert not value.has_holdings
    assert [name for name, _ in value.figures.waterfall.bars()] == [
        "gross", "commission", "slippage", "borrow", "net",
    ]  # fmt: skip
    assert value.figures.factor is not None
    assert value.figures.factor.decay
    assert value.curves is not None
    assert value.curves.sectors == ()


def test_null_unknown_and_torn(tmp_path: Path, run: Run) -> None:
    saved = read_json(run.path("backtest.json"))
    write_json(
        run.path("backtest.json"),
        saved | {"sharpe": math.nan, "verdict": "undecided", "news": {"a": [1]}, "baselines": {}},
    )
    found = BacktestReader().value(tmp_path, None).figures
    assert found is not None
    assert math.isnan(found.sharpe)
    assert found.rivals == ()
    run.path("backtest.json").write_text('{"sharpe": 0.')
    with pytest.raises(RecordError, match=r"backtest\.json"):
        BacktestReader().value(tmp_path, None)
    write_json(run.path("backtest.json"), saved | {"sharpe": "0.4"})
    with pytest.raises(RecordError, match=r"backtest\.json: .*\$\.sharpe"):
        BacktestReader().value(tmp_path, None)


@pytest.mark.parametrize(
    "name", ["backtest.parquet", "backtest_baselines.parquet", "backtest_sectors.parquet"]
)
def test_a_damaged_or_foreign_table_is_told(tmp_path: Path, run: Run, name: str) -> None:
    path = run.path(name)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(IntegrityError, match=name):
        BacktestReader().value(tmp_path, None)
    pl.DataFrame({"other": [1]}).write_parquet(path)
    with pytest.raises(IntegrityError, match=name):
        BacktestReader().value(tmp_path, None)


def test_damaged_holdings_are_told(run: Run) -> None:
    run.path("holdings.parquet").write_bytes(b"PAR1 and nothing else")
    with pytest.raises(IntegrityError, match=r"holdings\.parquet: damaged"):
        read_day(run.directory, sessions(300)[0])
    run.path(LIST).unlink()  # as in a run of a version before
    run.path("holdings.parquet").write_bytes(b"PAR1 and nothing more")
    with pytest.raises(IntegrityError, match="cannot be read"):
        read_day(run.directory, sessions(300)[0])


@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.floats(), st.text(max_size=5)),
        lambda inside: st.one_of(
            st.lists(inside, max_size=3), st.dictionaries(st.sampled_from(KEYS), inside, max_size=4)
        ),
        max_leaves=12,
    )
)
@settings(max_examples=60)
def test_json_of_any_shape_is_read_or_refused(found: Any) -> None:
    """Anything else than the one error of a record would end the program."""
    for kind in (BacktestSummary, SweepSummary):
        with contextlib.suppress(RecordError):
            record.convert(found, kind, "file")


def test_holdings_of_a_day(run: Run) -> None:
    day = sessions(300)[41]
    book = read_day(run.directory, day)
    assert book.date == day
    assert [abs(row.weight) for row in book.rows] == sorted(
        (abs(row.weight) for row in book.rows), reverse=True
    )
    first = book.rows[0]
    assert (first.symbol, first.side, first.rank, first.scored) == ("1312", "long", 12, 12)
    table = pl.read_parquet(run.path("holdings.parquet")).filter(pl.col("date") == day)
    assert sum(row.contribution for row in book.rows) == pytest.approx(table["contribution"].sum())
    assert {row.name for row in book.rows} == {"日本製鉄", "Acme", ""}
    run.path("holdings_names.parquet").unlink()
    assert len(read_day(run.directory, day).rows) == len(book.rows)
    assert read_day(run.directory, day.replace(year=1999)).rows == ()


def test_the_ex_dates_of_a_day_are_read_and_an_older_file_has_none(run: Run) -> None:
    day, path = sessions(300)[41], run.path("holdings.parquet")
    assert {(row.dividend, row.received) for row in read_day(run.directory, day).rows} == {
        (0.0, 0.0)
    }
    short = (pl.col("date") == day) & (pl.col("symbol") == "1301")
    paid = read_parquet(path).with_columns(
        pl.when(short).then(0.5).otherwise(0.0).cast(pl.Float32).alias("dividend"),
        pl.when(short).then(-0.0002).otherwise(0.0).cast(pl.Float32).alias("received"),
    )
    write_parquet(path, paid)
    rows = {row.symbol: row for row in read_day(run.directory, day).rows}
    assert rows["1301"].dividend == 0.5
    column = next(column for column in HOLDINGS if column.name == "dividend")
    assert column.cell(rows["1301"]) == "0.5 -2.0 bp"
    assert column.cell(rows["1302"]) == ""


def test_overrides_name_what_differs_from_the_workspace(tmp_path: Path, run: Run) -> None:
    """The file's own settings, told against the defaults: 0.2 where the default has another value."""
    saved = read_json(run.path("backtest.json"))
    saved["portfolio"] = {"fraction": 0.25, "long_only": True, "strategy": "anything"}
    found = record.convert(saved, BacktestSummary, "backtest.json")
    assert sorted(overrides(found, tmp_path)) == [
        "portfolio.fraction=0.25", "portfolio.long_only=true",
    ]  # fmt: skip


def test_a_report_older_than_the_backtest_is_told(tmp_path: Path, run: Run) -> None:
    assert BacktestReader().value(tmp_path, None).report == ""
    run.path("report.html").write_text("<p>")
    fresh = BacktestReader().value(tmp_path, None)
    assert fresh.report == str(run.path("report.html"))
    assert not fresh.report_is_older
    os.utime(run.path("report.html"), (1, 1))
    assert BacktestReader().value(tmp_path, None).report_is_older
