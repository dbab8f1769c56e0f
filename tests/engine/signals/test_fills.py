"""Fills of a broker's file: how they are read, which order they belong to, what the ledger shows."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import EnvironmentProblem, IntegrityError, UsageError
from engine.records.orders import Order
from engine.records.record import write
from engine.records.seal import SealPlace
from engine.records.shadow import ACTUAL, OrderFill, SessionFills, fills_path, read_fills
from engine.signals.fills import FillFile, assigned, read_fill_file
from engine.signals.shadow import Executed, running, shadow_row, totals
from tests.engine.signals.test_orders import rules
from tests.engine.signals.test_shadow import book, parts, prices

DAY = "2026-11-26"


def order(code: str, side: Any, shares: int, close: float) -> Order:
    return Order(
        symbol=code, side=side, shares=shares, lots=shares, limit=close, close=close,
        notional=shares * close, held=0.0, reason="r",
    )  # fmt: skip


ORDERS = [order("AAPL", "buy", 100, 200.0), order("7203", "sell", 300, 2000.0)]


def read(tmp_path: Path, text: str, encoding: str = "utf-8", **columns: str) -> FillFile:
    path = tmp_path / "fills.csv"
    path.write_bytes(text.encode(encoding))
    return read_fill_file(path, columns, DAY)


def told(found: FillFile) -> list[tuple[object, ...]]:
    return [(row.line, row.code, row.side, row.shares, row.price) for row in found.rows]


def test_signed_shares_or_a_word_say_the_side(tmp_path: Path) -> None:
    found = read(tmp_path, "Symbol,Quantity,T. Price\nAAPL,60,201.5\n7203,-300,1990\nX,0,1\n")
    assert told(found) == [(2, "AAPL", "buy", 60.0, 201.5), (3, "7203", "sell", 300.0, 1990.0)]
    found = read(tmp_path, "symbol;side;filled_qty;filled_avg_price\nAAPL;BUY;1,5;201,25\n")
    assert told(found) == [(2, "AAPL", "buy", 1.5, 201.25)]


def test_a_japanese_report_of_executions(tmp_path: Path) -> None:
    text = (
        "約定履歴照会\n\n約定日,銘柄,銘柄コード,市場,取引,約定数量,約定単価,手数料/諸経費等\n"
        '2026/11/26,トヨタ自動車,7203,東証,株式現物売,"1,300",2850.5,99\n'
        "2026/11/25,トヨタ自動車,7203,東証,株式現物売,100,2800,0\n合計,,,,,1400,,\n"
    )
    found = read(tmp_path, text, "cp932")
    assert told(found) == [(4, "7203", "sell", 1300.0, 2850.5)]
    assert found.rows[0].commission == 99.0
    assert found.notes == ("1 rows are not of 2026-11-26 and were left out",)


def test_a_statement_counts_orders_and_not_their_parts(tmp_path: Path) -> None:
    text = (
        "Trades,Header,DataDiscriminator,Asset Category,Currency,Symbol,Date/Time,Quantity,T. Price\n"
        'Trades,Data,Order,Stocks,USD,AAPL,"2026-11-26, 10:00:00",100,201\n'
        'Trades,Data,Trade,Stocks,USD,AAPL,"2026-11-26, 10:00:00",100,201\n'
        "Trades,SubTotal,,Stocks,USD,AAPL,,100,\nTrades,Total,,Stocks,USD,,,,\n"
    )
    assert told(read(tmp_path, text)) == [(2, "AAPL", "buy", 100.0, 201.0)]


def test_columns_can_be_named(tmp_path: Path) -> None:
    text = "what,how many,at\nAAPL,10,200\n"
    with pytest.raises(UsageError, match="no table with a code, shares and a price"):
        read(tmp_path, text)
    found = read(tmp_path, text, code="what", shares="how many", price="at")
    assert told(found) == [(2, "AAPL", "buy", 10.0, 200.0)]
    with pytest.raises(UsageError, match="colour is none of ours"):
        read(tmp_path, text, colour="what")
    with pytest.raises(EnvironmentProblem, match="cannot be read"):
        read_fill_file(tmp_path / "none.csv", {}, DAY)


def test_every_bad_row_is_named_and_nothing_is_taken(tmp_path: Path) -> None:
    text = (
        "symbol,side,qty,price,date\nAAPL,buy,ten,200,2026-11-26\nAAPL,hold,10,200,2026-11-26\n"
        "AAPL,buy,10,-1,2026-11-26\n,buy,10,200,2026-11-26\nAAPL,buy,-10,200,2026-11-26\n"
        "AAPL,buy,10,200,11/26/2026\nAAPL,buy,40,200,2026-11-26\nAAPL,sell,10,200,2026-11-26\n"
        "AAPL,buy,1,20000,2026-11-26\nAAPL,buy,70,200,2026-11-26\n"
    )
    found = read(tmp_path, text)
    assert [words.partition(":")[0] for words in found.bad] == [
        f"line {line}" for line in (2, 3, 4, 5, 6, 7)
    ]
    with pytest.raises(UsageError) as caught:
        assigned(ORDERS, found, Path("f.csv"), "XNYS")
    for words in (
        "line 2: shares 'ten'", "line 3: side 'hold' is neither buy nor sell",
        "line 4: price '-1' is not above 0", "line 5: has no code",
        "line 6: buys a negative number", "line 7: date '11/26/2026'",
        "line 9: AAPL: a sell, the order is a buy",
        "line 10: AAPL: 20000 is far from the sealed close 200",
        "line 8, 9, 10, 11: 121 of AAPL filled, 100 ordered",
    ):  # fmt: skip
        assert words in caught.value.message


def test_fills_of_an_order_are_one_and_the_rest_is_missed(tmp_path: Path) -> None:
    text = (
        "symbol,side,qty,price,fee\nAAPL,buy,30,201,1\nAAPL,buy,10,205,0.5\n"
        "7203.T,sell,300,1990,-2\nMSFT,buy,5,400,0\n"
    )
    filled, notes = assigned(ORDERS, read(tmp_path, text), Path("f.csv"), "XTKS")
    apple, toyota = filled
    assert (apple.filled, apple.price, apple.commission, apple.fills) == (40.0, 202.0, 1.5, 2)
    assert apple.slippage == pytest.approx(100.0), "bought at 202 for 200: 1 % worse"
    assert toyota.slippage == pytest.approx(50.0), "sold at 1990 for 2000: 0.5 % worse"
    assert notes == ["fills of no order of this signal left out: MSFT"]
    missed, _ = assigned(ORDERS, read(tmp_path, "symbol,qty,price\nAAPL,0,1\n"), Path("f"), "XNYS")
    assert [one.filled for one in missed] == [0.0, 0.0]


def fills(*orders: OrderFill, seal: str = "s") -> SessionFills:
    return SessionFills(
        session="2026-11-25", revision=0, seal=seal, file="f", at="now", orders=orders
    )


def test_the_mean_is_weighted_by_value_and_missed_orders_are_told() -> None:
    """8,000 at +100 bp and 600,000 at +50 bp."""
    a = OrderFill(code="A", side="buy", ordered=40, filled=40.0, price=202.0, close=200.0)
    b = OrderFill(code="B", side="sell", ordered=300, filled=300.0, price=1990.0, close=2000.0)
    c = OrderFill(code="C", side="buy", ordered=1, filled=0.0, close=10.0)
    found = fills(a, b, c)
    assert found.slippage == pytest.approx((8_000 * 100 + 600_000 * 50) / 608_000)
    assert found.missed == (c,)
    assert np.isnan(fills(c).slippage)


def test_fills_of_another_seal_are_refused(tmp_path: Path) -> None:
    place = SealPlace(tmp_path / "2026-11-25")
    assert read_fills(tmp_path, place, "s") is None
    write(fills_path(tmp_path, place), fills())
    assert read_fills(tmp_path, place, "s") == fills()
    with pytest.raises(IntegrityError, match="of another seal"):
        read_fills(tmp_path, place, "t")


def executed(**changes: Any) -> Executed:
    """All of A at 10.10 (1.01 of its close) and half of B's 100 at 20.20; 3 of commission."""
    plain = {"shares_N": np.array([500.0, -50.0]), "price_N": np.array([1.01, 1.01])}
    return Executed(**{**plain, "commission": 3.0, **changes})


