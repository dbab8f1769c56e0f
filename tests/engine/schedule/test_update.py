"""Which data jobs a session has: one file per missing session in order, none before the hole is closed."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from engine.config import Config
from engine.config.file import resolve
from engine.data.store import PanelStore
from engine.data.synthetic import generate
from engine.data.tables import BAR_SCHEMA, SECURITY_SCHEMA, RawTables, complete
from engine.errors import DataError, UsageError
from engine.runs.sink import NullSink
from engine.schedule.plan import update_jobs
from engine.stages.context import StageContext, StopFlag
from engine.stages.ingest import ingest
from tests.engine.schedule.desk import OVERRIDES

NOW = dt.datetime(2024, 12, 2, 23, tzinfo=dt.UTC)
SESSION = dt.date(2024, 12, 2)


def config(source: str, *overrides: str) -> Config:
    chosen = (*OVERRIDES, f"schedule.update={source}", *overrides)
    return resolve([], preset="demo", overrides=chosen).config


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("jquants", ("ingest", "--source", "jquants")),
        ("yahoo", ("ingest", "--source", "yahoo")),
        ("synthetic", ("ingest", "--source", "synthetic", "--until", "2024-12-02")),
    ],
)
def test_sources_that_know_what_is_new(tmp_path: Path, source: str, words: tuple[str, ...]) -> None:
    jobs = update_jobs(tmp_path, config(source), SESSION, NOW)
    assert [job.words for job in jobs] == [words]
    assert update_jobs(tmp_path, config("none"), SESSION, NOW) == []


def test_files_are_appended_in_order_and_a_hole_is_waited_for(
    tmp_path: Path, make_bars: Callable[..., pl.DataFrame]
) -> None:
    """The store ends on Tuesday, November 26; Thursday is Thanksgiving, Friday a day of extra closure."""
    shift = pl.col("date") - dt.date(2020, 1, 1) + dt.date(2024, 11, 25)
    bars = make_bars({"A": [1.0, 2.0], "B": [3.0, 4.0]}).with_columns(shift.alias("date"))
    bars = complete(bars, BAR_SCHEMA)
    securities = complete(pl.DataFrame({"symbol": ["A", "B"]}), SECURITY_SCHEMA)
    raw = RawTables(bars=bars, securities=securities, index=None, market="us", source="files(x)")
    PanelStore(tmp_path / "data").save(raw)
    prices = f'schedule.update_prices="{tmp_path}/{{session}}.csv"'
    chosen = config("files", prices, 'schedule.closed=["2024-11-29"]')
    (tmp_path / "2024-12-02.csv").write_text("x")
    with pytest.raises(DataError, match=r"2024-11-27\.csv: the prices of 2024-11-27 are not there"):
        update_jobs(tmp_path, chosen, SESSION, NOW)
    (tmp_path / "2024-11-27.csv").write_text("x")
    jobs = update_jobs(tmp_path, chosen, SESSION, NOW)
    assert [Path(job.words[-1]).name for job in jobs] == ["2024-11-27.csv", "2024-12-02.csv"]
    assert all(
        job.words[:5] == ("ingest", "--source", "files", "--append", "--prices") for job in jobs
    )
    assert update_jobs(tmp_path, chosen, dt.date(2024, 11, 26), NOW) == []


def test_an_empty_store_has_nothing_to_append_to(tmp_path: Path) -> None:
    chosen = config("files", 'schedule.update_prices="{session}.csv"')
    with pytest.raises(DataError, match="no market data yet"):
        update_jobs(tmp_path, chosen, SESSION, NOW)


def test_the_synthetic_market_is_revealed_up_to_a_day(tmp_path: Path) -> None:
    """A later day changes nothing of what was revealed before it."""
    chosen = config("synthetic", "data.synthetic.n_symbols=20", "data.synthetic.n_sessions=400")
    context = StageContext(workspace=tmp_path, config=chosen, sink=NullSink(), stop=StopFlag())
    days = generate(chosen.data.synthetic).raw.bars["date"].unique().sort().to_list()
    store = PanelStore(tmp_path / "data")

    def reveal(until: str, source: str = "synthetic") -> pl.DataFrame:
        ingest(
            context, source=source, prices=None, securities=None, index=None, columns=None,
            until=until,
        )  # fmt: skip
        return store.snapshot().raw().bars

    first, second = reveal(str(days[-3])), reveal(str(days[-2]))
    assert (first["date"].max(), second["date"].max()) == (days[-3], days[-2])
    assert second.filter(pl.col("date") <= days[-3]).equals(first)
    with pytest.raises(DataError, match="the synthetic market goes from"):
        reveal(str(days[-1] + dt.timedelta(days=1)))
    with pytest.raises(UsageError, match="is not a date"):
        reveal("tomorrow")
    with pytest.raises(UsageError, match="has no future to hide"):
        reveal(str(days[-1]), source="files")


@pytest.mark.parametrize(
    "override",
    [
        "schedule.run_at=25:00",
        "schedule.run_at=noon",
        "schedule.update=files",
        "schedule.update_prices=inbox.csv",
        "schedule.update_prices=inbox/{day}.csv",
        "schedule.update_prices=inbox/{session",
        "schedule.calendar=../x",
        'schedule.closed=["someday"]',
        "schedule.report_formats=html;rm",
        "schedule.cutoff_hours=30",
    ],
)
def test_a_schedule_that_makes_no_sense_is_refused(override: str) -> None:
    from engine.errors import ConfigError

    with pytest.raises(ConfigError, match=r"schedule"):
        resolve([], overrides=[override])
