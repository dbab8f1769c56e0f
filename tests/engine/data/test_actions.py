"""Splits, dividends, breaks, renames and proceeds: what each does to the two scales, worked out by hand."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace

import polars as pl
import pytest

from engine.config import QualityConfig
from engine.data.memory import Memory
from engine.data.quality import examine, examine_more
from engine.data.tables import ACTION_SCHEMA, BAR_SCHEMA, SECURITY_SCHEMA, RawTables, complete
from engine.records.quality import (
    ACTION,
    BREAK,
    DIVIDEND,
    PROCEEDS,
    SPLIT,
    VENDOR_SPLIT,
    QualityReport,
)

START = dt.date(2020, 1, 1)
CONFIG = QualityConfig(max_bad_share=0.9)


def day(i: int) -> dt.date:
    return START + dt.timedelta(days=i)


def rows(symbol: str, closes: list[float], first: int = 0, **columns: list[float]) -> pl.DataFrame:
    """One bar a day, all four prices equal, 1000 shares a day unless given."""
    n = len(closes)
    prices = {name: columns.get(name, closes) for name in ("open", "high", "low")}
    frame = pl.DataFrame(
        {
            "date": [day(first + i) for i in range(n)],
            "symbol": [symbol] * n,
            "close": closes,
            "volume": columns.get("volume", [1000.0] * n),
            **prices,
            **{k: v for k, v in columns.items() if k in ("adjustment_factor", "dividend")},
        }
    )
    return complete(frame.with_columns(turnover=pl.col("close") * pl.col("volume")), BAR_SCHEMA)


def raw(*bars: pl.DataFrame, actions: Sequence[tuple[object, ...]] | None = None) -> RawTables:
    table = None
    if actions is not None:
        table = pl.DataFrame(actions, schema=dict(ACTION_SCHEMA), orient="row")
    return RawTables(
        bars=pl.concat(bars).sort("date", "symbol"),
        securities=pl.DataFrame(schema=SECURITY_SCHEMA),
        index=None,
        market="us",
        source="test",
        actions=table,
    )


def walking(n: int, level: float = 100.0) -> list[float]:
    """A stock that moves 1 % a day, up and down."""
    return [level * (1.01 if i % 2 else 1.0) for i in range(n)]


def of(tables: RawTables, symbol: str = "A") -> tuple[pl.DataFrame, QualityReport]:
    clean, report = examine(tables, CONFIG)
    return clean.filter(symbol=symbol), report


def test_a_dividend_is_put_back_in_and_the_price_alone_is_kept() -> None:
    """100, then 98 ex 2: nothing was lost. 1 / (1 - 2/100) = 1.020408."""
    closes = [100.0] * 5 + [98.0] * 5
    clean, report = of(raw(rows("A", closes, dividend=[0.0] * 5 + [2.0] + [0.0] * 4)))
    assert clean["close"].to_list() == pytest.approx([100.0] * 10)
    assert (clean["close"] / clean["reinvested"]).to_list() == pytest.approx(closes)
    assert clean["dividend"].to_list() == [0.0] * 5 + [2.0] + [0.0] * 4
    assert clean["flags"][5] == DIVIDEND
    assert clean["volume"].to_list() == [1000.0] * 10
    assert report.count("bad_dividend") == 0
    ignored = QualityConfig(dividends="ignore")
    price, _ = examine(raw(rows("A", closes, dividend=[0.0] * 5 + [2.0] + [0.0] * 4)), ignored)
    assert price["close"].to_list() == closes


def test_a_dividend_of_a_dropped_row_is_paid_on_the_next() -> None:
    closes = [100.0] * 5 + [0.0] + [98.0] * 4
    clean, _ = of(raw(rows("A", closes, dividend=[0.0] * 5 + [2.0] + [0.0] * 4)))
    assert clean["close"].to_list() == pytest.approx([100.0] * 9)
    assert clean["dividend"][5] == 2.0
    assert clean["flags"][5] & DIVIDEND


@pytest.mark.parametrize("dividend", [-1.0, 100.0, 250.0])
def test_a_dividend_that_cannot_be_is_named_and_not_applied(dividend: float) -> None:
    clean, report = of(raw(rows("A", [100.0] * 10, dividend=[0.0] * 5 + [dividend] + [0.0] * 4)))
    assert clean["close"].to_list() == [100.0] * 10
    assert report.count("bad_dividend") == 1


def test_the_users_table_goes_before_the_vendors_factor() -> None:
    """7:1 by the user, a wrong 2:1 by the vendor on the same day."""
    closes = [700.0] * 6 + [100.0] * 6
    factor = [1.0] * 6 + [0.5] + [1.0] * 5
    action = [(day(6), "A", "split", 7.0, None)]
    clean, _ = of(raw(rows("A", closes, adjustment_factor=factor), actions=action))
    assert clean["close"].to_list() == pytest.approx([700.0] * 12)
    assert clean["volume"].to_list() == pytest.approx([1000.0] * 6 + [1000.0 / 7] * 6)
    assert clean["flags"][6] == ACTION


def test_a_spinoff_and_a_dividend_of_one_day_and_a_day_without_a_bar() -> None:
    """100 hands out a share worth 30 and 2 in cash: 68 is no loss. The date is a day the stock has no bar."""
    closes = [100.0] * 6 + [68.0] * 4
    bars = rows("A", closes).with_columns(
        pl.when(pl.col("date") > day(5))
        .then(pl.col("date").dt.offset_by("2d"))
        .otherwise(pl.col("date"))
        .alias("date")
    )
    actions = [(day(6), "A", "spinoff", 30.0, None), (day(6), "A", "dividend", 2.0, None)]
    clean, _ = of(raw(bars, actions=actions))
    assert clean["close"].to_list() == pytest.approx([100.0] * 10)
    assert clean["reinvested"][6] == pytest.approx(70.0 / 68.0)
    assert clean["flags"][6] == ACTION | DIVIDEND


def test_a_factor_that_makes_the_jump_larger_is_doubted() -> None:
    clean, report = of(
        raw(rows("A", [100.0] * 12, adjustment_factor=[1.0] * 6 + [0.5] + [1.0] * 5))
    )
    assert clean["close"].to_list() == [100.0] * 12
    assert report.count("doubtful_factor") == 1
    good, _ = of(
        raw(rows("A", [100.0] * 6 + [50.0] * 6, adjustment_factor=[1.0] * 6 + [0.5] + [1.0] * 5))
    )
    assert good["flags"][6] == VENDOR_SPLIT


@pytest.mark.parametrize("ratio", [7.0, 1.5, 1.25, 1.2, 20.0, 2.5, 1 / 3, 1 / 15, 1 / 35, 1 / 8])
def test_any_ratio_of_small_whole_numbers_is_found(ratio: float) -> None:
    """Shares change by the ratio, value stays; the stock goes on moving 1 % a day."""
    before, after = walking(30), walking(10, 100.0 / ratio)
    clean, report = of(raw(rows("A", before + after, volume=[1000.0] * 30 + [1000.0 * ratio] * 10)))
    assert report.count("suspected_split") == 1
    assert clean["flags"][30] & SPLIT
    assert clean["close"].to_list() == pytest.approx(walking(40))


def test_a_calm_fall_without_a_ratio_is_a_break_and_a_crowded_one_is_a_crash() -> None:
    before, after = walking(30), walking(10, 58.7)
    spin, report = of(raw(rows("A", before + after)))
    assert report.count("break") == 1
    assert spin["flags"][30] & BREAK
    assert spin["close"][30] == pytest.approx(spin["close"][29])
    crowd = [1000.0] * 30 + [40_000.0] + [3000.0] * 9
    crash, report = of(raw(rows("A", before + after, volume=crowd)))
    assert report.count("break") == report.count("suspected_split") == 0
    assert crash["close"].to_list() == before + after


def test_a_fall_during_the_day_is_a_crash() -> None:
    closes = walking(30) + walking(10, 65.0)
    opens = list(closes)
    opens[30] = 100.0
    clean, report = of(raw(rows("A", closes, open=opens, high=list(map(max, opens, closes)))))
    assert report.count("break") == 0
    assert clean["close"].to_list() == closes


def test_a_code_given_to_another_company_is_a_break() -> None:
    old, new = rows("A", walking(30, 4.0)), rows("A", walking(30, 60.0), first=120)
    clean, report = of(raw(old, new))
    assert report.count("break") == 1
    assert clean["close"].to_list()[-1] == pytest.approx(clean["close"][29], rel=0.02)


def test_a_rename_joins_the_bars_under_the_new_code() -> None:
    other = rows("Z", walking(20, 50.0))
    tables = raw(
        rows("OLD", walking(10)), rows("NEW", walking(10), first=10), other,
        actions=[(day(10), "OLD", "rename", None, "NEW")],
    )  # fmt: skip
    clean, _ = examine(tables, CONFIG)
    assert clean["symbol"].unique().sort().to_list() == ["NEW", "Z"]
    assert clean.filter(symbol="NEW")["close"].to_list() == walking(20)


@pytest.mark.parametrize("cut", [0, 8, 10, 11])
def test_a_merger_pays_once_on_the_first_session_without_a_bar(cut: int) -> None:
    """2:1 on day 5, so that 30 in cash stand at 60 on the first bar's scale; cleaned at once or in two."""
    closes = [50.0] * 5 + [25.0] * 5
    bars = rows("A", closes, adjustment_factor=[1.0] * 5 + [0.5] + [1.0] * 4)
    action = [(day(10), "A", "merger", 30.0, None)]
    whole = raw(bars, rows("Z", walking(14)), actions=action)
    memory, before, parts = Memory.empty(), None, []
    for low, high in ((0, cut), (cut, 14)):
        inside = whole.bars.filter(pl.col("date").is_between(day(low), day(high - 1)))
        if not inside.is_empty():
            part = RawTables(
                bars=inside, securities=whole.securities, index=None, market="us", source="test",
                actions=whole.actions,
            )  # fmt: skip
            clean, before, memory = examine_more(part, CONFIG, memory, before)
            parts.append(clean)
    a = pl.concat(parts).filter(symbol="A")
    assert pl.concat(parts).equals(examine(whole, CONFIG)[0])
    assert a["date"].to_list() == [day(i) for i in range(11)]
    assert a["close"].to_list() == pytest.approx([50.0] * 10 + [60.0])
    last = a.row(-1, named=True)
    assert (last["close_raw"], last["volume"], last["open"]) == (30.0, 0.0, None)
    assert last["flags"] & PROCEEDS


