"""The report on facts made by hand: hostile text, missing parts, and judgements that must not flatter."""

import datetime as dt
import re
from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from engine.report import charts, render
from engine.report.answers import answers, rank_ic
from engine.report.facts import Facts
from engine.runs.events import AssertionChecked, EpochEvaluated
from tests.engine.runs.samples import evaluated

CREATED = dt.datetime(2026, 1, 5, 12, 0, tzinfo=dt.UTC)
NASTY = "<script>alert('x')</script> & \"quotes\" | pipe"


def figures(value: float, se: float = 0.008, null: float = 0.01) -> dict[str, Any]:
    return {
        "rank_ic": value,
        "rank_ic_se": se,
        "null_band": null,
        "icir": 0.2,
        "ic": value,
        "hit_share": 0.6,
        "n_dates": 248,
    }


def backtest() -> dict[str, Any]:
    side = {
        "sharpe": 0.4, "sharpe_low": -0.9, "sharpe_high": 1.7, "annual_return": 0.05,
        "turnover": 0.4, "cost_drag": 0.1,
    }  # fmt: skip
    return side | {
        "target": 0.849,
        "verdict": "undecided",
        "max_drawdown": -0.12,
        "confidence": 0.9,
        "sessions": 252,
        "sessions_per_year": 252,
        "trials": 3,
        "sharpe_deflated": 0.4,
        "entry": "close of the next session",
        "costs": {"commission_bps": 5.0, "slippage_bps": 5.0, "borrow_bps_per_year": 50.0},
        "waterfall": {
            "gross_return": 0.15, "delisting": 0.0, "commission": -0.05, "slippage": -0.04,
            "borrow": -0.01, "net_return": 0.05,
        },
        "baselines": {NASTY: side, "random": side | {"draws": 20}},
        "strategy": "long_short_quantile",
        "annual_volatility": 0.12,
    }  # fmt: skip


def facts(**changes: Any) -> Facts:
    baseline = {
        "validation": figures(0.02),
        "test": figures(0.015),
        "test_difference": {"difference": 0.01, "se": 0.006, "n_dates": 248},
    }
    train = {
        "run_id": "20260105-090000-train-abcd",
        "status": "done",
        "score_horizon": 5,
        "n_features": 45,
        "best": figures(0.04),
        "test": figures(0.03),
        "horizons": {"test": {"1": figures(0.01), "5": figures(0.03), "20": figures(0.05)}},
        "baselines": {NASTY: baseline},
        "phases": [
            {"name": NASTY, "epochs": 2, "best_epoch": 1, "rank_ic": 0.04, "rank_ic_se": 0.01,
             "null_band": 0.01, "kept": True},
        ],
        "gradient": {"gat": 1e-3, "heads": 0.4},
        "alpha": {"bypass": 0.5},
        "score_std_ratio": 0.3,
        "data": {"source": NASTY, "market": "us", "fingerprint": "f", "quality": "ok",
                 "notes": [NASTY]},
        "splits": {
            name: {"first": first, "last": last, "sessions": 252}
            for name, first, last in (
                ("train", "2012-01-02", "2014-01-02"),
                ("validation", "2014-02-02", "2015-02-02"),
                ("test", "2015-03-02", "2016-03-02"),
            )
        } | {"embargo_sessions": 21},
    }  # fmt: skip
    daily = pl.DataFrame(
        {
            "date": [dt.date(2015, 3, 2), dt.date(2015, 3, 3), dt.date(2015, 4, 1)],
            "net_return": [0.01, -0.02, 0.005],
            "equity": [1.01, 0.99, 0.995],
            "drawdown": [0.0, -0.02, -0.015],
        }
    )
    values: dict[str, Any] = {
        "run_id": "20260105-090000-train-abcd",
        "manifest": {"packages": {"torch": "2"}, "git_commit": None, "created": "2026-01-05",
                     "config_digest": "d", "python": "3.11", "platform": "Linux"},
        "train": train,
        "backtest": backtest(),
        "quality": None,
        "epochs": (evaluated(0, 0), evaluated(1, 0)),
        "assertions": (AssertionChecked(name="output_varies", passed=True, detail=NASTY),),
        "daily": daily,
        "baseline_equity": {},
        "months": {"2015-03": -0.01, "2015-04": 0.005},
        "quantile_returns": {str(q): 0.001 * q for q in range(1, 11)},
        "quantile_errors": {str(q): 0.001 for q in range(1, 11)},
        "config": {"training": {"seed": 1}, "note": NASTY},
    }  # fmt: skip
    return Facts(**{**values, **changes})


def with_test(value: float, se: float, null: float) -> Facts:
    found = facts()
    return replace(found, train=found.train | {"test": figures(value, se, null)})


def test_text_from_data_never_becomes_markup() -> None:
    page = render.html(facts(), created=CREATED)
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    text = render.markdown(facts(), created=CREATED)
    assert "<script" not in text
    rows = [line for line in text.splitlines() if line.startswith("|") and "pipe" in line]
    assert rows
    assert all("\\| pipe" in row for row in rows)


@pytest.mark.parametrize(
    ("value", "se", "null", "word", "kind"),
    [
        (0.005, 0.002, 0.01, "noise", "bad"),
        (0.012, 0.009, 0.01, "not established", "plain"),
        (0.030, 0.008, 0.01, "outside it", "good"),
        (-0.030, 0.008, 0.01, "outside it", "bad"),
    ],
)
def test_a_value_is_called_real_only_beyond_band_and_error(
    value: float, se: float, null: float, word: str, kind: str
) -> None:
    answer = answers(with_test(value, se, null))[1]
    assert word in answer.detail
    assert answer.kind == kind


def test_without_a_backtest_the_report_says_what_to_run() -> None:
    found = facts(backtest=None, daily=None, months={})
    page = render.html(found, created=CREATED)
    assert "atft-tui backtest 20260105-090000-train-abcd" in page
    assert "None" not in re.sub(r"<td>.*?</td>", "", page)


def test_missing_figures_are_dashes() -> None:
    found = facts(
        quantile_returns={},
        quantile_errors={},
        epochs=(),
        assertions=(),
        train=facts().train | {"best": None, "phases": [], "gradient": {}},
    )
    page = render.html(found, created=CREATED)
    assert "nan" not in page.lower().replace("&#", "")
    assert rank_ic(None) == "—"
    assert rank_ic(figures(0.005)) == "~+0.0050 ± 0.0080"


def test_every_figure_is_in_the_json() -> None:
    value = render.as_json(facts(), created=CREATED)
    assert value["train"]["test"]["rank_ic"] == 0.03
    assert value["backtest"]["sharpe"] == 0.4
    assert [item["question"] for item in value["answers"]][1] == "Is it real?"


def test_charts_survive_strange_series() -> None:
    nan = float("nan")
    assert charts.lines({}, [], title="t") == ""
    assert charts.lines({"a": [nan, nan]}, ["x", "y"], title="t") == ""
    for values in ([1.0, nan, 2.0], [0.0, 0.0, 0.0], [1e12, -1e12, 0.0]):
        svg = charts.lines({"<b>": values}, ["x", "y", "z"], title="<t>")
        assert "nan" not in svg
        assert "<b>" not in svg
        assert "&lt;t&gt;" in svg


def test_epochs_with_unknown_errors_are_drawn() -> None:
    broken = replace(evaluated(0, 0), rank_ic_se=float("nan"), null_band=float("nan"))
    assert isinstance(broken, EpochEvaluated)
    assert "<svg" in render.html(facts(epochs=(broken, evaluated(1, 0))), created=CREATED)
