"""The other strategies by hand, on four to eight names."""

import numpy as np
import polars as pl
import pytest

from engine.config import PortfolioConfig
from engine.portfolio.market_data import Matrix
from engine.portfolio.strategy import choose, load_strategy
from tests.engine.backtest.markets import decisions_of, panel_of, prediction_of

Scores = dict[str, list[float | None]]


def book(
    name: str, scores: Scores, sectors: dict[str, str] | None = None, **changes: object
) -> Matrix:
    """Weights ``[days, names]`` in the order of the names."""
    config = PortfolioConfig.model_validate(
        {"horizon": 1, "fraction": 0.25, "max_weight": 1.0, **changes}
    )
    n_days = max(len(values) for values in scores.values())
    securities = None
    if sectors:
        securities = pl.DataFrame({"symbol": list(sectors), "sector": list(sectors.values())})
    panel = panel_of({key: [10.0] * (n_days + 1) for key in scores}, securities=securities)
    decisions = decisions_of(prediction_of(scores, config.horizon), panel, config)
    return choose(load_strategy(name), decisions, config)


def test_score_weighted_is_proportional_to_normal_scores() -> None:
    weights = book("score_weighted", {"A": [40.0], "B": [3.0], "C": [2.0], "D": [-100.0]})[0]
    assert weights[0] == pytest.approx(-weights[3])
    assert weights[1] == pytest.approx(-weights[2])
    # Inverse normal of 7/8 and 5/8.
    assert weights[0] / weights[1] == pytest.approx(1.15034938 / 0.31863936, rel=1e-6)
    assert np.abs(weights).sum() == pytest.approx(2.0)


def test_sector_neutral_holds_equal_money_long_and_short_in_each_sector() -> None:
    scores: Scores = {f"X{i}": [float(i)] for i in range(4)}
    scores |= {f"Y{i}": [10.0 + i] for i in range(4)}
    sectors = {name: name[0] for name in scores}
    weights = book("sector_neutral", scores, sectors)[0]
    # All of Y scores above all of X, yet each sector has one long and one short of the same size.
    np.testing.assert_allclose(weights, [-0.5, 0, 0, 0.5, -0.5, 0, 0, 0.5])
    plain = book("long_short_quantile", scores, sectors)[0]
    np.testing.assert_allclose(plain, [-0.5, -0.5, 0, 0, 0, 0, 0.5, 0.5])


def test_hysteresis_keeps_a_name_inside_the_band_and_drops_it_beyond() -> None:
    """Eight names, legs of two, stay within four: A leaves the best two on day 1 and the best four on 2."""
    order = ["ABCDEFGH", "BCADEFGH", "BCDEAFGH"]
    scores: Scores = {
        name: [float(8 - ranks.index(name)) for ranks in order] for name in "ABCDEFGH"
    }
    weights = book("hysteresis_band", scores, band=1.0)
    held = [{"ABCDEFGH"[n] for n in np.flatnonzero(row > 0)} for row in weights]
    assert held == [{"A", "B"}, {"A", "B", "C"}, {"B", "C"}]
    plain = book("hysteresis_band", scores, band=0.0)
    np.testing.assert_array_equal(plain, book("long_short_quantile", scores))


def test_minimum_turnover_trades_just_enough_to_keep_its_share_of_the_score() -> None:
    rng = np.random.default_rng(0)
    table = rng.normal(size=(40, 6)).cumsum(axis=1)
    scores: Scores = {f"S{i:02d}": [float(v) for v in row] for i, row in enumerate(table)}
    aim = book("long_short_quantile", scores)
    lazy = book("minimum_turnover", scores, min_exposure=0.7)
    keen = book("minimum_turnover", scores, min_exposure=1.0)
    np.testing.assert_allclose(keen, aim, atol=1e-12)
    moved, full = (np.abs(np.diff(rows, axis=0)).sum() for rows in (lazy, aim))
    assert moved < 0.8 * full
    panel = panel_of({key: [10.0] * 7 for key in scores})
    config = PortfolioConfig(horizon=1, fraction=0.25, max_weight=1.0)
    z = decisions_of(prediction_of(scores, 1), panel, config).normal_KN
    share = (lazy * z).sum(axis=1) / (aim * z).sum(axis=1)
    assert share.min() >= 0.7 - 1e-9
    # On days on which it had to trade, it stopped exactly there.
    assert np.isclose(share[1:], 0.7).any()


def test_long_only_books_hold_the_best_and_keep_a_buffer() -> None:
    scores: Scores = {"A": [4.0], "B": [3.0], "C": [2.0], "D": [1.0]}
    weights = book("long_short_quantile", scores, long_only=True, cash_buffer=0.05)[0]
    np.testing.assert_allclose(weights, [0.95, 0.0, 0.0, 0.0])


def test_aim_portfolio_goes_a_share_of_the_way_and_sells_what_has_no_score() -> None:
    """Four names, one long and one short of all money; the aim turns over on day 1, D is gone on day 2."""
    scores: Scores = {
        "A": [4.0, 1.0, 4.0],
        "B": [3.0, 3.0, 3.0],
        "C": [2.0, 2.0, 2.0],
        "D": [1.0, 4.0, None],
    }
    weights = book("aim_portfolio", scores, trade_share=0.25)
    np.testing.assert_allclose(weights[0], [1, 0, 0, -1])
    # A quarter of the way from (1, 0, 0, -1) to (-1, 0, 0, 1).
    np.testing.assert_allclose(weights[1], [0.5, 0, 0, -0.5])
    # Without D there is no short side left to hold, and three names make no leg of a quarter.
    np.testing.assert_allclose(weights[2], [0, 0, 0, 0])
    whole = book("aim_portfolio", scores, trade_share=1.0)
    np.testing.assert_array_equal(whole, book("long_short_quantile", scores))
