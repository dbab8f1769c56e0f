"""Rolling statistics over rows as known, against a plain loop."""

import datetime as dt
from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.features.families.aligned import Rows, _History, _recent, arrange
from engine.features.rolling import needed

Series = NDArray[np.float64]
rows_of = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 30), st.one_of(st.none(), st.integers(-5, 5))),
    max_size=60,
)


def arrays(
    rows: list[tuple[int, int, int | None]],
) -> tuple[NDArray[np.int32], NDArray[np.int64], Series]:
    rows = sorted(rows, key=lambda row: row[0])  # by key, otherwise as they came
    value = np.array([np.nan if row[2] is None else row[2] for row in rows], dtype=float)
    key = np.array([row[0] for row in rows], dtype=np.int32)
    return key, np.array([row[1] for row in rows], dtype=np.int64), value


def known(
    key: NDArray[np.int32], date: NDArray[np.int64], value: Series, r: int, window: int
) -> list[float] | None:
    """Newest version of the last ``window`` dates of the row's key, up to its date; None = too old."""
    versions: dict[int, float] = {}
    for j in range(r + 1):
        if key[j] == key[r]:
            versions[int(date[j])] = float(value[j])
            # What falls out of the window is forgotten, and does not come back.
            versions = dict(sorted(versions.items())[-window:])
    if int(date[r]) not in versions:
        return None
    return [v for d, v in sorted(versions.items()) if d <= date[r]]


@settings(max_examples=100, deadline=None)
@given(rows_of, st.integers(2, 6))
def test_equals_a_plain_loop(rows: list[tuple[int, int, int | None]], window: int) -> None:
    key, date, value = arrays(rows)
    past_of = _History(key, date)
    got = {
        "mean": past_of.mean(value, window),
        "std": past_of.std(value, window),
        "z": past_of.z(value, window),
        "share": past_of.percentile(value, window),
        "change": past_of.change(value, window - 1),
    }
    for r in range(value.size):
        past = known(key, date, value, r, window)
        want = dict.fromkeys(got, np.nan)
        valid = [v for v in past or [] if np.isfinite(v)]
        if past and len(valid) >= needed(window):
            want["mean"] = float(np.mean(valid))
            if np.isfinite(past[-1]):
                below = sum(v < past[-1] for v in valid) + 0.5 * valid.count(past[-1])
                want["share"] = below / len(valid)
        if past and len(valid) >= max(2, needed(window)):
            want["std"] = float(np.std(valid, ddof=1))
            if want["std"] > 0:
                want["z"] = (past[-1] - float(np.mean(valid))) / want["std"]
        if past and len(past) == window:
            want["change"] = past[-1] - past[0]
        for name, expected in want.items():
            assert got[name][r] == pytest.approx(expected, nan_ok=True, abs=1e-12), (name, r)


def test_weeks_of_weekly_and_of_daily_rows() -> None:
    key = np.zeros(40, dtype=np.int32)
    weekly, daily = np.arange(40) * 7, np.arange(40) + np.arange(40) // 5 * 2
    value = np.arange(40, dtype=float)
    assert _History(key, weekly).weeks_before(value, 4)[10] == 6.0
    assert np.isnan(_History(key, weekly).weeks_before(value, 4)[3])
    assert _History(key, daily).weeks_before(value, 4)[25] == 5.0
    z_weekly, z_daily = (_History(key, date).z_weeks(value, 4)[39] for date in (weekly, daily))
    assert z_weekly == pytest.approx(1.5 / np.std([0, 1, 2, 3], ddof=1))
    assert z_daily == pytest.approx(9.5 / np.std(np.arange(20), ddof=1))


DAYS = np.arange("2024-01-01", "2024-03-01", dtype="datetime64[D]")
given_rows = st.lists(
    st.tuples(st.sampled_from("ab"), st.integers(0, 50), st.integers(0, 9), st.integers(-5, 5)),
    max_size=80,
)


@settings(max_examples=150, deadline=None)
@given(given_rows, st.integers(0, 55), st.booleans())
def test_rows_too_old_to_matter_are_left_out_without_changing_a_bit(
    rows: list[tuple[str, int, int, int]], first: int, late: bool
) -> None:
    """Weeks and windows of the last 5 dates at the closes from ``first`` on; rows late or all in time."""
    day = [DAYS[0].item() + dt.timedelta(days=n) for _, n, _, _ in rows]
    frame = pl.DataFrame(
        {
            "symbol": [row[0] for row in rows],
            "date": day,
            "available": [
                d + dt.timedelta(days=row[2] if late else 2)
                for d, row in zip(day, rows, strict=True)
            ],
            "long": [float(row[3]) for row in rows],
        },
        schema={"symbol": pl.String, "date": pl.Date, "available": pl.Date, "long": pl.Float64},
    )
    if not late:
        frame = frame.unique(["symbol", "date"], keep="first", maintain_order=True)
    whole = arrange(frame, "symbol", ("a", "b"), DAYS[first:])
    part = _recent(whole, 5)
    figures: tuple[Callable[[Rows], Series], ...] = (
        lambda r: r.z(r.column("long"), 5),
        lambda r: r.change(r.column("long"), 4),
        lambda r: r.column("long"),
    )
    for figure in figures:
        np.testing.assert_array_equal(part.at_close(figure(part)), whole.at_close(figure(whole)))
    np.testing.assert_array_equal(part.age(), whole.age())


def test_of_ten_years_of_weeks_a_new_day_looks_at_one_and_a_key_with_a_late_row_keeps_all() -> None:
    weeks = [dt.date(2014, 1, 3) + dt.timedelta(weeks=n) for n in range(520)]
    frame = pl.concat(
        pl.DataFrame({"symbol": name, "date": dates, "available": weeks, "long": 1.0})
        for name, dates in (("a", weeks), ("b", [weeks[1], *weeks[1:]]))
    )
    last = np.array([weeks[-1]], dtype="datetime64[D]")
    found = _recent(arrange(frame, "symbol", ("a", "b"), last), 52)
    assert np.bincount(found.key_R).tolist() == [53, 520]
