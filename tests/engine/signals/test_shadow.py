"""The shadow ledger by hand, its identity on arbitrary books, and against the backtest engine."""

from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.backtest.frictions import Frictions
from engine.backtest.prices import PriceTable
from engine.config import Market
from engine.records.quality import BREAK, PROCEEDS
from engine.records.shadow import PARTS, Entry, ShadowRow
from engine.signals.shadow import (
    FilledBook,
    Prices,
    RealPrices,
    running,
    shadow_row,
    totals,
)
from engine.stages.ledger import ledger
from tests.engine.backtest import markets
from tests.engine.signals.desk import Desk
from tests.engine.signals.test_orders import rules


def book(**changes: Any) -> FilledBook:
    """Two stocks at 10 and 20, equity 10,000: long half in A (500 shares), short 0.3 in B (150)."""
    plain = FilledBook(
        session="2016-12-28",
        verdict="TRADE",
        market="us",
        symbols=("A", "B"),
        equity=10_000.0,
        weight_N=np.array([0.5, -0.3]),
        held_N=np.array([0.0, -50.0]),
        change_N=np.array([500.0, -100.0]),
        limit_N=np.array([10.2, 19.8]),
        close_N=np.array([10.0, 20.0]),
        adv_N=np.array([0.0, 0.0]),
        borrow_N=np.array([0.0, 0.001]),
    )
    return replace(plain, **changes)


def prices(**changes: Any) -> Prices:
    """A: opens 1 % up, closes 2 % up, then 5 %; B: opens flat, closes 2 % down, then 4 % down."""
    plain = Prices(
        fill="2016-12-29",
        next="2016-12-30",
        open_2N=np.array([[1.01, 1.0], [1.03, 0.97]]),
        close_2N=np.array([[1.02, 0.98], [1.05, 0.96]]),
        mark_3N=np.array([[1.0, 1.0], [1.02, 0.98], [1.05, 0.96]]),
        dividend_N=np.zeros(2),
        paid_N=np.zeros(2, dtype=bool),
    )
    return replace(plain, **changes)


def parts(row: ShadowRow) -> float:
    total: float = row.backtest + sum(getattr(row, part) for part in PARTS)
    return total


def test_a_filled_book_by_hand() -> None:
    """At the open: A 10.10 -> 10.30, B 20.00 -> 19.40."""
    row = shadow_row(book(), prices(), "open", rules())
    a, b = 1.03 / 1.01 - 1, -0.03
    assert row.backtest == pytest.approx(0.5 * a - 0.3 * b)
    assert row.revision == 0.0
    assert row.sizing == pytest.approx(0.5 * 0.01 * a)
    assert row.rounding == pytest.approx(0.0, abs=1e-15)
    assert row.missed == pytest.approx(0.0, abs=1e-15)
    traded = 5050.0 + 2000.0
    assert row.cost == pytest.approx(-(traded * 10e-4) / 10_000 - 0.3 * 0.001)
    assert row.realised == pytest.approx(parts(row))
    assert (row.orders, row.unfilled) == (2, 0)


def test_dividends_are_cash_for_the_shares_held_into_the_ex_date() -> None:
    """0.20 a share on A (2 % of 10) and 0.10 on B: 500 x 0.20 received, 150 x 0.10 paid, of 10,000."""
    paid = prices(dividend_N=np.array([0.02, 0.005]))
    for entry in ("open", "close"):
        without = shadow_row(book(limit_N=np.array([10.5, 19.0])), prices(), entry, rules())
        row = shadow_row(book(limit_N=np.array([10.5, 19.0])), paid, entry, rules())
        extra = (500 * 0.20 - 150 * 0.10) / 10_000
        assert row.realised - without.realised == pytest.approx(extra)
        assert row.cost == without.cost
        assert row.realised == pytest.approx(parts(row))


def test_where_holders_were_paid_out_nothing_is_filled() -> None:
    """A pays 1.02 of its close at t+1 and is gone; what was held of it keeps that and earns no more."""
    gone = prices(
        open_2N=np.array([[1.02, 1.0], [np.nan, 0.97]]),
        close_2N=np.array([[1.02, 0.98], [np.nan, 0.96]]),
        mark_3N=np.array([[1.0, 1.0], [1.02, 0.98], [1.02, 0.96]]),
        paid_N=np.array([True, False]),
    )
    for entry in ("open", "close"):
        row = shadow_row(book(limit_N=np.array([10.5, 19.0])), gone, entry, rules())
        assert row.unfilled_names == "A"
        b = {"open": -0.03, "close": 0.96 / 0.98 - 1}[entry]
        b_value = {"open": 20.0, "close": 19.6}[entry]
        spent = {"open": 2000.0, "close": 1960.0}[entry] * 10e-4 + 150 * b_value * 0.001
        assert row.realised == pytest.approx((-150 * b_value * b - spent) / 10_000)