def test_what_the_account_traded_by_hand() -> None:
    """At the close of t+1, A stands at 10.20 and B at 19.60; then A rises to 10.50 and B falls to 19.20.

    A was bought 0.10 below that close: 50 earned. B was sold 0.60 above it: 30 earned, 50 shares missed.
    """
    row = shadow_row(book(), prices(), ACTUAL, rules(), executed=executed())
    a, b = 1.05 / 1.02 - 1, 0.96 / 0.98 - 1
    held = 500 * 10.2 * a - 100 * 19.6 * b
    borrow = 100 * 19.6 * 0.001
    assert row.realised == pytest.approx((held + 50 + 30 - 3 - borrow) / 10_000)
    assert row.cost == pytest.approx((50 + 30 - 3 - borrow) / 10_000)
    assert row.missed == pytest.approx(50 * 19.6 * b / 10_000)
    assert row.realised == pytest.approx(parts(row))
    assert (row.entry, row.orders, row.unfilled) == ("fills", 2, 0)


def test_an_order_that_was_missed_is_named() -> None:
    nothing = executed(
        shares_N=np.array([500.0, 0.0]), price_N=np.array([1.01, np.nan]), commission=0.0
    )
    row = shadow_row(book(), prices(), ACTUAL, rules(), executed=nothing)
    assert (row.unfilled, row.unfilled_names) == (1, "B")


@given(
    st.lists(st.floats(-600, 600), min_size=2, max_size=2),
    st.lists(st.floats(0.6, 1.4), min_size=2, max_size=2),
)
def test_the_parts_add_up_whatever_was_traded(shares: list[float], price: list[float]) -> None:
    done = executed(shares_N=np.array(shares), price_N=np.array(price))
    row = shadow_row(book(), prices(), ACTUAL, rules(), executed=done)
    assert row.realised == pytest.approx(parts(row), abs=1e-12)


def test_a_fill_at_the_simulated_close_without_costs_is_the_simulated_row_before_costs() -> None:
    limits = book(limit_N=np.array([10.5, 19.0]))
    simulated = shadow_row(limits, prices(), "close", rules())
    same = executed(shares_N=limits.change_N, price_N=np.array([1.02, 0.98]), commission=0.0)
    row = shadow_row(limits, prices(), ACTUAL, rules(), executed=same)
    assert row.realised - row.cost == pytest.approx(simulated.realised - simulated.cost)
    assert row.cost == pytest.approx(-150 * 19.6 * 0.001 / 10_000), "the borrow fee alone"


def test_totals_tell_of_fills_only_where_there_are_some() -> None:
    row = shadow_row(book(), prices(), "close", rules())
    assert list(totals([row], lag=1)) == list(running([row], lag=1)) == ["open", "close"]
    mine = shadow_row(book(), prices(), ACTUAL, rules(), executed=executed())
    assert totals([row, mine], lag=1)[ACTUAL].sessions == 1
