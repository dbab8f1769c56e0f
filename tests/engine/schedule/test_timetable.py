"""Run times by hand: holidays, half days, both changes of the clock, and a calendar's end."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from engine.config import Config, Market, ScheduleConfig
from engine.data.calendar import calendar_end, trading_days
from engine.data.store import PanelStore
from engine.data.tables import BAR_SCHEMA, SECURITY_SCHEMA, RawTables, complete
from engine.errors import ConfigError
from engine.runs.sink import NullSink
from engine.schedule.command import schedule
from engine.schedule.timetable import Timetable, timetable_of
from engine.stages.context import StageContext, StopFlag

NOON = dt.time(12)


def store(
    workspace: Path, make_bars: Callable[..., pl.DataFrame], market: Market, calendar: str
) -> None:
    bars = complete(make_bars({"A": [1.0, 2.0]}), BAR_SCHEMA)
    PanelStore(workspace / "data").save(
        RawTables(
            bars=bars,
            securities=complete(pl.DataFrame({"symbol": ["A"]}), SECURITY_SCHEMA),
            index=None,
            market=market,
            calendar=calendar,
            source="files(x)",
        )
    )


def due(exchange: str, first: str, last: str, **config: object) -> dict[str, str]:
    """Session -> run time in UTC, of the sessions due between two days."""
    table = Timetable(ScheduleConfig.model_validate({"calendar": exchange, **config}), "XNYS")
    now = dt.datetime.combine(dt.date.fromisoformat(last), dt.time(23, 59), dt.UTC)
    found = table.due(now, dt.date.fromisoformat(first))
    return {str(session.date): f"{session.due_at:%m-%d %H:%M}" for session in found}


def test_tokyo_is_due_when_its_data_are_complete() -> None:
    assert due("XTKS", "2024-12-26", "2025-01-07") == {
        "2024-12-26": "12-26 09:30",
        "2024-12-27": "12-27 09:30",
        "2024-12-30": "12-30 09:30",
        "2025-01-06": "01-06 09:30",
        "2025-01-07": "01-07 09:30",
    }


def test_new_york_follows_its_close_over_a_holiday_a_half_day_and_the_end_of_summer_time() -> None:
    assert due("XNYS", "2024-11-27", "2024-12-02") == {
        "2024-11-27": "11-27 23:00",
        "2024-11-29": "11-29 20:00",  # closes at 13:00 after Thanksgiving
        "2024-12-02": "12-02 23:00",
    }
    assert due("XNYS", "2024-11-01", "2024-11-04") == {
        "2024-11-01": "11-01 22:00",
        "2024-11-04": "11-04 23:00",
    }
    assert due("XNYS", "2025-03-07", "2025-03-10") == {
        "2025-03-07": "03-07 23:00",
        "2025-03-10": "03-10 22:00",
    }


def test_a_fixed_time_is_the_exchange_s_own_and_never_before_the_close() -> None:
    assert due("XNYS", "2024-11-01", "2024-11-04", run_at="17:15") == {
        "2024-11-01": "11-01 21:15",
        "2024-11-04": "11-04 22:15",
    }
    assert due("XNYS", "2024-11-29", "2024-12-02", run_at="14:00") == {
        "2024-11-29": "11-29 19:00",
        "2024-12-02": "12-02 21:00",  # the close: 14:00 is in the middle of the session
    }


def test_a_closure_that_the_calendar_does_not_know_is_taken_from_the_configuration() -> None:
    assert list(due("XTKS", "2024-12-26", "2024-12-30", closed=["2024-12-27"])) == [
        "2024-12-26",
        "2024-12-30",
    ]


def test_the_synthetic_market_trades_on_weekdays() -> None:
    table = Timetable(ScheduleConfig(), "WEEKDAYS")
    assert table.exchange == "WEEKDAYS"
    friday = dt.datetime(2026, 11, 27, 17, tzinfo=dt.UTC)
    latest = table.latest(friday)
    upcoming = table.upcoming(friday)
    assert latest is not None
    assert upcoming is not None
    assert (latest.date, upcoming.date) == (dt.date(2026, 11, 27), dt.date(2026, 11, 30))


@pytest.mark.parametrize(
    ("market", "calendar", "exchange"),
    [("us", "", "XNYS"), ("jp", "", "XTKS"), ("us", "XLON", "XLON"), ("synthetic", "", "WEEKDAYS")],
)
def test_before_any_data_the_configuration_names_the_exchange(
    tmp_path: Path, market: str, calendar: str, exchange: str
) -> None:
    config = Config.model_validate({"data": {"market": market, "calendar": calendar}})
    assert timetable_of(tmp_path, config).exchange == exchange


@pytest.mark.parametrize(
    ("market", "calendar", "exchange"), [("jp", "", "XTKS"), ("us", "XLON", "XLON")]
)
def test_stored_data_name_the_exchange_whatever_the_configuration_says(
    tmp_path: Path,
    make_bars: Callable[..., pl.DataFrame],
    market: Market,
    calendar: str,
    exchange: str,
) -> None:
    """A Tokyo store beside the default configuration was scheduled at New York's hours."""
    store(tmp_path, make_bars, market, calendar)
    assert timetable_of(tmp_path, Config()).exchange == exchange
    named = Config.model_validate({"schedule": {"calendar": "XETR"}})
    assert timetable_of(tmp_path, named).exchange == "XETR"