def test_prices_after_a_session_by_hand() -> None:
    """DIV pays 2 on day 2 at 98; NEW splits 2:1 on day 1 and pays 0.5 a new share on day 2; OUT pays 22 for
    20 on day 1; ODD stood at 40 at the open of day 2 and closed at 10 for no reason.
    """
    closes: dict[str, list[float | None]] = {
        "DIV": [100.0, 100.0, 98.0],
        "NEW": [50.0, 26.0, 25.0],
        "ODD": [40.0, 40.0, 10.0],
        "OUT": [20.0, 22.0, None],
    }
    opens = closes | {"ODD": [40.0, 40.0, 40.0]}
    panel = markets.with_actions(
        markets.panel_of(closes, opens),
        terms={"NEW": {1: 2.0}, "ODD": {2: 4.0}},
        dividends={"DIV": {2: 2.0}, "NEW": {2: 0.5}},
        flags={"OUT": {1: PROCEEDS}, "ODD": {2: BREAK}},
    )
    found = Prices.after(
        RealPrices.of(panel.dates_S, panel.frame), panel.dates_S[0], sorted(closes)
    )
    np.testing.assert_allclose(found.dividend_N, [0.02, 0.5 * 2 / 50, 0.0, 0.0])
    np.testing.assert_allclose(
        found.mark_3N, [[1.0] * 4, [1.0, 1.04, 1.0, 1.1], [0.98, 1.0, 1.0, 1.1]]
    )
    fill_N, first_N, second_N = found.at("close")
    np.testing.assert_allclose(fill_N, [1.0, 1.04, 1.0, np.nan])
    np.testing.assert_allclose(second_N - first_N, [-0.02, -0.04, 0.0, 0.0], atol=1e-12)
    fill_N, first_N, second_N = found.at("open")
    np.testing.assert_allclose(fill_N, [1.0, 1.04, 1.0, np.nan])
    np.testing.assert_allclose(second_N - first_N, [-0.02, -0.04, 0.0, 0.0], atol=1e-12)


def test_a_limit_that_is_not_met_is_a_missed_name() -> None:
    """At the close B trades at 19.60, below the limit of 19.80: only the 50 held short stay."""
    row = shadow_row(book(), prices(), "close", rules())
    b = 0.96 / 0.98 - 1
    assert row.missed == pytest.approx((-50 * 19.6 + 150 * 19.6) / 10_000 * b)
    assert (row.unfilled, row.unfilled_names) == (1, "B")
    assert row.realised == pytest.approx(parts(row))


def test_a_stock_without_a_bar_is_not_filled_and_carried() -> None:
    nan = np.nan
    halted = prices(
        close_2N=np.array([[nan, 0.98], [nan, 0.96]]),
        mark_3N=np.array([[1.0, 1.0], [1.0, 0.98], [1.0, 0.96]]),
    )
    row = shadow_row(book(limit_N=np.array([10.2, 19.0])), halted, "close", rules())
    assert row.unfilled_names == "A"
    assert row.missed == pytest.approx(0.0)
    assert row.realised == pytest.approx(parts(row))


def test_rounding_and_a_revision_are_told_apart() -> None:
    """Lots of 300: 500 wanted are 300 held, 150 short are none; today's data want 0.4 of A."""
    coarse = rules(lot=300)
    lots = book(change_N=np.array([300.0, 50.0]), limit_N=np.array([10.2, 21.0]))
    row = shadow_row(lots, prices(), "open", coarse, np.array([0.4, -0.3]))
    a, b = 1.03 / 1.01 - 1, -0.03
    assert row.revision == pytest.approx(0.1 * a)
    assert row.rounding == pytest.approx(-200 * 10.1 / 10_000 * a + 150 * 20 / 10_000 * b)
    assert row.missed == pytest.approx(0.0, abs=1e-15)
    assert row.realised == pytest.approx(parts(row))


def test_in_japan_nothing_is_bought_at_the_upper_limit() -> None:
    """Close 500: the limit is 600 (move 100). At 1.2 x 500 there are no sellers."""
    jp: Market = "jp"
    one = book(
        market=jp, close_N=np.array([500.0, 500.0]), limit_N=np.array([600.0, 400.0]),
        held_N=np.zeros(2), change_N=np.array([100.0, -100.0]), equity=1e6,
    )  # fmt: skip
    wild = prices(open_2N=np.array([[1.2, 0.8], [1.0, 1.0]]))
    assert shadow_row(one, wild, "open", rules()).unfilled == 2


