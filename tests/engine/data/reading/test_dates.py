"""Dates as people write them, decided by the whole column and by the exchange calendar."""

import datetime as dt
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.data.reading.dates import read_dates
from engine.data.reading.numbers import BadValue
from engine.records.reading import Dates

NOW = dt.datetime(2025, 3, 14, 22, tzinfo=dt.UTC)
HOLIDAYS = (dt.date(2024, 1, 1), dt.date(2024, 1, 15), dt.date(2024, 2, 19))
JAN_2, JAN_3 = dt.date(2024, 1, 2), dt.date(2024, 1, 3)


def sessions(first: dt.date, last: dt.date) -> NDArray[np.datetime64]:
    """Weekdays but three holidays."""
    days = np.arange(np.datetime64(first, "D"), np.datetime64(last, "D") + 1)
    return days[np.is_busday(days, holidays=[np.datetime64(day) for day in HOLIDAYS])]


def read(column: Any, **options: Any) -> tuple[list[dt.date | None], Dates]:
    given_ = {
        "format": "",
        "zone": "",
        "exchange_zone": "America/New_York",
        "sessions": sessions,
        "after": None,
        "now": NOW,
    }
    series = column if isinstance(column, pl.Series) else pl.Series("date", column)
    days, how = read_dates(series, **{**given_, **options})
    return days.to_list(), how


@pytest.mark.parametrize(
    ("values", "name"),
    [
        (["2024-01-02", "2024-01-03"], "YYYY-MM-DD"),
        (["2024/1/2", "2024/1/3"], "YYYY/MM/DD"),
        (["2024.01.02", "2024.01.03"], "YYYY.MM.DD"),
        (["20240102", "20240103"], "YYYYMMDD"),
        (["20240102.0", "20240103.0"], "YYYYMMDD"),
        (["113/01/02", "113/01/03"], "year of the Republic/MM/DD"),
        (["1.7041716e+18", "1.704258e+18"], "epoch ns"),
        ([20240102, 20240103], "YYYYMMDD"),
        ([20240102.0, 20240103.0], "YYYYMMDD"),
        (["20240102000000", "20240103000000"], "YYYYMMDD HH:MM"),
        ([202401021530, 202401031530], "YYYYMMDD HH:MM"),
        (["2024\u201301\u201302", "2024-01-03"], "YYYY-MM-DD"),
        (["20240102 153000", "20240103 153000"], "YYYYMMDD HH:MM"),
        (["02-JAN-2024", "03-Jan-2024"], "DD-Mon-YYYY"),
        (["02-Jan-24", "03-Jan-24"], "DD-Mon-YY"),
        (["Jan 02, 2024", "January 3, 2024"], "Mon DD, YYYY"),
        (["Tue, Jan 2, 2024", "Wed, Jan 3, 2024"], "Mon DD, YYYY"),
        (["2024\u5e741\u67082\u65e5", "2024\u5e741\u67083\u65e5"], "YYYY\u5e74MM\u6708DD\u65e5"),
        (["2024/01/02(\u706b)", "2024/01/03(\u6c34)"], "YYYY/MM/DD"),
        (["01/02/2024 4:00:00 PM", "01/03/2024 4:00:00 PM"], "MM/DD/YYYY HH:MM"),
        (["01/02/24", "01/03/24"], "MM/DD/YY"),
        (["240102", "240103"], "YYMMDD"),
        ([45293, 45294], "Excel serial"),
        (["45293", "45294"], "Excel serial"),
        ([45293.5, 45294.5], "Excel serial"),
        ([1704153600, 1704240000], "epoch s"),
        ([1704153600_000, 1704240000_000], "epoch ms"),
        ([1704153600_000_000, 1704240000_000_000], "epoch us"),
        ([1704153600_000_000_000, 1704240000_000_000_000], "epoch ns"),
        (["1704153600000", "1704240000000"], "epoch ms"),
        ([JAN_2, JAN_3], "date"),
        ([dt.datetime(2024, 1, 2), dt.datetime(2024, 1, 3, 16)], "datetime"),
        (["2024-01-02T00:00:00Z", "2024-01-03T00:00:00Z"], "YYYY-MM-DD HH:MM UTC"),
        (["2024-01-02 00:00:00-05:00", "2024-01-03 00:00:00-05:00"], "YYYY-MM-DD HH:MM and offset"),
    ],
)
def test_the_second_and_third_of_january(values: list[Any], name: str) -> None:
    days, how = read(values)
    assert days == [JAN_2, JAN_3]
    assert how.format == name


