"""A backtest's files, written by the engine's own writers from numbers made by hand."""

import datetime as dt
import math
from pathlib import Path
from typing import Any

import polars as pl

from engine.backtest.result import BacktestResult
from engine.config import CostConfig
from engine.files import write_json, write_parquet
from engine.runs.store import Run
from tests.engine.report.samples import backtest, swept

FIRST = dt.date(2015, 1, 5)
SECTORS = ("Energy", "Technology", "unknown")


def sessions(count: int, first: dt.date = FIRST) -> list[dt.date]:
    days: list[dt.date] = []
    day = first
    while len(days) < count:
        if day.weekday() < 5:
            days.append(day)
        day += dt.timedelta(days=1)
    return days


def daily(count: int) -> pl.DataFrame:
    """Two waves of returns and costs that add up."""
    gross = [0.0012 + 0.006 * math.sin(i * 1.7) + 0.002 * math.sin(i / 40) for i in range(count)]
    paid = {"commission": 2e-4, "slippage": 1.5e-4, "borrow": 0.5e-4}
    cost = [sum(paid.values())] * count
    return pl.DataFrame(
        {
            "date": sessions(count),
            "gross_return": gross,
            "cost": cost,
            "net_return": [g - c for g, c in zip(gross, cost, strict=True)],
            **{name: [value] * count for name, value in paid.items()},
            "dividend": [0.0] * count,
            "delisting": [0.0] * count,
            "turnover": [0.3 + 0.05 * math.sin(i / 9) for i in range(count)],
            "long_exposure": [0.9 + 0.05 * math.sin(i / 30) for i in range(count)],
            "short_exposure": [0.9 - 0.05 * math.sin(i / 20) for i in range(count)],
            "n_names": [40 + i % 5 for i in range(count)],
        }
    )


def figures(count: int) -> dict[str, Any]:
    """``backtest.json`` of a present version."""
    found = backtest()
    found["waterfall"] = {
        "gross_return": 0.15, "delisting": 0.0, "commission": 0.05, "slippage": 0.04,
        "spread": 0.03, "impact": 0.01, "borrow": 0.01, "net_return": 0.05,
    }  # fmt: skip
    side = found["baselines"]["lightgbm"]
    found["baselines"] |= {"equal_weight": side | {"sharpe": 1.02}, "index": side | {"sharpe": 3.4}}
    found["notes"] = ["made by hand"]
    found["alpha_to_orders"]["steps"] = [
        {"name": "long_short_quantile, tranches: 5", "gross": 1.9, "names": 40.0, "transfer": 0.7,
         "expected_ic": 0.021},
        {"name": "sector cap 0.2", "gross": 1.7, "names": 38.0, "transfer": 0.66,
         "expected_ic": 0.0198},
    ]  # fmt: skip
    found["factor"]["decay"] = [
        {"horizon": h, "rank_ic": 0.01 + 0.002 * h, "rank_ic_se": 0.004, "null_band": 0.012,
         "ic": 0.01, "ic_se": 0.01, "n_dates": 200} for h in (1, 2, 3, 5, 10, 20)
    ]  # fmt: skip
    found["factor"]["lags"] = [
        {"lag": k, "rank_ic": 0.02 / k, "rank_ic_se": 0.004, "null_band": 0.009, "n_dates": 200}
        for k in (1, 2, 3, 5, 10, 20)
    ]
    found["factor"]["quantile_returns"] = {str(q): 0.0008 * (q - 5.5) for q in range(1, 11)}
    found["baselines"] = {k: v for k, v in found["baselines"].items() if "<" not in k}
    days = sessions(count)
    found |= {"sessions": count, "first_session": str(days[0]), "last_session": str(days[-1])}
    found["portfolio"] = {"fraction": 0.1, "strategy": "long_short_quantile"}
    found["exposures"] = {"beta": 0.1, "sector_largest": 0.2, "sectors": {}}
    found["extremes"] = []
    return found


def write_backtest(
    run: Run, count: int = 500, names: int = 12, changes: dict[str, Any] | None = None
) -> Run:
    """Everything that `backtest` leaves in a run's directory."""
    days = sessions(count)
    BacktestResult(
        daily=daily(count), sessions_per_year=252, entry="close", costs=CostConfig(),
        strategy="long_short_quantile", run_id=run.id,
    ).write(run.path("backtest.parquet"))  # fmt: skip
    rivals = [
        pl.DataFrame(
            {"name": name, "date": days,
             "net_return": [slope + 0.004 * math.sin(i * 1.3 + slope * 1e5) for i in range(count)]}
        )
        for name, slope in (("lightgbm", 6e-4), ("equal_weight", 4e-4), ("reversal_5", -2e-4))
    ]  # fmt: skip
    write_parquet(run.path("backtest_baselines.parquet"), pl.concat(rivals))
    write_parquet(run.path("backtest_sectors.parquet"), _sectors(days))
    write_holdings(run, days, names)
    write_json(run.path("backtest.json"), figures(count) | (changes or {}))
    return run


def write_holdings(run: Run, days: list[dt.date], names: int) -> None:
    held = pl.DataFrame(
        {
            "date": [day for day in days for _ in range(names)],
            "symbol": [f"{1301 + n}" for _ in days for n in range(names)],
            "weight": [(1 if n % 2 else -1) * (n + 1) / 100 for _ in days for n in range(names)],
            "contribution": [0.0001 * (n - d % 7) for d in range(len(days)) for n in range(names)],
            "rank": [n + 1 for _ in days for n in range(names)],
            "scored": [names] * (len(days) * names),
        },
        schema_overrides={"weight": pl.Float32, "contribution": pl.Float32,
                          "rank": pl.UInt32, "scored": pl.UInt32},
    )  # fmt: skip
    write_parquet(run.path("holdings.parquet"), held.sort("date", "symbol"), row_group_size=4096)
    write_parquet(
        run.path("holdings_names.parquet"),
        pl.DataFrame(
            {
                "symbol": [f"{1301 + n}" for n in range(names)],
                "name": [("日本製鉄", "Acme", None)[n % 3] for n in range(names)],
                "sector": [SECTORS[n % 3] for n in range(names)],
            }
        ),
    )


def write_sweep(run: Run) -> None:
    write_json(run.path("sweep.json"), swept())


def without(path: Path, *keys: str) -> dict[str, Any]:
    """Drop (dotted) keys of a JSON file, as an older version would have left it."""
    from engine.files import read_json

    found = read_json(path)
    for key in keys:
        table, _, last = key.rpartition(".")
        inside = found
        for part in table.split(".") if table else ():
            inside = inside[part]
        del inside[last]
    write_json(path, found)
    return found


def _sectors(days: list[dt.date]) -> pl.DataFrame:
    rows = [
        (day, sector, (-1) ** s * 0.05 * (s + 1) * math.sin(d / 50 + s), 0.2 * (3 - s))
        for d, day in enumerate(days)
        for s, sector in enumerate(SECTORS)
    ]
    return pl.DataFrame(rows, schema=["date", "sector", "net", "gross"], orient="row")
