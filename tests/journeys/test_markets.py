"""Markets of other calendars over the real command line: London, one that never closes, and Tokyo.

Only `ingest` is told of the calendar; every command after it runs with the default configuration and
must take the store's.
"""

import datetime as dt
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from engine.runs.store import RunStore
from tests.conftest import SMALL
from tests.journeys.command import Done, atft_here

SETTINGS = [
    word
    for setting in (*SMALL, "universe.min_price=0", "universe.min_turnover=0")
    for word in ("--set", setting)
]
pytestmark = pytest.mark.usefixtures("few_trees")
QUICK = ("--set", "backtest.random_draws=2", "--set", "backtest.bootstrap_draws=200")
STOCKS = 30
LONDON_RESTS = """2023-01-02 2023-04-07 2023-04-10 2023-05-01 2023-05-08 2023-05-29 2023-08-28
2023-12-25 2023-12-26 2024-01-01 2024-03-29 2024-04-01 2024-05-06 2024-05-27 2024-08-26 2024-12-25
2024-12-26"""


TOKYO_RESTS = """2023-01-02 2023-01-03 2023-01-09 2023-02-23 2023-03-21 2023-05-03 2023-05-04 2023-05-05
2023-07-17 2023-08-11 2023-09-18 2023-10-09 2023-11-03 2023-11-23 2024-01-01 2024-01-02 2024-01-03
2024-01-08 2024-02-12 2024-02-23 2024-03-20 2024-04-29 2024-05-03 2024-05-06 2024-07-15 2024-08-12
2024-09-16 2024-09-23 2024-10-14 2024-11-04 2024-12-31"""
RESTS = {"XLON": LONDON_RESTS, "XTKS": TOKYO_RESTS}


def days_of(exchange: str) -> list[dt.date]:
    """Sessions of 2023 and 2024, by hand."""
    every = [dt.date(2023, 1, 1) + dt.timedelta(days=n) for n in range(731)]
    if exchange == "24/7":
        return every[:500]
    rests = RESTS[exchange].split()
    return [day for day in every if day.weekday() < 5 and str(day) not in rests]


def ingested(folder: Path, workspace: Path, days: list[dt.date], *settings: str) -> Done:
    rng = np.random.default_rng(3)
    close = 30 * np.exp(rng.normal(0, 0.015, (len(days), STOCKS)).cumsum(axis=0)).ravel()
    symbols = [f"S{n:02d}" for n in range(STOCKS)]
    pl.DataFrame(
        {
            "date": np.repeat(np.array(days, dtype="datetime64[D]"), STOCKS),
            "symbol": symbols * len(days),
            "open": close, "high": close * 1.01, "low": close * 0.99, "close": close,
            "volume": rng.integers(500_000, 900_000, close.size).astype(float),
        }
    ).write_csv(folder / "prices.csv")  # fmt: skip
    told = [word for setting in settings for word in ("--set", setting)]
    path = str(folder / "prices.csv")
    return atft_here(workspace, "ingest", "--source", "files", "--prices", path, "--json", *told)


@pytest.mark.parametrize(
    ("settings", "exchange", "currency", "sessions"),
    [
        (("data.calendar=LSE", "data.currency=GBP"), "XLON", "GBP", 253),
        pytest.param(
            ("data.calendar=24/7", "data.currency=USDT"),
            "24/7",
            "USDT",
            365,
            marks=pytest.mark.slow,
        ),
        pytest.param(("data.market=jp",), "XTKS", "JPY", 245, marks=pytest.mark.slow),
    ],
)
def test_from_a_file_to_a_backtest_and_the_schedule(
    tmp_path: Path, settings: tuple[str, ...], exchange: str, currency: str, sessions: int
) -> None:
    workspace = tmp_path / "ws"
    workspace.mkdir()
    stored = ingested(tmp_path, workspace, days_of(exchange), *settings)
    assert stored.code == 0, stored.err
    assert (stored.json["exchange"], stored.json["currency"]) == (exchange, currency)
    assert any("no stock has a sector" in note for note in stored.json["notes"])

    checked = atft_here(workspace, "check", "--json").json
    assert (checked["exchange"], checked["sessions_per_year"]) == (exchange, sessions)
    assert any("no stock has a sector" in note for note in checked["notes"])
    assert checked["coverage"]["missing_sessions"] == []
    assert checked["coverage"]["unknown_sessions"] == []

    status = atft_here(workspace, "schedule", "status", "--json").json
    assert status["exchange"] == exchange

    walked = atft_here(workspace, "walkforward", "--step", "60", "--model", "ridge", "--json",
                       "--quiet", *SETTINGS)  # fmt: skip
    assert walked.code == 0, walked.err
    run = RunStore(workspace / "runs").open(walked.json["run_id"])
    tested = atft_here(workspace, "backtest", run.id, "--json", "--quiet", *QUICK)
    assert tested.code == 0, tested.err
    assert (tested.json["sessions_per_year"], tested.json["currency"]) == (sessions, currency)
    net_D = pl.read_parquet(run.path("backtest.parquet"))["net_return"].to_numpy()
    by_hand = net_D.mean() / net_D.std(ddof=1) * np.sqrt(sessions)
    assert tested.json["sharpe"] == pytest.approx(by_hand, abs=1e-9)

    if exchange != "XLON":
        return
    for words in (("--set", "constraints.max_sector=0.3"), ("--strategy", "sector_neutral")):
        refused = atft_here(workspace, "backtest", run.id, "--quiet", *QUICK, *words)
        assert refused.code == 2
        assert "needs the stocks' sectors" in refused.err
    edges = atft_here(workspace, "train", "--quiet", *SETTINGS, "--set", "graph.kind=sector")
    assert edges.code == 2
    assert "graph.kind = sector, but no stock has a sector" in edges.err


def test_a_london_file_read_as_new_york_is_refused_with_the_option_that_reads_it(
    tmp_path: Path,
) -> None:
    """New York rested on 2023-01-16, when London traded: no day of the file is a holiday of London."""
    refused = ingested(tmp_path, tmp_path, days_of("XLON"))
    assert refused.code == 3
    assert "2023-01-16" in refused.json["error"]
    assert "XLON" in refused.json["error"]
    assert not (tmp_path / "data" / "CURRENT").exists()
    option = refused.json["hint"].removeprefix("--set ")
    assert ingested(tmp_path, tmp_path, days_of("XLON"), option).json["exchange"] == "XLON"


def test_a_calendar_that_does_not_exist_is_refused_before_anything_is_stored(
    tmp_path: Path,
) -> None:
    done = ingested(tmp_path, tmp_path, days_of("XLON")[:5], "data.calendar=XLOM")
    assert done.code == 2
    assert "no exchange 'XLOM'" in done.json["error"]
    assert "XLON" in done.json["hint"]
    assert not (tmp_path / "data" / "CURRENT").exists()
