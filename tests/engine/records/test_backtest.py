"""The records of a backtest and of a sweep: files of every age read, and two backtests side by side."""

import math
from pathlib import Path

import pytest

from engine.files import read_json
from engine.records import record
from engine.records.backtest import (
    BacktestSummary,
    GrossToNet,
    RivalFigures,
    compare_figures,
    compare_settings,
)
from engine.records.book import OrderShortfall
from engine.records.record import RecordError
from engine.records.sweep import SweepSummary
from tests.engine.report.samples import NASTY, backtest, swept, tested


def test_a_file_of_an_earlier_version_reads_and_says_what_it_lacks() -> None:
    found = tested()
    assert found.older
    assert found.factor is not None
    assert found.factor.lags == ()
    assert math.isnan(found.calmar), "null is a number that is not known"
    assert found.max_drawdown_recovery is None
    assert [name for name, _ in found.waterfall.bars()] == [
        "gross", "commission", "slippage", "borrow", "net",
    ]  # fmt: skip
    assert found.breaks.held == 0


def test_a_damaged_file_names_the_field() -> None:
    years = [{"year": 2015, "sessions": "three"}]
    with pytest.raises(RecordError, match=r"b\.json: .*\$\.years\[0\]\.sessions"):
        record.convert(backtest() | {"years": years}, BacktestSummary, "b.json")
    with pytest.raises(RecordError, match=r"verdict"):
        record.convert(backtest() | {"verdict": NASTY}, BacktestSummary, "b.json")


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "backtest.json"
    record.write(path, tested())
    first = path.read_bytes()
    found = record.read(path, BacktestSummary)
    assert [name for name, _ in found.rivals][-1] == "random"
    record.write(path, found)
    assert path.read_bytes() == first


def test_a_rival_leaves_out_what_it_cannot_have_and_writes_what_is_undefined(
    tmp_path: Path,
) -> None:
    """Random scores have no difference; a difference that is undefined is null in the file."""
    drawn = RivalFigures(sharpe=0.1, draws=20)
    undefined = RivalFigures(sharpe=0.1, sharpe_difference=float("nan"))
    record.write(tmp_path / "a.json", BacktestSummary(sharpe=1.0, baselines={"a": drawn}))
    record.write(tmp_path / "b.json", BacktestSummary(sharpe=1.0, baselines={"b": undefined}))
    assert read_json(tmp_path / "a.json")["baselines"]["a"] == {"sharpe": 0.1, "draws": 20}
    assert read_json(tmp_path / "b.json")["baselines"]["b"]["sharpe_difference"] is None


def test_dividends_stand_between_prices_and_gross() -> None:
    parts = GrossToNet(
        gross_return=0.15, dividend=0.02, commission=0.1, spread=0.0, impact=0.0, borrow=0.0,
        net_return=0.05,
    )  # fmt: skip
    found = dict(parts.bars())
    assert list(found)[:3] == ["prices", "dividends", "gross"]
    assert found["prices"] + found["dividends"] == pytest.approx(found["gross"])
    assert found["commission"] == -0.1


def test_shares_of_wanted_trading() -> None:
    lost = OrderShortfall(wanted=200.0, beyond_adv=50.0)
    assert lost.share("beyond_adv") == 0.25
    assert math.isnan(OrderShortfall(wanted=0.0, in_lots=0.0).share("in_lots"))


def test_two_backtests_side_by_side() -> None:
    before = tested()
    costs = before.costs | {"commission_bps": 2.0}
    after = tested(sharpe=0.8, trials=4, costs=costs, strategy="score_weighted")
    rows = compare_settings(before.settings, after.settings)
    assert [(row.name, row.before, row.after) for row in rows] == [
        ("strategy", "long_short_quantile", "score_weighted"),
        ("costs.commission_bps", "5", "2"),
    ]
    shown = {row.name: (row.before, row.after) for row in compare_figures(before, after)}
    assert shown["net Sharpe"] == ("+0.40", "+0.80")
    assert shown["trials"] == ("3", "4")
    assert shown["verdict"] == ("undecided", "undecided")
    assert shown["volatility"] == ("12.0%", "12.0%")


def test_a_sweep_is_ordered_and_an_unknown_cell_is_last() -> None:
    found = record.convert(swept(), SweepSummary, "sweep.json")
    assert [cell.sharpe for cell in found.ranked[:2]] == [5.1, 5.05]
    assert math.isnan(found.ranked[-1].sharpe)
    assert found.ranked[0].words == "fraction 0.1, slippage_bps 5.0"
    assert math.isnan(found.overfitting_probability)
    assert found.pivot is not None
    assert found.pivot.means[(0.05, 2.0)] == pytest.approx(2.05)
