"""The store as it was on a day: the very snapshot that it had then."""

import datetime as dt
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from engine.config import Config
from engine.config.file import resolve
from engine.data.load import load_panel, open_panel
from engine.data.store import PanelStore
from engine.data.synthetic import generate
from engine.data.tables import RawTables
from engine.errors import DataError


@pytest.fixture(scope="module")
def with_tables() -> RawTables:
    overrides = (
        "data.synthetic.n_symbols=20", "data.synthetic.n_sessions=420",
        "data.synthetic.optional_tables=true",
    )  # fmt: skip
    raw = generate(resolve([], preset="demo", overrides=overrides).config.data.synthetic).raw
    return raw.as_of(raw.bars["date"].unique().sort()[149])


@pytest.mark.parametrize("back", [1, 40])
def test_a_truncated_snapshot_is_the_one_of_that_day(
    with_tables: RawTables, tmp_path: Path, back: int
) -> None:
    day: dt.date = with_tables.bars["date"].unique().sort()[-1 - back]
    then, now = PanelStore(tmp_path / "then" / "data"), PanelStore(tmp_path / "now" / "data")
    live = then.save(with_tables.as_of(day))
    current = now.save(with_tables)
    past = now.truncated(day)
    assert past == live
    assert now.current() == current
    ours, theirs = now.snapshot(past).raw(), then.snapshot().raw()
    assert ours.bars.equals(theirs.bars)
    assert set(ours.optional) == set(theirs.optional)
    for name, table in theirs.optional.items():
        order = table.columns
        assert ours.optional[name].sort(order).equals(table.sort(order)), name
    now.snapshot(past).verify()


def test_the_newest_day_is_the_current_snapshot_and_an_unknown_one_is_refused(
    with_tables: RawTables, tmp_path: Path
) -> None:
    store = PanelStore(tmp_path / "data")
    current = store.save(with_tables)
    last: dt.date = with_tables.bars["date"].max()  # type: ignore[assignment]
    assert store.truncated(last) == current
    with pytest.raises(DataError, match="no bars of 2031-01-02 yet"):
        store.truncated(dt.date(2031, 1, 2))


def test_a_panel_of_a_named_snapshot_is_cleaned_by_itself(
    with_tables: RawTables, tmp_path: Path, config: Config
) -> None:
    store = PanelStore(tmp_path / "data")
    store.save(replace(with_tables, oracle=None))
    day: dt.date = with_tables.bars["date"].unique().sort()[-30]
    past = open_panel(tmp_path, config, store.truncated(day))
    whole, _ = load_panel(tmp_path, config)
    assert past.report.last == day
    assert past.panel().frame.equals(whole.frame.filter(pl.col("date") <= day))
