"""From configuration and market to the tables that the simulation pays by."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from engine.backtest.frictions import Frictions
from engine.backtest.prices import PriceTable
from engine.config import ConstraintConfig, CostConfig
from engine.data.panel import Panel
from engine.portfolio.market_data import MarketData
from tests.engine.backtest.markets import FIRST, day, panel_of, table_of

NAMES = ("A", "B")
CLOSES: dict[str, list[float | None]] = {
    "A": [1000.0, 1010.0, 1020.0, 1030.0],
    "B": [4000.0, 4000.0, 4000.0, 4000.0],
}


def built(
    panel: Panel, costs: CostConfig | None = None, limits: ConstraintConfig | None = None
) -> tuple[Frictions, PriceTable]:
    limits = limits or ConstraintConfig()
    market = MarketData.from_panel(
        panel, first=FIRST, last=day(2), symbols=NAMES, constraints=limits
    )
    table = table_of(panel, last=2)
    return Frictions.of(table, market, panel, costs or CostConfig(), limits), table


def test_american_books_trade_fractions_at_any_price() -> None:
    made, _ = built(panel_of(CLOSES, turnover=1e6))
    assert not made.has_lots
    assert made.no_buy_DN.size == made.half_tick_DN.size == 1
    np.testing.assert_allclose(made.adv_DN, 1e6)
    assert made.max_share == 0.05
    np.testing.assert_allclose(made.borrow_N, 50e-4 / 252)
    assert made.impact == pytest.approx(0.01)  # 1 bp per 1 %: taking all of the ADV costs 100 bp


def test_the_liquidity_that_limits_an_order_is_known_the_session_before() -> None:
    panel = panel_of(CLOSES)
    frame = panel.frame.with_columns(
        pl.when(pl.col("date") == day(2)).then(7e9).otherwise(pl.col("turnover")).alias("turnover")
    )
    made, _ = built(replace(panel, frame=frame))
    before, _ = built(panel)
    np.testing.assert_array_equal(made.adv_DN[:3], before.adv_DN[:3])
    assert (made.adv_DN[3] > before.adv_DN[3]).all()


def test_japan_trades_lots_with_ticks_and_limits() -> None:
    made, table = built(panel_of(CLOSES, market="jp"))
    np.testing.assert_array_equal(made.lot_DN, 100.0)
    np.testing.assert_allclose(made.half_tick_DN[:, 1], 2.5 / 4000)
    assert not made.no_buy_DN.any()
    jump = dict(CLOSES) | {"A": [1000.0, 1300.0, 1100.0, 700.0]}
    made, table = built(panel_of(jump, market="jp"))
    assert made.no_buy_DN[:, 0].tolist() == [False, True, False, False]
    assert made.no_sell_DN[:, 0].tolist() == [False, False, False, True]
    free, _ = built(panel_of(jump, market="jp"), limits=ConstraintConfig(daily_limits=False))
    assert free.no_buy_DN.size == 1
    assert table.quoted_DN is not None


def test_after_a_split_lots_and_limits_follow_the_quoted_price() -> None:
    """2:1 on day 3: quoted 1020 -> 515; our price goes on at 1030, so 100 new shares are 50 of ours."""
    panel = panel_of(CLOSES, market="jp")
    split = (pl.col("symbol") == "A") & (pl.col("date") >= day(3))
    frame = panel.frame.with_columns(
        pl.when(split).then(pl.col("close") / 2).otherwise("close_raw").alias("close_raw")
    )
    made, _ = built(replace(panel, frame=frame))
    np.testing.assert_allclose(made.lot_DN[:, 0], [100.0, 100.0, 100.0, 50.0])
    # The base of the limits is 510 (half of 1020), not 1020: 515 is no limit-down.
    assert not made.no_sell_DN.any()
    assert not made.no_buy_DN.any()


def test_borrow_fees_by_class() -> None:
    listed = pl.DataFrame({"symbol": ["A", "B"], "borrow_class": ["hard", None]})
    made, _ = built(panel_of(CLOSES, securities=listed))
    np.testing.assert_allclose(made.borrow_N, np.array([500e-4, 50e-4]) / 252)
    dear = CostConfig(borrow_classes={"hard": 2000.0})
    again = made.with_costs(dear, panel_of(CLOSES, securities=listed), NAMES)
    np.testing.assert_allclose(again.borrow_N, np.array([2000e-4, 50e-4]) / 252)


def test_tiers_and_their_mistakes() -> None:
    tiers = ((5e6, 5.5), (1e8, 2.2))
    made = Frictions.from_costs(CostConfig(commission_tiers=tiers), 245)
    assert made.commission_limit_M.tolist() == [5e6, np.inf]
    np.testing.assert_allclose(made.commission_rate_M, [5.5e-4, 2.2e-4])
    with pytest.raises(ValueError, match="must increase"):
        CostConfig(commission_tiers=((5e6, 5.5), (1e6, 2.2)))
    with pytest.raises(ValueError, match="not be negative"):
        CostConfig(borrow_classes={"hard": -1.0})


def test_new_costs_on_old_frictions_equal_new_frictions() -> None:
    panel, dear = panel_of(CLOSES, turnover=2e6), CostConfig(slippage_bps=30.0, impact_bps=0.0)
    fresh, _ = built(panel, costs=dear)
    changed = built(panel)[0].with_costs(dear, panel, NAMES)
    for name in Frictions.__slots__:
        np.testing.assert_array_equal(getattr(fresh, name), getattr(changed, name), err_msg=name)
