"""What scores have been worth and how long they last: scores that know tomorrow or never change."""

from dataclasses import replace

import numpy as np
import pytest

from engine.config import PortfolioConfig
from engine.features.normalise import normal_scores
from engine.portfolio.market_data import LOOK_BACK
from engine.portfolio.skill import expected_ic, expected_life
from engine.portfolio.strategy import Decisions
from tests.engine.portfolio.test_book import world


def knowing(horizon: int) -> Decisions:
    """Scores of every day are the returns that follow, entered one close later."""
    market = world(60).market
    log_DN = np.log1p(market.returns_LDN[LOOK_BACK:])
    later_DN = np.full(log_DN.shape, np.nan)
    for d in range(len(log_DN) - horizon - 1):
        later_DN[d] = log_DN[d + 2 : d + 2 + horizon].sum(axis=0)
    later_DN[np.isnan(later_DN)] = 0.0
    later_DN[len(log_DN) - horizon - 1 :] = np.arange(60.0)
    return Decisions.of(later_DN, market, PortfolioConfig(horizon=horizon))


def test_a_return_counts_when_it_is_known_and_the_usual_ic_weighs_250_decisions() -> None:
    """Horizon 2: the first decision's return is known at the fourth close, the second's at the fifth."""
    ic_K = expected_ic(knowing(2), 2)
    seen = np.array([0, 0, 0, 1, 2, 3])
    assert ic_K == pytest.approx((seen + 250 * 0.03) / (seen + 250))


def test_scores_that_were_wrong_are_expected_to_be_worth_nothing_less() -> None:
    decisions = knowing(1)
    wrong = decisions.with_scores(-decisions.score_KN)
    assert np.all(expected_ic(wrong, 1) < 0.03 + 1e-12)
    assert np.all(expected_ic(wrong, 1) >= 0.0)


def test_scores_that_never_change_last_ever_longer() -> None:
    decisions = world(60)
    same = decisions.with_scores(np.tile(np.arange(60.0), (6, 1)))
    kept = (np.arange(6) + 5 * 0.8) / (np.arange(6) + 5)
    assert expected_life(same, 5) == pytest.approx(1 / (1 - kept))


def test_scores_of_chance_last_a_session() -> None:
    rng = np.random.default_rng(0)
    decisions = world(60)
    drawn = decisions.with_scores(rng.normal(size=(6, 60)))
    normal_KN = normal_scores(drawn.score_KN)
    kept = [max(np.corrcoef(normal_KN[k], normal_KN[k - 1])[0, 1], 0.0) for k in range(1, 6)]
    usual = (sum(kept) + 5 * 0.8) / 10
    assert expected_life(drawn, 5)[-1] == pytest.approx(1 / (1 - usual))


def test_what_comes_later_changes_nothing_before() -> None:
    decisions = knowing(1)
    returns_LDN = decisions.market.returns_LDN.copy()
    returns_LDN[LOOK_BACK + 4 :] *= -1.0
    later = replace(decisions, market=replace(decisions.market, returns_LDN=returns_LDN))
    assert np.array_equal(expected_ic(decisions, 1)[:4], expected_ic(later, 1)[:4])
    assert not np.array_equal(expected_ic(decisions, 1), expected_ic(later, 1))
