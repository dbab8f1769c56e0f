"""Facts made by hand, with hostile text wherever text may come from outside."""

import datetime as dt
import math
from typing import Any

import polars as pl

from engine.records import record
from engine.records.backtest import BacktestSummary
from engine.records.rank_ic import RankICSummary
from engine.records.run import TriedVariant
from engine.records.train import TrainResult
from engine.report.facts import AblationRun, Facts
from engine.runs.events import AssertionChecked
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


def summary(value: float, se: float = 0.008, null: float = 0.01) -> RankICSummary:
    """The record of them."""
    return record.convert(figures(value, se, null), RankICSummary, "figures")


def backtest() -> dict[str, Any]:
    side = {
        "sharpe": 0.4, "sharpe_low": -0.9, "sharpe_high": 1.7, "annual_return": 0.05,
        "turnover": 0.4, "cost_drag": 0.1,
    }  # fmt: skip
    gap = {"sharpe_difference": 0.2, "sharpe_difference_se": 0.3, "sharpe_difference_p": 0.5}
    added = {"added": 0.021, "added_se": 0.006, "likeness": 0.35}
    mean = {"value": 0.02, "se": 0.004, "n_dates": 250}
    step = {"name": NASTY, "gross": 1.9, "names": 40.0, "transfer": 0.7, "expected_ic": 0.02}
    return side | {
        "target": 0.849, "verdict": "undecided", "max_drawdown": -0.12, "confidence": 0.9,
        "sessions": 252, "sessions_per_year": 252, "trials": 3, "sharpe_deflated": 0.4,
        "sharpe_expected_best": 0.7, "sharpe_se": 0.5, "sortino": 0.5, "calmar": None, "hit_rate": 0.52,
        "value_at_risk": -0.01, "expected_shortfall": -0.02, "worst": -0.05, "best": 0.04,
        "skewness": -0.1, "excess_kurtosis": 3.0, "tail_ratio": 1.0,
        "mean_long_exposure": 1.0, "mean_short_exposure": 1.0, "mean_names": 40.0,
        "capacity": 4.56e7, "currency": "USD", "initial_cash": 1e7, "horizon": 5,
        "first_session": "2015-03-02", "last_session": "2015-04-01",
        "entry": "close of the next session", "annual_volatility": 0.12,
        "costs": {"commission_bps": 5.0, "slippage_bps": 5.0, "borrow_bps_per_year": 50.0},
        "portfolio": {"strategy": NASTY, "fraction": 0.1},
        "waterfall": {
            "gross_return": 0.15, "delisting": 0.0, "commission": -0.05, "slippage": -0.04,
            "borrow": -0.01, "net_return": 0.05,
        },
        "baselines": {NASTY: side | gap | added, "lightgbm": side | gap, "random": side | {"draws": 20}},
        "strategy": "long_short_quantile",
        "notes": [NASTY],
        "extremes": [
            {"date": "2015-03-03", "net_return": -0.02, "symbol": NASTY, "price_ratio": 10.4,
             "contribution": -0.1, "sharpe_without": None},
        ],
        "drawdowns": [
            {"depth": -0.12, "peak": "2015-03-02", "trough": "2015-03-03", "recovery": None,
             "sessions_down": 1, "sessions_up": None},
        ],
        "years": [
            {"year": 2015, "sessions": 3, "net_return": -0.005, "sharpe": None,
             "max_drawdown": -0.02, "turnover": 0.4, "cost": 0.01},
        ],
        "exposures": {"beta": 0.1, "sector_largest": 0.2, "sectors": {NASTY: 0.05}},
        "alpha_to_orders": {
            "rank_ic": 0.03,
            "steps": [step],
            "orders": {"wanted": 0.0, "at_limit": 0.0, "beyond_adv": 0.0, "in_lots": 0.0, "without_cash": 0.0,
                       "stopped_sessions": 0},
        },
        "factor": {
            "horizon": 5,
            "decay": [
                {"horizon": h, "rank_ic": 0.02, "rank_ic_se": None, "ic": 0.01, "ic_se": 0.01,
                 "n_dates": 200} for h in (1, 5)
            ],
            "entry": {"same_close": mean, "traded": mean, "skipped": mean,
                      "microstructure_share": 0.4, "skip_ratio": None},
            "quantile_returns": {str(q): 0.001 * q for q in range(1, 11)},
            "quantile_errors": {str(q): 0.001 for q in range(1, 11)},
            "quantile_turnover": {str(q): 0.3 for q in range(1, 11)},
            "rank_autocorrelation": {"value": 0.9, "se": 0.01, "n_dates": 250},
            "years": [{"year": 2015, "rank_ic": 0.03, "rank_ic_se": 0.01, "n_dates": 3}],
        },
    }  # fmt: skip


def tested(**changes: Any) -> BacktestSummary:
    """The record of it."""
    return record.convert(backtest() | changes, BacktestSummary, "backtest.json")


