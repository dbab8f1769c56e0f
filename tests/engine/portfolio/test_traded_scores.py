"""What is traded of several horizons: the mean of the day's centred ranks, by hand."""

import numpy as np
import pytest

from engine.config import Config, PortfolioConfig
from engine.errors import DataError
from engine.portfolio.strategy import dense_scores, load_strategy, memory_of, traded_scores
from engine.signals.book import decision_sessions
from engine.signals.seal import with_trading
from tests.engine.backtest.markets import decisions_of, panel_of, prediction_of

NAN = float("nan")


def test_ranks_are_centred_within_the_day_and_averaged() -> None:
    """Of four names the ranks are -3/8, -1/8, 1/8, 3/8; ties share their mean rank."""
    short = [[10.0, 20.0, 30.0, 40.0], [1.0, 1.0, 2.0, 3.0]]
    long = [[4.0, 3.0, 2.0, 1.0], [1.0, 2.0, 3.0, 4.0]]
    found = traded_scores(np.array([short, long]))
    np.testing.assert_allclose(found[0], 0.0)
    np.testing.assert_allclose(found[1], [-0.3125, -0.1875, 0.125, 0.375])


def test_a_name_that_one_horizon_does_not_know_is_out_and_counts_for_nobody() -> None:
    found = traded_scores(np.array([[[1.0, 2.0, 3.0]], [[1.0, NAN, 0.0]]]))
    np.testing.assert_allclose(found, [[0.0, NAN, 0.0]])


def test_one_horizon_is_traded_as_it_is() -> None:
    score_HDN = np.array([[[0.5, NAN, -7.0]]], dtype=np.float32)
    np.testing.assert_array_equal(traded_scores(score_HDN), score_HDN[0])


def test_a_horizon_without_a_column_is_refused() -> None:
    panel = panel_of({"A": [10.0, 10.0], "B": [10.0, 10.0]})
    scores = prediction_of({"A": [1.0], "B": [2.0]}, 5)
    market = decisions_of(scores, panel, PortfolioConfig(horizon=5)).market
    frame = scores.frame
    np.testing.assert_array_equal(dense_scores(frame, market, [5])[0], [1.0, 2.0])
    with pytest.raises(DataError, match="no column score_20") as raised:
        dense_scores(frame, market, [5, 20])
    assert "portfolio.score = horizon" in raised.value.hint


def test_the_horizons_are_those_that_every_model_knows() -> None:
    """Ridge and LightGBM are fitted for these, so no member of a blend is missing in one of them."""
    config = Config()
    assert config.traded_horizons == config.baseline_horizons == (5, 20)
    alone = config.portfolio.model_copy(update={"score": "horizon", "horizon": 20})
    assert config.model_copy(update={"portfolio": alone}).traded_horizons == (20,)


def test_the_trading_rules_of_an_older_signal_trade_one_horizon() -> None:
    """A seal of before the key replays to the same bytes."""
    config = Config()
    trading = {
        name: getattr(config, name).model_dump()
        for name in ("portfolio", "constraints", "costs", "signals")
    } | {"initial_cash": 1e6}
    assert with_trading(config, trading).portfolio.score == "mean"
    del trading["portfolio"]["score"]
    assert with_trading(config, trading).portfolio.score == "horizon"


def test_a_signal_looks_back_as_far_as_its_strategy_remembers() -> None:
    """Five tranches: the newest decision of each, its memory in renewals, and one more for yesterday."""
    signals = Config().signals
    for name, renewals in (("long_short_quantile", 0), ("hysteresis_band", 10)):
        strategy, portfolio = load_strategy(name), PortfolioConfig(horizon=5)
        assert memory_of(strategy, portfolio) == renewals
        found = decision_sessions(500, strategy, portfolio, signals)
        assert found == list(range(500 - 5 * (1 + renewals), 501))
    share = PortfolioConfig(trade_share=0.5)
    assert memory_of(load_strategy("aim_portfolio"), share) == 6  # 2^-6 is below a fiftieth
