"""Tokyo's lots, ticks and daily limits at the edges of their tables; no rules elsewhere."""

import numpy as np
import pytest

from engine.portfolio.market_data import lot_size, price_limits, tick


def test_lots() -> None:
    assert lot_size("jp", 0) == 100
    assert lot_size("us", 0) == 0
    assert lot_size("us", 1) == 1
    assert lot_size("jp", 10) == 10


@pytest.mark.parametrize(
    ("price", "step"),
    [(1.0, 1), (3000.0, 1), (3000.5, 5), (5000, 5), (5010, 10), (30_000, 10), (30_050, 50),
     (50_000, 50), (300_000, 100), (300_500, 500), (2e6, 1000), (6e7, 100_000)],
)  # fmt: skip
def test_ticks(price: float, step: float) -> None:
    assert tick(np.array([price]), "jp")[0] == step
    assert tick(np.array([price]), "us")[0] == 0.0


@pytest.mark.parametrize(
    ("base", "move"),
    [(99, 30), (100, 50), (199, 50), (500, 100), (999, 150), (1000, 300), (2999, 500),
     (3000, 700), (49_999, 7000), (50_000, 10_000), (6e7, 1e7)],
)  # fmt: skip
def test_daily_limits(base: float, move: float) -> None:
    low, high = price_limits(np.array([float(base)]), "jp")
    assert high[0] == base + move
    assert low[0] == max(base - move, 1.0)
    low, high = price_limits(np.array([float(base)]), "us")
    assert (low[0], high[0]) == (-np.inf, np.inf)


def test_an_unknown_price_has_no_limits() -> None:
    low, high = price_limits(np.array([np.nan]), "jp")
    assert (low[0], high[0]) == (-np.inf, np.inf)
    assert np.isnan(tick(np.array([np.nan]), "jp")[0])
