"""Labels and windows of features over dividends, breaks and the cash that holders got in the end."""

import numpy as np
import pytest

from engine.config import LabelConfig, UniverseConfig
from engine.data.panel import Panel
from engine.data.universe import _membership_NS
from engine.features.targets import forward_returns
from engine.records.quality import BREAK, PROCEEDS
from tests.engine.backtest.markets import panel_of, with_actions

Prices = dict[str, list[float | None]]
ANCHOR: list[float | None] = [10.0] * 6


def labels(panel: Panel, entry: str = "close", haircut: float = 0.3) -> np.ndarray:
    """``[S, H]`` of the stock X for horizons 1 and 2."""
    config = LabelConfig(horizons=(1, 2), entry=entry, delisting_haircut=haircut)
    dense = panel.dense()
    return forward_returns(dense, config)[:, dense.symbols.index("X")]


def test_a_label_is_a_total_return() -> None:
    """Quoted 100, 100, 98, 99 with 2 paid on day 2: reinvested at 98, 100/98 shares. Bought at the close of
    day 1 and sold at that of day 2: 98 x 100/98 = 100, nothing earned; of day 3: 99 x 100/98.
    """
    quoted: Prices = {"X": [100.0, 100.0, 98.0, 99.0, 99.0, 99.0], "Y": ANCHOR}
    found = labels(with_actions(panel_of(quoted), dividends={"X": {2: 2.0}}))
    np.testing.assert_allclose(found[0], [0.0, 99.0 / 98.0 - 1.0], atol=1e-7)
    price_alone = labels(panel_of(quoted))
    np.testing.assert_allclose(price_alone[0], [-0.02, -0.01], atol=1e-7)


@pytest.mark.parametrize("entry", ["close", "open"])
def test_a_break_is_not_earned_by_a_label_nor_seen_by_a_window(entry: str) -> None:
    """100 becomes 14 on day 3, at whose open it still stood at 100: all of the move is the break."""
    closes: Prices = {"X": [100.0, 100.0, 100.0, 14.0, 14.7, 14.7], "Y": ANCHOR}
    opens: Prices = {"X": [100.0, 100.0, 100.0, 100.0, 14.0, 14.7], "Y": ANCHOR}
    panel = with_actions(
        panel_of(closes, opens), terms={"X": {3: 100.0 / 14.0}}, flags={"X": {3: BREAK}}
    )
    found = labels(panel, entry)
    np.testing.assert_allclose(found[1], [0.0, 0.05], atol=1e-6)  # day 2 to day 3, to day 4
    if entry == "open":
        assert np.isnan(found[2]).all()  # nobody knows what the open of day 3 was worth
    else:
        np.testing.assert_allclose(found[2], [0.05, 0.05], atol=1e-6)
    # Windows of features see what they would see of a stock that stood still on day 3.
    still: Prices = {"X": [100.0, 100.0, 100.0, 100.0, 105.0, 105.0], "Y": ANCHOR}
    start: Prices = {"X": [100.0, 100.0, 100.0, None, 100.0, 105.0], "Y": ANCHOR}
    ours, theirs = panel.dense(), panel_of(still, start).dense()
    for name in ("open_NS", "high_NS", "low_NS", "close_NS"):
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), rtol=1e-12)


def test_what_holders_got_is_the_end_without_a_haircut_and_nobody_enters_there() -> None:
    """22 in cash on day 3 for a stock at 20; a stock that just stops is worth 30 % less."""
    quoted: Prices = {
        "X": [20.0, 20.0, 20.0, 22.0, None, None],
        "Y": ANCHOR,
    }
    paid = with_actions(panel_of(quoted), flags={"X": {3: PROCEEDS}})
    found = labels(paid)
    np.testing.assert_allclose(found[:2], [[0.0, 0.1], [0.1, 0.1]], atol=1e-6)
    assert np.isnan(found[2]).all()
    np.testing.assert_allclose(
        labels(panel_of(quoted))[1], [0.1, 22.0 * 0.7 / 20.0 - 1.0], atol=1e-6
    )
    config = UniverseConfig(
        min_history=20, min_price=5.0, min_turnover=10.0, turnover_sessions=1
    ).model_copy(update={"min_history": 1})
    assert _membership_NS(paid.dense(), config)[0].tolist() == [True] * 3 + [False] * 3
    part = paid.dense().window(2, 5)
    assert part.proceeds_NS is not None
    assert part.proceeds_NS.tolist() == [[False, True, False], [False] * 3]
    taken = paid.dense().take(np.array([1, 0])).proceeds_NS
    assert taken is not None
    assert taken[1, 3]
