"""Splits and corrections: the past is kept, a new snapshot says what changed."""

import datetime as dt
from pathlib import Path

import polars as pl

from engine.data.jquants.pull import _day_to_audit
from engine.data.store import PanelStore
from engine.runs.events import Noted
from tests.engine.data.jquants.desk import FIRST, LAST, SPLIT_DAY, Desk
from tests.engine.data.jquants.market import CODES
from tests.engine.data.jquants.server import FakeJQuants


def test_a_split_changes_no_earlier_row(tmp_path: Path) -> None:
    before = SPLIT_DAY - dt.timedelta(days=1)
    with FakeJQuants(FIRST, before) as server:
        server.splits = {("72030", SPLIT_DAY): 0.5}
        desk = Desk(tmp_path, server)
        report = desk.pull()
        old, old_id = desk.read(report), desk.snapshot(report)
        unadjusted = server.bars(before)
        server.extend(LAST)
        assert server.bars(before) != unadjusted  # the vendor's adjusted columns are re-based
        report = desk.pull()
        new, new_id = desk.read(report), desk.snapshot(report)
    assert report.revised == []
    assert new.bars.filter(pl.col("date") <= before).equals(old.bars)
    factors = new.bars.filter(pl.col("adjustment_factor") != 1).select(
        "date", "symbol", "adjustment_factor"
    )
    assert factors.rows() == [(SPLIT_DAY, "72030", 0.5)]
    assert new_id != old_id
    store = PanelStore(tmp_path / "data")
    assert store.current() == new_id
    assert store.snapshot(old_id).raw().bars.equals(old.bars)


def test_a_corrected_factor_is_a_new_snapshot_and_the_old_one_stays(desk: Desk) -> None:
    report = desk.pull()
    old, old_id = desk.read(report), desk.snapshot(report)
    parts = {path: path.stat().st_mtime_ns for path in desk.folder.glob("*/*.parquet")}
    desk.server.splits = {("99840", SPLIT_DAY): 0.1}
    original = desk.server.quoted
    desk.server.quoted = lambda code, day: _unsplit(original(code, day), code, day)  # type: ignore[method-assign]
    report = desk.pull()
    new, new_id = desk.read(report), desk.snapshot(report)
    assert report.revised == [f"bars {SPLIT_DAY}"]
    assert any("factor of 99840 1 -> 0.1" in line for line in desk.said(Noted))
    changed = {p.relative_to(desk.folder) for p, at in parts.items() if p.stat().st_mtime_ns != at}
    assert changed == {Path("bars") / f"{SPLIT_DAY}.parquet"}
    assert new_id != old_id
    store = PanelStore(desk.root / "data")
    assert store.snapshot(old_id).raw().bars.equals(old.bars)
    difference = new.bars.join(old.bars, on=new.bars.columns, how="anti", nulls_equal=True)
    assert difference.select("date", "symbol", "adjustment_factor").rows() == [
        (SPLIT_DAY, "99840", 0.1)
    ]


def test_a_factor_corrected_long_ago_is_found_by_the_audit(desk: Desk) -> None:
    today = next(LAST + dt.timedelta(i) for i in range(3) if (LAST.toordinal() + i) % 4 < 3)
    audited = _day_to_audit(desk.server.days, 2, today)
    assert audited is not None
    corrected = next(day for day in desk.server.days if day > audited)
    code = next(code for code in CODES if desk.server.quoted(code, audited))
    plain = {(code, day): desk.server.quoted(code, day) for day in desk.server.days}
    report = desk.pull(today=today)
    old, old_id = desk.read(report), desk.snapshot(report)
    desk.server.splits = {(code, corrected): 0.25}
    original = desk.server.quoted
    desk.server.quoted = (  # type: ignore[method-assign]
        lambda code, day: plain.get((code, day)) or original(code, day)
    )
    report = desk.pull(today=today)
    assert report.revised == [f"bars {corrected}"]
    new, new_id = desk.read(report), desk.snapshot(report)
    changed = new.bars.join(old.bars, on=new.bars.columns, how="anti", nulls_equal=True)
    assert changed["symbol"].to_list() == [code]
    assert changed["adjustment_factor"].to_list() == [0.25]
    assert PanelStore(desk.root / "data").snapshot(old_id).raw().bars.equals(old.bars)
    assert new_id != old_id
    assert desk.pull(today=today).revised == []


def test_a_day_that_the_server_forgets_is_kept_and_one_it_lacks_is_asked_for_again(
    desk: Desk,
) -> None:
    desk.server.silent = {dt.date(2024, 1, 9), LAST}
    first = desk.read(desk.pull())
    assert first.bars["date"].n_unique() == 4
    desk.server.silent = {dt.date(2024, 1, 11)}
    second = desk.read(desk.pull())
    assert second.bars["date"].unique().sort().to_list() == desk.server.days
    assert any("no bars of 2024-01-11" in line for line in desk.said(Noted))


def _unsplit(
    quote: tuple[float, float] | None, code: str, day: dt.date
) -> tuple[float, float] | None:
    """The vendor corrects the factor; what was quoted stays."""
    if quote is None or code != "99840" or day < SPLIT_DAY:
        return quote
    return round(quote[0] * 10, 1), quote[1]
