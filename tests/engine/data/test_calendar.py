"""Calendars of any exchange: holidays by hand, sessions a year, and names that are refused."""

import datetime as dt
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.config import Market
from engine.data.calendar import (
    calendar_span,
    currency_of,
    exchange_named,
    exchange_of,
    sessions_between,
    sessions_per_year,
    trading_days,
)
from engine.errors import ConfigError

MAY = (dt.date(2024, 5, 3), dt.date(2024, 5, 8))
AUGUST = (dt.date(2024, 8, 23), dt.date(2024, 8, 27))


def days(exchange: str, span: tuple[dt.date, dt.date]) -> list[int]:
    return [day.day for day in sessions_between(exchange, *span).tolist()]


def test_holidays_by_hand() -> None:
    """London rests on the bank holidays of 2024-05-06 and 2024-08-26, Tokyo on 05-03 and 05-06."""
    assert days("XNYS", MAY) == [3, 6, 7, 8]
    assert days("XLON", MAY) == [3, 7, 8]
    assert days("XTKS", MAY) == [7, 8]
    assert days("24/7", MAY) == [3, 4, 5, 6, 7, 8]
    assert days("WEEKDAYS", MAY) == [3, 6, 7, 8]
    assert days("XNYS", AUGUST) == [23, 26, 27]
    assert days("XLON", AUGUST) == [23, 27]


@pytest.mark.parametrize(
    ("market", "calendar", "currency", "exchange", "label"),
    [
        ("us", "", "", "XNYS", "USD"),
        ("jp", "", "", "XTKS", "JPY"),
        ("synthetic", "", "", "WEEKDAYS", ""),
        ("us", "XLON", "GBP", "XLON", "GBP"),
        ("us", "24/7", "USDT", "24/7", "USDT"),
        ("us", "XSHG", "", "XSHG", ""),
        ("us", "XNYS", "", "XNYS", "USD"),
    ],
)
def test_what_is_named_goes_before_the_market_s_own(
    market: Market, calendar: str, currency: str, exchange: str, label: str
) -> None:
    assert exchange_of(market, calendar) == exchange
    assert currency_of(market, currency, calendar) == label


def test_sessions_a_year() -> None:
    """London 2015 to 2024: 253 253 252 253 253 254 253 250 251 254, whose median is 253."""
    counted = {
        code: sessions_per_year(code) for code in ("XNYS", "XTKS", "24/7", "WEEKDAYS", "XLON")
    }
    assert counted == {"XNYS": 252, "XTKS": 245, "24/7": 365, "WEEKDAYS": 252, "XLON": 253}
    years = [
        sessions_between("XLON", dt.date(year, 1, 1), dt.date(year, 12, 31)).size
        for year in range(2015, 2025)
    ]
    assert years == [253, 253, 252, 253, 253, 254, 253, 250, 251, 254]


def test_a_calendar_that_begins_late_counts_the_years_it_has() -> None:
    """Riyadh is known from 2021-01-01 on, a Friday there; its first session is the Sunday after."""
    begin, _ = calendar_span("XSAU")
    assert begin == dt.date(2021, 1, 1)
    assert days("XSAU", (begin, dt.date(2021, 1, 4))) == [3, 4]
    years = [
        sessions_between("XSAU", dt.date(year, 1, 1), dt.date(year, 12, 31)).size
        for year in range(2021, 2025)
    ]
    assert years[1:] == [247, 250, 246]
    assert sessions_per_year("XSAU") == round(sum(sorted(years)[1:3]) / 2)


@given(
    st.sampled_from(["XNYS", "XLON", "XTKS", "XSAU", "24/7", "WEEKDAYS"]),
    st.lists(st.dates(dt.date(2020, 6, 1), dt.date(2025, 6, 1)), min_size=3, max_size=3),
)
@settings(max_examples=40, deadline=None)
def test_two_spans_are_the_span_of_both_whatever_was_asked_before(
    exchange: str, dates: list[dt.date]
) -> None:
    first, middle, last = sorted(dates)
    parts = (
        sessions_between(exchange, first, middle),
        sessions_between(exchange, middle + dt.timedelta(days=1), last),
    )
    assert np.array_equal(np.concatenate(parts), sessions_between(exchange, first, last))
    found = trading_days(exchange, dt.date(2024, 1, 1), last, today=dt.date(2024, 12, 1))
    assert [day.date for day in found] == sessions_between(
        exchange, dt.date(2024, 1, 1), last
    ).tolist()


def test_every_day_is_a_session_from_midnight_to_midnight() -> None:
    saturday = dt.date(2024, 5, 4)
    [day] = trading_days("24/7", saturday, saturday, today=saturday)
    assert day.open == dt.datetime(2024, 5, 4, tzinfo=dt.UTC)
    assert day.close == dt.datetime(2024, 5, 5, tzinfo=dt.UTC)


def test_other_names_of_an_exchange_are_its_code() -> None:
    named = [exchange_named(code) for code in ("", "XLON", "LSE", "NYSE", "24/7", "WEEKDAYS")]
    assert named == ["", "XLON", "XLON", "XNYS", "24/7", "WEEKDAYS"]


@pytest.mark.parametrize(("code", "near"), [("XLOM", "XLON"), ("xetr", "XETR"), ("24/8", "24/7")])
def test_a_code_that_does_not_exist_is_refused_with_near_ones(code: str, near: str) -> None:
    with pytest.raises(
        ConfigError, match=rf"data\.calendar: there is no exchange '{code}'"
    ) as error:
        exchange_named(code)
    assert near in error.value.hint


def test_a_calendar_that_the_library_cannot_make_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """exchange_calendars 4.13 with pandas 3.1 fails on the Orthodox Easter of Athens."""
    import exchange_calendars

    def broken(code: str) -> None:
        raise NotImplementedError(code)

    monkeypatch.setattr(exchange_calendars, "get_calendar", broken)
    with pytest.raises(ConfigError, match="fails to make the calendar of XBUD"):
        exchange_named("XBUD")


def test_the_library_is_loaded_only_when_a_holiday_is_asked_for() -> None:
    """It takes a second to import; `--help` and what every day or weekday answers do without it."""
    code = (
        "import sys, datetime as dt; from engine.data import calendar as c;"
        "c.sessions_per_year('XNYS'); c.sessions_between('24/7', dt.date(2024,1,1), dt.date(2024,1,2));"
        "sys.exit('exchange_calendars' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
