"""Point-in-time alignment against a naive polars twin."""

import datetime as dt

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.data.publication import _align, ordinals

FIRST = dt.date(2024, 1, 1)  # a Monday
SYMBOLS = ("A", "B", "C")

rows_of = st.lists(
    st.tuples(
        st.integers(-20, 60),  # available, days from FIRST
        st.integers(-40, 40),  # date
        st.sampled_from(["A", "B", "other", None]),
        st.one_of(st.none(), st.floats(-10, 10)),
    ),
    max_size=40,
)


def table_of(rows: list[tuple[int, int, str | None, float | None]]) -> pl.DataFrame:
    day = [FIRST + dt.timedelta(days=row[0]) for row in rows]
    date = [FIRST + dt.timedelta(days=row[1]) for row in rows]
    return pl.DataFrame(
        {
            "available": pl.Series(day, dtype=pl.Date),
            "date": pl.Series(date, dtype=pl.Date),
            "symbol": pl.Series([row[2] for row in rows], dtype=pl.String),
            "value": pl.Series([row[3] for row in rows], dtype=pl.Float64),
        }
    )


def weekdays(count: int) -> NDArray[np.datetime64]:
    return np.busday_offset(np.datetime64(FIRST, "D"), np.arange(count))


def values_at_close(
    table: pl.DataFrame,
    column: str,
    dates_S: NDArray[np.datetime64],
    *,
    keys: tuple[str, ...] = (),
    by: str | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Newest known value of a column and its age in weekdays: ``[K, S]``, or ``[S]`` without ``by``."""
    aligned = _align(table, dates_S, keys=keys, by=by)
    value_R = table[column].cast(pl.Float64).fill_null(float("nan")).to_numpy()
    values_KS, age_KS = aligned.values(value_R), aligned.age()
    return (values_KS, age_KS) if by else (values_KS[0], age_KS[0])


def twin(table: pl.DataFrame, dates_S: NDArray[np.datetime64], symbol: str) -> pl.DataFrame:
    """The plain way: sort, then the last row known, by join_asof."""
    known = (
        table.filter(pl.col("symbol") == symbol)
        .sort("available", "date", maintain_order=True)
        .with_columns(pl.col("available").alias("since"))
    )
    return pl.DataFrame({"day": pl.Series(dates_S).cast(pl.Date)}).join_asof(
        known, left_on="day", right_on="available", strategy="backward"
    )


@settings(max_examples=200, deadline=None)
@given(rows_of, st.integers(1, 30))
def test_values_equal_an_asof_join(
    rows: list[tuple[int, int, str | None, float | None]], sessions: int
) -> None:
    table, dates_S = table_of(rows), weekdays(sessions)
    values, age = values_at_close(table, "value", dates_S, keys=SYMBOLS, by="symbol")
    assert values.shape == age.shape == (3, sessions)
    for i, symbol in enumerate(SYMBOLS):
        expected = twin(table, dates_S, symbol)
        value = expected["value"].fill_null(float("nan")).to_numpy()
        np.testing.assert_array_equal(values[i], value)
        since = expected["since"].to_numpy().astype("datetime64[D]")
        known = ~np.isnat(since)
        assert np.array_equal(np.isfinite(age[i]), known)
        np.testing.assert_array_equal(age[i][known], np.busday_count(since[known], dates_S[known]))


@settings(max_examples=100, deadline=None)
@given(rows_of, st.integers(1, 29), st.integers(0, 29))
def test_later_rows_do_not_matter_and_a_tail_is_the_end_of_the_whole(
    rows: list[tuple[int, int, str | None, float | None]], tail: int, cut: int
) -> None:
    table, dates_S = table_of(rows), weekdays(30)
    whole, age = values_at_close(table, "value", dates_S, keys=SYMBOLS, by="symbol")
    part, part_age = values_at_close(table, "value", dates_S[-tail:], keys=SYMBOLS, by="symbol")
    assert part.tobytes() == whole[:, -tail:].tobytes()
    assert part_age.tobytes() == age[:, -tail:].tobytes()
    past = table.filter(pl.col("available") <= pl.lit(dates_S[cut]).cast(pl.Date))
    known, _ = values_at_close(past, "value", dates_S, keys=SYMBOLS, by="symbol")
    assert known[:, : cut + 1].tobytes() == whole[:, : cut + 1].tobytes()


def test_a_correction_wins_by_available_then_by_date_then_by_place() -> None:
    table = table_of([(1, 0, "A", 1.0), (3, -5, "A", 2.0), (3, -6, "A", 3.0), (7, 1, "A", 4.0),
                      (7, 1, "A", 5.0)])  # fmt: skip
    values, age = values_at_close(table, "value", weekdays(7), keys=("A",), by="symbol")
    assert values[0, 1:].tolist() == [1.0, 1.0, 2.0, 2.0, 5.0, 5.0]
    assert np.isnan(values[0, 0])
    assert age[0, 1:].tolist() == [0.0, 1.0, 0.0, 1.0, 0.0, 1.0]


def test_age_counts_sessions_of_a_calendar_and_weekends_belong_to_monday() -> None:
    table = table_of([(5, 0, None, 1.0)])  # available on Saturday
    dates_S = weekdays(10)
    values, age = values_at_close(table, "value", dates_S)
    assert values.shape == (10,)
    assert np.flatnonzero(np.isfinite(values))[0] == 5
    assert age[5:].tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]
    open_S = np.delete(dates_S, 7)  # a holiday
    assert _align(table, open_S).age(open_S)[0, 5:].tolist() == [0.0, 1.0, 2.0, 3.0]


def test_weekday_ordinals_equal_numpy() -> None:
    day = np.arange(-400, 30000)
    first = np.datetime64("1970-01-01") - 400
    counted = np.busday_count(first, first + np.arange(day.size))
    assert np.array_equal(ordinals(day) - ordinals(day)[0], counted)


def test_an_empty_table_and_no_sessions() -> None:
    values, age = values_at_close(table_of([]), "value", weekdays(3), keys=SYMBOLS, by="symbol")
    assert np.isnan(values).all()
    assert np.isnan(age).all()
    nothing = weekdays(0)
    assert _align(table_of([(0, 0, "A", 1.0)]), nothing, keys=("A",), by="symbol").row_KS.size == 0