def test_status_tells_the_next_session_of_the_stored_market(
    tmp_path: Path, make_bars: Callable[..., pl.DataFrame]
) -> None:
    """2024-05-03 to 05-06: Constitution Day, a weekend, and Children's Day kept on Monday."""
    store(tmp_path, make_bars, "jp", "")
    context = StageContext(
        workspace=tmp_path, config=Config(), sink=NullSink(), stop=StopFlag(),
        now=lambda: dt.datetime(2024, 5, 2, 12, tzinfo=dt.UTC),
    )  # fmt: skip
    answer = schedule(context, action="status").json
    assert answer["exchange"] == "XTKS"
    assert answer["next"] == {"session": "2024-05-07", "due_at": "2024-05-07T09:30:00+00:00"}


def test_london_and_the_market_that_never_closes() -> None:
    """London keeps two bank holidays of May 2024 that New York does not (it has one of its own)."""
    assert list(due("XLON", "2024-05-03", "2024-05-08")) == [
        "2024-05-03", "2024-05-07", "2024-05-08",
    ]  # fmt: skip
    assert due("XLON", "2024-05-03", "2024-05-03") == {"2024-05-03": "05-03 17:30"}
    assert due("24/7", "2024-05-03", "2024-05-06") == {
        "2024-05-03": "05-04 02:00",
        "2024-05-04": "05-05 02:00",
        "2024-05-05": "05-06 02:00",
    }


def test_a_session_is_due_from_the_very_moment_on() -> None:
    table = Timetable(ScheduleConfig(calendar="XTKS"), "XTKS")
    moment = dt.datetime(2024, 12, 26, 9, 30, tzinfo=dt.UTC)
    before = moment - dt.timedelta(microseconds=1)
    day = dt.date(2024, 12, 26)
    assert [s.date for s in table.due(moment, day)] == [day]
    assert table.due(before, day) == []
    upcoming = table.upcoming(before)
    assert upcoming is not None
    assert upcoming.date == day
    after = table.upcoming(moment)
    assert after is not None
    assert after.date == dt.date(2024, 12, 27)


def test_an_exchange_that_does_not_exist_is_named() -> None:
    table = Timetable(ScheduleConfig(calendar="NOWHERE"), "XNYS")
    with pytest.raises(ConfigError, match=r"schedule\.calendar: there is no exchange 'NOWHERE'"):
        table.latest(dt.datetime(2024, 12, 26, tzinfo=dt.UTC))


def test_a_calendar_is_made_anew_and_reaches_a_year_on_from_each_day() -> None:
    """The library's own ends a year after it was imported: a process that lives on would reach that."""
    today = dt.date(2031, 3, 3)
    assert calendar_end("XTKS", today=today) > dt.date(2032, 2, 25)
    table = Timetable(ScheduleConfig(calendar="XTKS"), "XTKS")
    upcoming = table.upcoming(dt.datetime.combine(today, NOON, dt.UTC))
    assert upcoming is not None
    assert upcoming.date == dt.date(2031, 3, 4)


def test_holidays_that_are_published_for_some_years_only_run_out() -> None:
    """Shanghai's are: the last known session is told from the days left, then there is no next one."""
    import exchange_calendars

    end = type(exchange_calendars.get_calendar("XSHG")).bound_max().date()
    table = Timetable(ScheduleConfig(calendar="XSHG"), "XNYS")
    last = calendar_end("XSHG", today=end)
    almost = dt.datetime.combine(last - dt.timedelta(days=59), NOON, dt.UTC)
    assert table.days_left(almost) == 59
    over = dt.datetime.combine(end, dt.time(23), dt.UTC)
    assert table.upcoming(over) is None
    assert trading_days("XSHG", end, end + dt.timedelta(9), today=end)[1:] == []
    years_later = dt.datetime.combine(end + dt.timedelta(days=800), NOON, dt.UTC)
    with pytest.raises(ConfigError, match="its calendar ended on"):
        table.latest(years_later)