@given(
    st.lists(st.floats(-0.5, 0.5), min_size=2, max_size=2),
    st.lists(st.integers(-900, 900), min_size=4, max_size=4),
    st.lists(st.floats(0.5, 2.0), min_size=6, max_size=6),
    st.sampled_from(["open", "close"]),
)
def test_the_parts_always_add_up(
    weight: list[float], shares: list[int], moves: list[float], entry: Entry
) -> None:
    one = book(
        weight_N=np.array(weight),
        held_N=np.array(shares[:2], dtype=float),
        change_N=np.array(shares[2:], dtype=float),
    )
    table = prices(
        open_2N=np.array([moves[:2], moves[2:4]]), close_2N=np.array([moves[2:4], moves[4:]])
    )
    row = shadow_row(one, table, entry, rules(), np.array(weight[::-1]))
    assert row.realised == pytest.approx(parts(row), abs=1e-12)
    told = totals([row], lag=1)[entry]
    assert told.gap == pytest.approx(sum(getattr(told.mean, part) for part in PARTS), abs=1e-12)


def test_the_running_gap_by_hand_and_its_end_is_the_totals() -> None:
    plain = shadow_row(book(), prices(), "open", rules())
    gaps = {"2016-12-30": 0.0, "2016-12-28": -0.003, "2016-12-29": 0.0, "2017-01-03": 0.001}
    rows = [
        msgspec.structs.replace(plain, session=session, backtest=0.01, realised=0.01 + gap)
        for session, gap in gaps.items()
    ]
    told = running(rows, lag=1)
    assert [point.session for point in told["open"]] == sorted(gaps)
    means = [point.gap for point in told["open"]]
    assert means == pytest.approx([-0.003, -0.0015, -0.001, -0.0005])
    assert np.isnan([point.se for point in told["open"][:2]]).all()
    # Deviations -2, 1, 1 from the mean -1 (times 1e-3): variance 2, first covariance (-2 + 1) / 3.
    assert told["open"][2].se == pytest.approx(1e-3 * np.sqrt((2 - 1 / 3) / 3))
    assert told["close"] == ()
    in_order = sorted(rows, key=lambda row: row.session)
    end = totals(in_order, lag=1)["open"]
    assert (told["open"][-1].gap, told["open"][-1].se) == (end.gap, end.gap_se)


def test_the_backtest_column_is_the_backtest_engines_gross_return(sealed_desk: Desk) -> None:
    """Sealed weights of consecutive days through the simulator, without frictions, filled at the close."""
    from engine.backtest.fast import run_fast
    from engine.data.load import load_panel

    for _ in range(2):
        sealed_desk.next_day()
    context = sealed_desk.context()
    done = ledger(context)
    again = ledger(context)
    assert again.json == done.json
    rows = [row for row in done.json["rows"] if row["entry"] == "close"]
    assert len(rows) == 4
    assert all(row["revision"] == 0.0 for row in rows)
    panel, _ = load_panel(sealed_desk.workspace, context.config)
    weights = pl.concat(
        pl.read_parquet(one.directory / "weights.parquet") for one in sealed_desk.seals
    )
    names = weights["symbol"].unique().sort().to_list()
    table = PriceTable.from_panel(
        panel, first=weights["date"].min(), last=weights["date"].max(), symbols=names,  # type: ignore[arg-type]
        entry="close", haircut=0.0,
    )  # fmt: skip
    decided_DN = np.full((4, len(names)), 0.0)
    day = {d: i for i, d in enumerate(weights["date"].unique().sort())}
    for date, symbol, weight in weights.select("date", "symbol", "weight").iter_rows():
        decided_DN[day[date], names.index(symbol)] = weight
    costs = context.config.costs.model_copy(
        update={
            "commission_bps": 0.0,
            "slippage_bps": 0.0,
            "impact_bps": 0.0,
            "borrow_bps_per_year": 0.0,
        }
    )
    result = run_fast(
        table,
        table.orders(decided_DN),
        frictions=Frictions.from_costs(costs, 252),
        initial_cash=1e6,
    )
    growth = result.equity_D[2:] / result.equity_D[1:-1] - 1.0
    # The simulator's table ends one session after the last decision: the last book has no second fill.
    assert [row["backtest"] for row in rows][: growth.size] == pytest.approx(
        growth.tolist(), abs=1e-9
    )
    assert growth.size == 3


@pytest.mark.slow
def test_a_revision_of_the_data_is_a_part_of_its_own(sealed_desk: Desk, tmp_path: Any) -> None:
    desk = sealed_desk.copy(tmp_path / "workspace")
    while desk.last < desk.days[-2]:
        desk.next_day()
    first = next(iter(desk.seals)).session
    hit = pl.when(
        (pl.col("date").cast(pl.String) == first) & (pl.col("symbol").is_in(["S0001", "S0004"]))
    )
    changed = desk.raw.bars.with_columns(
        hit.then(pl.col(name) * 1.15).otherwise(pl.col(name)).alias(name)
        for name in ("open", "high", "low", "close")
    )
    desk.store.save(replace(desk.raw, bars=changed).as_of(desk.last))
    rows = [row for row in ledger(desk.context()).json["rows"] if row["entry"] == "close"]
    assert any(row["revision"] != 0.0 for row in rows)
    assert all(row["realised"] == pytest.approx(parts(ShadowRow(**row))) for row in rows)