def test_a_merger_of_the_company_that_had_the_code_before_pays_nothing() -> None:
    """It was paid ten days before the first bar; a day without a bar is none of its."""
    bars = rows("A", walking(20)).filter(pl.col("date") != day(10))
    tables = raw(bars, rows("Z", walking(20)), actions=[(day(-10), "A", "merger", 30.0, None)])
    clean, report = of(tables)
    assert clean["close"].to_list() == bars["close"].to_list()
    assert report.finding("proceeds") is None
    early, late = (
        tables.bars.filter((pl.col("date") < day(8)) == first) for first in (True, False)
    )
    _, before, memory = examine_more(replace(tables, bars=early), CONFIG, Memory.empty(), None)
    later, _, _ = examine_more(replace(tables, bars=late), CONFIG, memory, before)
    assert len(later.filter(symbol="A")) == 11


@pytest.mark.parametrize("later", [10, 11, 14])
def test_two_endings_of_a_share_are_paid_once(later: int) -> None:
    """A merger pays 30, and the table names the delisting too: on its day, or some days after."""
    actions = [(day(10), "A", "merger", 30.0, None), (day(later), "A", "delisting", 0.0, None)]
    tables = raw(rows("A", walking(10)), rows("Z", walking(20)), actions=actions)
    clean, _ = of(tables)
    assert clean["date"].to_list() == [day(i) for i in range(11)]
    assert clean["close_raw"][-1] == 30.0


