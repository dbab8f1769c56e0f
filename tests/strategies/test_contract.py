"""Every strategy keeps every promise, and the kit finds strategies that do not."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from engine.commands.strategies import built_in_strategies
from engine.config import PortfolioConfig
from engine.errors import UsageError
from engine.portfolio.construction import balanced
from engine.portfolio.contract import check_strategy
from engine.portfolio.market_data import Matrix
from engine.portfolio.strategy import Decisions, load_strategy


@pytest.mark.parametrize("name", built_in_strategies())
def test_every_strategy_keeps_its_promises(name: str) -> None:
    strategy = load_strategy(name)
    assert strategy.name == name
    assert built_in_strategies()[name]
    assert [check for check in check_strategy(strategy) if not check.passed] == []


@dataclass
class Odd:
    rule: Callable[[Decisions, PortfolioConfig], Matrix]
    name: str = "odd"

    def weights(self, decisions: Decisions, config: PortfolioConfig) -> Matrix:
        return self.rule(decisions, config)


def scores(decisions: Decisions) -> Matrix:
    return np.nan_to_num(decisions.score_KN)


def in_place(decisions: Decisions, config: PortfolioConfig) -> Matrix:
    book = balanced(scores(decisions), config)
    decisions.score_KN[:] = 0.0
    return book


def tomorrow(decisions: Decisions, config: PortfolioConfig) -> Matrix:
    later = np.vstack([decisions.score_KN[1:], decisions.score_KN[-1:]])
    return balanced(np.where(np.isnan(decisions.score_KN), 0.0, np.nan_to_num(later)), config)


def whole_sample(decisions: Decisions, config: PortfolioConfig) -> Matrix:
    """A normaliser fitted on all days."""
    return balanced(scores(decisions) - np.nanmean(decisions.score_KN), config)


COUNTER = iter(range(10_000))
PLANTED: dict[str, tuple[Callable[[Decisions, PortfolioConfig], Matrix], str]] = {
    "unscored": (lambda d, c: np.full(d.score_KN.shape, 1e-3), "finite weights of scored"),
    "nan": (lambda d, c: d.score_KN, "finite weights of scored"),
    "shape": (lambda d, c: scores(d)[:1], "finite weights of scored"),
    "too much": (lambda d, c: 5.0 * balanced(scores(d), c), "inside gross"),
    "unsteady": (lambda d, c: balanced(scores(d) * (next(COUNTER) % 3 + 1) ** scores(d), c),
                 "the same twice"),
    "in place": (in_place, "its inputs stay"),
    "tomorrow": (tomorrow, "no look-ahead"),
    "whole sample": (whole_sample, "no look-ahead"),
    "by place": (lambda d, c: balanced(scores(d) * np.arange(d.score_KN.shape[1]), c),
                 "the order of the stocks"),
    "ties": (lambda d, c: balanced(np.isfinite(d.score_KN) * ((np.arange(d.score_KN.shape[1]) % 2)
             - 0.5), c), "equal scores"),
    "upside down": (lambda d, c: balanced(-scores(d), c), "higher scores"),
    "asleep": (lambda d, c: np.zeros(d.score_KN.shape), "holds something"),
}  # fmt: skip


@pytest.mark.parametrize("plant", PLANTED)
def test_the_kit_finds_a_strategy_that_breaks_a_promise(plant: str) -> None:
    rule, promise = PLANTED[plant]
    broken = [check for check in check_strategy(Odd(rule)) if not check.passed]
    assert any(check.name.startswith(promise) for check in broken), broken
    assert all(check.detail for check in broken)


def test_strategies_are_found_by_name_and_nowhere_else() -> None:
    assert load_strategy("long_short_quantile").name == "long_short_quantile"
    with pytest.raises(UsageError, match="no strategy 'nothing'") as refused:
        load_strategy("nothing")
    assert "score_weighted" in refused.value.hint
    for hostile in ("../engine/cli", "os.path", "", "a b", "engine.cli"):
        with pytest.raises(UsageError, match="no strategy name"):
            load_strategy(hostile)