def test_the_whole_column_decides_the_order() -> None:
    assert read(["02/01/2024", "13/02/2024"])[0] == [JAN_2, dt.date(2024, 2, 13)]
    assert read(["01/02/2024", "02/13/2024"])[0] == [JAN_2, dt.date(2024, 2, 13)]


def test_a_day_to_come_is_no_reading() -> None:
    """10 February 2025 has been, 2 October has not."""
    days, how = read(["10/02/2025"])
    assert days == [dt.date(2025, 2, 10)]
    assert how.decided_by == "values"


def test_two_digits_are_a_year_of_our_time() -> None:
    """31-12-24 is New Year's Eve 2024, not Christmas Eve 1931."""
    assert read(["31-12-24"])[0] == read(["24-12-31"])[0] == [dt.date(2024, 12, 31)]


def test_the_calendar_decides_between_two_orders() -> None:
    """Read the other way, five sessions in December are five months apart."""
    values = ["12/11/2024", "12/10/2024", "12/09/2024", "12/06/2024", "12/05/2024"]
    days, how = read(values)
    assert days == [dt.date(2024, 12, day) for day in (11, 10, 9, 6, 5)]
    assert (how.format, how.decided_by) == ("MM/DD/YYYY", "calendar")
    days, how = read(["05/12/2024", "06/12/2024", "09/12/2024"])
    assert days == [dt.date(2024, 12, day) for day in (5, 6, 9)]
    assert how.format == "DD/MM/YYYY"


def test_a_single_day_is_the_next_session() -> None:
    assert read(["01/02/2024"], after=dt.date(2023, 12, 29))[0] == [JAN_2]
    assert read(["01/03/2024"], after=JAN_2)[0] == [JAN_3]
    assert read(["02/01/2024"], after=dt.date(2024, 1, 31))[0] == [dt.date(2024, 2, 1)]
    assert read(["02/01/2024"], after=dt.date(2023, 12, 29))[0] == [JAN_2]


def test_where_the_calendar_cannot_tell_the_user_is_asked() -> None:
    with pytest.raises(BadValue, match=r"DD/MM/YYYY .* and MM/DD/YYYY") as caught:
        read(["01/02/2024"])
    assert "--date-format" in caught.value.hint
    assert read(["01/02/2024"], format="MM/DD/YYYY")[0] == [JAN_2]
    assert read(["01/02/2024"], format="DD/MM/YYYY")[0] == [dt.date(2024, 2, 1)]
    assert read(["01/02/2024"], format="%m/%d/%Y")[0] == [JAN_2]
    assert read(["02.01.24"], format="DD.MM.YY")[1].decided_by == "option"


def test_an_epoch_before_and_after_1970_has_one_unit() -> None:
    days, _ = read([-86_400_000, 0, 1704153600_000])
    assert days == [dt.date(1969, 12, 31), dt.date(1970, 1, 1), JAN_2]


def test_the_day_is_that_of_the_exchange() -> None:
    """15:00 UTC is midnight in Tokyo: the session of the 2nd, whatever way the moment is told."""
    tokyo = {"exchange_zone": "Asia/Tokyo"}
    moments = [dt.datetime(2024, 1, 1, 15), dt.datetime(2024, 1, 2, 15)]
    utc = pl.Series(moments).dt.replace_time_zone("UTC")
    for column in (
        utc,
        utc.dt.convert_time_zone("Asia/Tokyo"),
        utc.dt.epoch("ms"),
        pl.Series(["2024-01-01T15:00:00Z", "2024-01-02T15:00:00Z"]),
        pl.Series(["2024-01-02 00:00:00+09:00", "2024-01-03 00:00:00+09:00"]),
    ):
        assert read(column, **tokyo)[0] == [JAN_2, JAN_3]
    assert read(utc, **tokyo)[1].zone == "Asia/Tokyo"


