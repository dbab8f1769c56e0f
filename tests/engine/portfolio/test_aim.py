"""The share of the way that is traded: extremes by hand, and against a simulated book."""

import numpy as np
import pytest

from engine.config import CostConfig, PortfolioConfig
from engine.portfolio.aim import best_share, share_of_scores
from engine.records.rank_ic import DecayRow, EntryDelay, FactorFigures, MeanFigure


def test_without_costs_the_whole_way_is_traded() -> None:
    """Scores that forget everything at once: an older book adds nothing but risk."""
    assert best_share(edge=0.01, cost=0.0, persistence=0.0) == 1.0


def test_the_dearer_trading_is_the_smaller_is_the_share() -> None:
    shares = [best_share(edge=0.002, cost=c, persistence=0.8) for c in (0.0005, 0.001, 0.002)]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > shares[-1]


def test_without_an_edge_as_little_as_possible() -> None:
    assert best_share(edge=0.0, cost=0.001, persistence=0.5) == 0.01


@pytest.mark.parametrize("bad", [{"cost": -0.1, "persistence": 0.5}, {"cost": 0, "persistence": 1}])
def test_values_that_mean_nothing_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="persistence"):
        best_share(edge=0.01, **bad)


def test_it_is_the_best_of_a_simulated_book() -> None:
    """The same question to 400,000 decisions of an autoregressive aim, traded share by share."""
    edge, cost, persistence = 0.002, 0.001, 0.7
    rng = np.random.default_rng(0)
    aim_KN = np.zeros((400, 1000))
    for k in range(1, 400):
        noise_N = rng.normal(scale=np.sqrt(1 - persistence**2), size=1000)
        aim_KN[k] = persistence * aim_KN[k - 1] + noise_N

    def left(share: float) -> float:
        held_N, earned, traded, risk = np.zeros(1000), 0.0, 0.0, 0.0
        for k, aim_N in enumerate(aim_KN):
            move_N = share * (aim_N - held_N)
            held_N = held_N + move_N
            if k >= 150:
                earned += edge * float(held_N @ aim_N)
                traded += cost * float(np.sqrt((move_N**2).mean())) * 1000
                risk += float(np.sqrt((held_N**2).mean())) * 1000
        return (earned - traded) / risk

    share = best_share(edge=edge, cost=cost, persistence=persistence)
    assert 0.05 < share < 0.95
    best = left(share)
    assert best >= max(left(other) for other in (share - 0.08, share + 0.08)) - 1e-7
    assert best > max(left(other) for other in (share / 2, min(1.0, share * 1.8)))


def test_of_scores_it_takes_the_deciles_spread_the_costs_and_the_persistence() -> None:
    """Five tranches of daily decisions: renewed every five sessions, ranks keep 0.9 a day."""
    mean = MeanFigure(value=0.9, se=0.01, n_dates=100)
    factor = FactorFigures(
        horizon=5,
        decay=(
            DecayRow(
                horizon=5,
                rank_ic=0.03,
                rank_ic_se=0.01,
                null_band=0.01,
                n_dates=100,
                ic=0.03,
                ic_se=0.01,
            ),
        ),
        entry=EntryDelay(same_close=mean, skipped=mean, traded=mean),
        quantile_returns={"1": -0.001, "2": 0.0, "10": 0.003},
        rank_autocorrelation=mean,
        years=(),
    )
    costs = CostConfig(commission_bps=4.0, slippage_bps=6.0)
    found = share_of_scores(factor, costs, PortfolioConfig(horizon=5))
    assert found == best_share(edge=0.002, cost=0.001, persistence=0.9**5)
