"""Optional tables of the synthetic market."""

import hashlib
from pathlib import Path

import polars as pl
import pytest

from engine.config import SyntheticConfig
from engine.data.store import PanelStore
from engine.data.synthetic import generate
from engine.data.tables import OPTIONAL, RawTables

SMALL = SyntheticConfig(n_symbols=24, n_sessions=420, seed=3)
DELAY = {"options": (1, 1), "flow": (5, 5), "margin": (3, 3), "short": (1, 1)}
"""Weekdays from ``date`` to ``available``."""


@pytest.fixture(scope="module")
def raw() -> RawTables:
    return generate(SMALL.model_copy(update={"optional_tables": True})).raw


def test_they_are_off_by_default_and_change_nothing_else(raw: RawTables) -> None:
    plain = generate(SMALL).raw
    assert plain.optional == {}
    assert raw.index is not None
    assert plain.index is not None
    assert raw.bars.equals(plain.bars)
    assert raw.index.equals(plain.index)
    assert raw.oracle is not None
    assert plain.oracle is not None
    assert raw.oracle.equals(plain.oracle)


def test_same_seed_same_bytes(raw: RawTables) -> None:
    def digest(tables: RawTables) -> str:
        text = "".join(table.write_csv() for table in tables.optional.values())
        return hashlib.sha256(text.encode()).hexdigest()

    again = generate(SMALL.model_copy(update={"optional_tables": True})).raw
    other = generate(SMALL.model_copy(update={"optional_tables": True, "seed": 4})).raw
    assert digest(raw) == digest(again) != digest(other)


def test_every_table_is_there_complete_and_published_on_sessions(raw: RawTables) -> None:
    assert list(OPTIONAL)[:6] == ["options", "flow", "margin", "short", "statements", "earnings"]
    assert set(raw.optional) == set(list(OPTIONAL)[:6])
    for name, table in raw.optional.items():
        assert len(table) > 100, name
        assert table.null_count().sum_horizontal().item() == 0, name
        assert table["available"].dt.weekday().max() <= 5, name  # type: ignore[operator]
        assert set(table.columns) == set(OPTIONAL[name])
        if name in DELAY:
            wait = table.select(pl.business_day_count("date", "available")).to_series()
            assert (wait.min(), wait.max()) == DELAY[name], name


def test_statements_come_after_their_period_and_schedules_before_their_day(raw: RawTables) -> None:
    told = raw.optional["statements"]
    wait = (told["available"] - told["period_end"]).dt.total_days()
    assert wait.min() >= 30  # type: ignore[operator]
    assert wait.max() <= 70  # type: ignore[operator]
    assert set(told["period"]) == {"1Q", "2Q", "3Q", "FY"}
    due = raw.optional["earnings"]
    assert (due["date"] > due["available"]).all()
    # Results are told on their last scheduled day, or the session after where that was after the close.
    days = due.group_by("symbol").agg(pl.col("date"))
    joined = told.join(days, on="symbol").filter(
        pl.col("available") > pl.lit(told["available"].min())
    )
    on_time = joined.select(
        (
            pl.col("date").list.contains(pl.col("available"))
            | pl.col("date").list.contains(pl.col("available").dt.add_business_days(-1))
        ).mean()
    ).item()
    assert on_time > 0.9


def test_volatility_has_a_skew_and_option_ratios_are_plausible(raw: RawTables) -> None:
    rows = raw.optional["options"].with_columns(
        (pl.col("strike") / pl.col("underlying")).alias("m")
    )
    assert rows["implied_volatility"].is_between(0.03, 1.5).all()
    low = rows.filter(pl.col("m").is_between(0.9, 0.96))["implied_volatility"].mean()
    high = rows.filter(pl.col("m").is_between(1.04, 1.1))["implied_volatility"].mean()
    assert low > high  # type: ignore[operator]
    assert (rows["expiry"] > rows["date"]).all()
    per_day = rows.group_by("date").agg(pl.col("expiry").n_unique(), pl.len())
    assert per_day["expiry"].unique().to_list() == [2]
    assert per_day["len"].unique().to_list() == [44]


def test_a_snapshot_keeps_them(raw: RawTables, tmp_path: Path) -> None:
    store = PanelStore(tmp_path / "data")
    again = store.snapshot(store.save(raw)).raw()
    assert all(again.optional[name].equals(table) for name, table in raw.optional.items())