def test_midnights_of_utc_are_plain_dates() -> None:
    midnights = pl.Series([dt.datetime(2024, 1, 2), dt.datetime(2024, 1, 3)])
    days, how = read(midnights.dt.replace_time_zone("UTC"))
    assert days == [JAN_2, JAN_3]
    assert (how.zone, how.decided_by) == ("", "values")


def test_the_calendar_may_object_to_midnights() -> None:
    """Midnights of UTC from Tuesday to Saturday are evenings in New York, Monday to Friday."""
    week = [dt.datetime(2024, 3, day) for day in (5, 6, 7, 8, 9, 12, 13, 14, 15, 16)]
    days, how = read(pl.Series(week).dt.replace_time_zone("UTC"))
    assert days == [day.date() - dt.timedelta(days=1) for day in week]
    assert (how.zone, how.decided_by) == ("America/New_York", "calendar")


def test_offsets_change_with_the_clock() -> None:
    days, _ = read(["2024-03-08 00:00:00-05:00", "2024-03-11 00:00:00-04:00"])
    assert days == [dt.date(2024, 3, 8), dt.date(2024, 3, 11)]


def test_the_users_zone_goes_first() -> None:
    midnights = pl.Series([dt.datetime(2024, 1, 3)]).dt.replace_time_zone("UTC")
    days, how = read(midnights, zone="America/New_York")
    assert (days, how.decided_by) == ([JAN_2], "option")
    with pytest.raises(BadValue, match="no time zone 'Mars'"):
        read(midnights, zone="Mars")


@pytest.mark.parametrize(
    ("values", "row", "why"),
    [
        (["2024-01-02", "abc"], 1, "not a date like YYYY-MM-DD"),
        (["2024-01-02", "2024-02-30"], 1, "not a date like YYYY-MM-DD"),
        (["2024-01-02", "0024-01-03"], 1, "the year 24, outside 1900 to 2026"),
        (["1850-01-02"], 0, "the year 1850"),
        (["2024-01-02", "2025-03-17"], 1, "after today, 2025-03-14"),
        ([187.15, 188.25], 0, "not a date"),
        ([57385], 0, "the year 2057"),
    ],
)
def test_what_cannot_be_a_session_is_named(values: list[Any], row: int, why: str) -> None:
    with pytest.raises(BadValue, match=why) as caught:
        read(values)
    assert (caught.value.row, caught.value.value) == (row, str(values[row]))


def test_a_format_that_does_not_fit_or_is_none() -> None:
    with pytest.raises(BadValue, match="not a date like DD/MM/YYYY"):
        read(["2024-01-02"], format="DD/MM/YYYY")
    with pytest.raises(BadValue, match="is no date format"):
        read(["2024-01-02"], format="soon")
    with pytest.raises(BadValue, match="not a date like epoch s"):
        read(["2024-01-02"], format="epoch s")
    with pytest.raises(BadValue, match="Boolean"):
        read([True])


def test_today_is_the_day_of_the_exchange() -> None:
    evening = dt.datetime(2024, 1, 2, 16, tzinfo=dt.UTC)
    assert read(["2024-01-03"], now=evening, exchange_zone="Asia/Tokyo")[0] == [JAN_3]
    with pytest.raises(BadValue, match="after today"):
        read(["2024-01-03"], now=evening)


def test_missing_values_stay_missing() -> None:
    assert read(["2024-01-02", None, "", "NaT"])[0] == [JAN_2, None, None, None]
    assert read(pl.Series([], dtype=pl.String))[0] == []
    assert read([None, None])[0] == [None, None]


STYLES = [
    "%Y-%m-%d",
    "%Y%m%d",
    "%d.%m.%Y",
    "%m/%d/%Y",
    "%d-%b-%Y",
    "%b %d, %Y",
    "%d/%m/%y",
    "%m/%d/%y",
]


@given(
    first=st.dates(dt.date(1990, 1, 1), dt.date(2024, 6, 1)),
    style=st.sampled_from(STYLES),
)
def test_a_quarter_of_sessions_written_in_any_format_comes_back(first: dt.date, style: str) -> None:
    """60 sessions hold a day after the 12th, so that the column itself tells day from month."""
    days = [day.item() for day in sessions(first, first + dt.timedelta(days=84))]
    assert read([day.strftime(style) for day in days])[0] == days