def trained(**changes: Any) -> TrainResult:
    """``train.json`` as a record, with other values in place of some of its own."""
    difference = {
        "difference": 0.01, "se": 0.006, "low": 0.001, "high": 0.019, "confidence": 0.9,
        "n_dates": 248,
    }  # fmt: skip
    baseline = {
        "validation": figures(0.02),
        "test": figures(0.015),
        "test_difference": difference,
        "horizons": {
            "5": {"test": figures(0.015), "test_difference": difference},
            "20": {"test": figures(0.015), "test_difference": difference | {"low": None}},
        },
    }
    spread = {"first": 0.1, "last": 0.4, "min": 0.01, "median": 0.2, "max": 0.5, "steps": 9}
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
        "graph_worth": {
            "without_edges": {"share": 0.31, "rank_ic": 0.04, "rank_ic_se": 0.005, "n_dates": 252},
            "random_neighbours": {"share": None, "rank_ic": None, "rank_ic_se": None, "n_dates": 0},
            "neighbours": 9.5,
        },
        "blocks_worth": {
            NASTY: {"share": 0.125, "rank_ic": -0.02, "rank_ic_se": 0.01, "n_dates": 252},
        },
        "scoreboard": [
            {"name": "rank_ic", "goal": "validation RankIC > 0.020", "value": 0.04, "se": 0.008,
             "null_band": 0.01, "threshold": 0.02, "verdict": "met", "evidence": NASTY},
            {"name": "gat_gradient", "goal": "gradient", "value": 1e-3, "se": None,
             "null_band": None, "threshold": 1e-6, "verdict": "not shown", "evidence": NASTY},
        ],
        "monitors": {
            "gradient": {"gat": spread}, "alpha": {"bypass": spread}, "score_std_ratio": {"steps": 0},
            "diagnoses": [{"code": "overfitting", "step": 9, "action": "warned", "message": NASTY,
                           "remedy": NASTY}],
        },
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
    return record.convert(train | changes, TrainResult, "train.json")


def facts(**changes: Any) -> Facts:
    """Everything that a report can say; ``changes`` are fields of `Facts`."""
    daily = pl.DataFrame(
        {
            "date": [dt.date(2015, 3, 2), dt.date(2015, 3, 3), dt.date(2015, 4, 1)],
            "gross_return": [0.012, -0.018, 0.007],
            "cost": [0.002, 0.002, 0.002],
            "net_return": [0.01, -0.02, 0.005],
            "equity": [1.01, 0.99, 0.995],
            "drawdown": [0.0, -0.02, -0.015],
        }
    )
    by_day = pl.DataFrame({"date": daily["date"].to_list() * 2})
    values: dict[str, Any] = {
        "run_id": "20260105-090000-train-abcd",
        "styles": by_day.with_columns(
            style=pl.Series(["beta"] * 3 + ["size"] * 3), lean=pl.Series([0.1, 0.3, 0.2, 0.0, 1.0, -0.4])
        ),
        "sectors": by_day.with_columns(
            sector=pl.Series([NASTY] * 3 + ["Oil"] * 3), net=pl.Series([0.05] * 3 + [-0.1, 0.0, 0.1]),
            gross=pl.Series([0.3] * 3 + [0.5] * 3),
        ),
        "manifest": {"packages": {"torch": "2"}, "git_commit": None, "created": "2026-01-05",
                     "config_digest": "d", "python": "3.11", "platform": "Linux"},
        "train": trained(),
        "backtest": tested(),
        "quality": None,
        "epochs": (evaluated(0, 0), evaluated(1, 0)),
        "assertions": (AssertionChecked(name="output_varies", passed=True, detail=NASTY),),
        "daily": daily,
        "audit": None,
        "sweep": None,
        "baseline_returns": pl.DataFrame(
            {
                "name": [NASTY] * 3,
                "date": [dt.date(2015, 3, 2), dt.date(2015, 3, 3), dt.date(2015, 4, 1)],
                "net_return": [0.01, 0.0, 0.0],
            }
        ),
        "months": {"2015-03": -0.01, "2015-04": 0.005},
        "holdings": pl.DataFrame(
            {
                "date": [dt.date(2015, 3, 31)] * 3,
                "symbol": ["=A1", "B", "C"],
                "name": [NASTY, "=HYPERLINK(1)", "-2+3"],
                "sector": ["@x", None, "-0.5"],
                "weight": [0.5, -0.25, -0.25],
            }
        ),
        "trials": {"d": TriedVariant(what=NASTY, sharpe=math.nan)},
        "ablations": (AblationRun(run_id="r", change=NASTY, test=summary(0.01), sharpe=math.nan),),
        "config": {"training": {"seed": 1}, "note": NASTY},
    }  # fmt: skip
    return Facts(**{**values, **changes})


def swept() -> dict[str, Any]:
    settings = [(f, s) for f in (0.05, 0.1) for s in (2.0, 5.0)]
    cells = [
        {"settings": {"portfolio.fraction": f, "costs.slippage_bps": s}, "sharpe": f + s}
        for f, s in settings
    ]
    best = {"settings": cells[0]["settings"], "sharpe": 1.0, "sharpe_deflated": 0.2}
    return {
        "grid": {"portfolio.fraction": [0.05, 0.1], "costs.slippage_bps": [2.0, 5.0]},
        "cells": [*cells, {"settings": cells[0]["settings"], "sharpe": None}],
        "best": best,
        "trials": 5,
        "overfitting_probability": None,
    }
