"""The optimised book: what costs, liquidity and risk do to it, and when it says that it cannot."""

from dataclasses import replace

import numpy as np
import pytest

from engine.config import ConstraintConfig, CostConfig, PortfolioConfig
from engine.portfolio.construction import neutral
from engine.portfolio.optimal import SolverError
from engine.portfolio.risk import STYLES, style_scores
from engine.portfolio.strategy import Decisions, Terms, load_strategy, memory_of, minds_terms
from tests.engine.portfolio.test_book import world

STRATEGY = load_strategy("mean_variance")
CONFIG = PortfolioConfig(horizon=5, tranches=1, risk_aversion=30.0)


def traded(decisions: Decisions, config: PortfolioConfig = CONFIG) -> float:
    weight_KN = STRATEGY.weights(decisions, config)
    return float(np.abs(np.diff(weight_KN, axis=0)).sum())


def at(decisions: Decisions, **terms: object) -> Decisions:
    return replace(decisions, terms=Terms(**terms))  # type: ignore[arg-type]


def slow() -> Decisions:
    """Scores that keep most of themselves from day to day."""
    decisions = world()
    lasting_N = np.random.default_rng(5).normal(size=120)
    return decisions.with_scores(lasting_N + 0.4 * decisions.score_KN)


def test_the_dearer_trading_is_the_less_is_traded() -> None:
    books = [
        traded(at(slow(), costs=CostConfig(slippage_bps=bps, max_slippage_bps=bps)))
        for bps in (0.0, 5.0, 25.0)
    ]
    assert books[0] > 1.3 * books[1] > 1.3 * books[2]


def test_capital_keeps_to_what_trades_much() -> None:
    decisions = slow()
    adv_DN = np.tile(decisions.market.adv_DN[-1], (6, 1))
    lasting = replace(decisions, market=replace(decisions.market, adv_DN=adv_DN))
    poor_N, rich_N = (
        np.abs(STRATEGY.weights(at(lasting, capital=c), CONFIG)[-1]) for c in (1e4, 1e9)
    )
    size_N = np.log(adv_DN[-1])
    assert 0.0 < rich_N.sum() < poor_N.sum()
    assert np.average(size_N, weights=rich_N) > np.average(size_N, weights=poor_N) + 0.2


def test_leans_and_turnover_are_bounded() -> None:
    decisions = world()
    config = CONFIG.model_copy(update={"max_lean": 0.05, "max_turnover": 0.3})
    weight_KN = STRATEGY.weights(decisions, config)
    scored_KN = np.isfinite(decisions.score_KN)
    styles_XKN = style_scores(decisions.market, decisions.row_K, scored_KN, tuple(STYLES))
    assert np.abs((styles_XKN * weight_KN).sum(axis=2)).max() < 0.05 + 1e-6
    held_KN = np.where(scored_KN[1:], weight_KN[:-1], 0.0)
    assert np.abs(weight_KN[1:] - held_KN).sum(axis=1).max() < 0.3 + 1e-6
    for sector in range(4):
        inside_N = decisions.market.sector_N == sector
        assert np.abs(weight_KN[:, inside_N].sum(axis=1)).max() < 0.05 + 1e-6
    assert neutral(weight_KN) == pytest.approx(weight_KN, abs=1e-12)


def test_the_more_averse_the_less_risk() -> None:
    decisions = world()
    gross = [
        np.abs(STRATEGY.weights(decisions, CONFIG.model_copy(update={"risk_aversion": a}))).sum()
        for a in (10.0, 100.0, 1000.0)
    ]
    assert gross[0] >= gross[1] > 2.0 * gross[2]


def test_names_that_a_rule_would_take_out_are_not_held() -> None:
    decisions = world()
    floor = float(np.median(decisions.market.adv_DN))
    held_KN = STRATEGY.weights(at(decisions, limits=ConstraintConfig(min_turnover=floor)), CONFIG)
    assert held_KN.any()
    assert not held_KN[decisions.market.adv_DN < floor].any()


def test_a_day_without_a_best_book_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.portfolio.optimal._ENOUGH", -1.0)
    with pytest.raises(SolverError, match="mean_variance on 2020-01-01: no best book"):
        STRATEGY.weights(world(), CONFIG)


def test_it_remembers_the_decisions_that_its_ic_is_measured_on_and_minds_costs() -> None:
    assert memory_of(STRATEGY, CONFIG) == 120
    assert memory_of(STRATEGY, CONFIG.model_copy(update={"tranches": 5})) == 24
    assert minds_terms(STRATEGY)
    assert not minds_terms(load_strategy("hysteresis_band"))