def test_a_dividend_above_a_price_in_other_units_is_no_crash() -> None:
    """Quoted at a hundredth on day 8, and 2 in cash on day 9, more than 1.00: back at 98 nothing was lost."""
    closes = [100.0] * 8 + [1.0] + [98.0] * 6
    dividends = [0.0] * 9 + [2.0] + [0.0] * 5
    clean, report = of(raw(rows("A", closes, dividend=dividends)))
    assert report.finding("unit_jump") is not None
    assert clean["close"].to_list() == pytest.approx([100.0] * 14)


def test_a_code_given_again_after_a_share_that_was_worth_nothing_loses_no_session() -> None:
    """100, nothing, then another company at 50: its first price is a break from nothing, no absurd one."""
    bars = (rows("A", walking(10)), rows("A", walking(10, 50.0), first=13), rows("Z", walking(23)))
    clean, report = of(raw(*bars, actions=[(day(10), "A", "delisting", 0.0, None)]))
    assert clean["date"].to_list() == [day(i) for i in (*range(11), *range(13, 23))]
    assert report.finding("absurd_price") is None
    assert clean["flags"][10] & PROCEEDS
    assert clean["flags"][11] & BREAK
    later = clean["close"][11:]
    assert (later / later[0]).to_list() == pytest.approx([1.01 ** (i % 2) for i in range(10)])


def test_nothing_is_paid_for_a_share_without_a_believed_bar() -> None:
    bars = rows("A", [0.0] * 5), rows("Z", walking(10))
    clean, report = of(raw(*bars, actions=[(day(5), "A", "delisting", 0.0, None)]))
    assert clean.is_empty()
    assert report.finding("proceeds") is None


def test_a_reit_at_400000_yen_is_right_and_one_print_of_a_billion_is_not() -> None:
    closes = walking(40, 400_000.0)
    closes[35] = 1e9
    clean, report = of(raw(rows("A", closes)))
    assert len(clean) == 39
    assert report.count("absurd_price") == 1


def test_a_split_before_the_first_bar_moves_nothing() -> None:
    """Both scales stand on the stock's first bar: 7:1 of a year ago is in its quotes already."""
    closes = walking(10)
    clean, _ = of(raw(rows("A", closes, first=5), actions=[(day(1), "A", "split", 7.0, None)]))
    assert clean["close"].to_list() == closes
    assert clean["volume"].to_list() == [1000.0] * 10
    assert clean["flags"].to_list() == [0] * 10


def test_a_spinoff_worth_more_than_the_price_is_named_and_not_applied() -> None:
    clean, report = of(raw(rows("A", walking(10)), actions=[(day(5), "A", "spinoff", 250.0, None)]))
    assert clean["close"].to_list() == walking(10)
    assert report.count("bad_dividend") == 1


def test_an_ending_without_a_value_pays_nothing_and_one_with_a_value_is_no_bad_bar() -> None:
    bars = rows("A", walking(5)), rows("B", walking(10))
    clean, _ = of(raw(*bars, actions=[(day(5), "A", "delisting", None, None)]))
    assert clean["close"].to_list() == walking(5)
    clean, report = of(raw(*bars, actions=[(day(5), "A", "merger", 60.5, None)]))
    assert clean["close"].to_list() == [*walking(5), 60.5]
    assert report.count("zero_open") == 0
    assert report.count("zero_volume") == 0


def test_a_crash_on_ten_times_the_shares_stays_and_one_on_usual_ones_is_none() -> None:
    """A stock of 1 % a day opens 40 % lower: with ten times the shares that is news, with the usual 5:3."""
    before = walking(30)
    closes = before + [0.6 * price for price in before]
    for shares, first, flag in ((10_000.0, 60.0, 0), (1_000.0, 100.0, SPLIT)):
        volume = [1000.0] * 30 + [shares] + [1000.0] * 29
        clean, _ = of(raw(rows("A", closes, volume=volume)))
        assert clean["flags"][30] == flag
        assert clean["close"][30] == pytest.approx(first)
