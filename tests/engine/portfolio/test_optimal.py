"""The best book by hand, against a general solver, and its limits on hostile inputs."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.portfolio.optimal import SolverError, Wanted, best_book
from engine.portfolio.risk import FactorRisk

optimize = pytest.importorskip("scipy.optimize")


def two(**changes: object) -> Wanted:
    """Two stocks of 2 % a day, expected to make +-0.1 %, no factor that counts, nothing held, no cost."""
    risk = FactorRisk(
        exposure_MF=np.zeros((2, 1)), covariance_FF=np.array([[1e-4]]), specific_M=np.full(2, 4e-4)
    )
    wanted = Wanted(
        gain_M=np.array([1e-3, -1e-3]),
        risk=risk,
        aversion=10.0,
        held_M=np.zeros(2),
        price_M=np.zeros(2),
        impact_M=np.zeros(2),
        least_M=np.full(2, -1.0),
        most_M=np.full(2, 1.0),
        net=0.0,
        gross=2.0,
    )
    return replace(wanted, **changes)  # type: ignore[arg-type]


CASES: dict[str, tuple[Wanted, list[float]]] = {
    "gain / (aversion x variance)": (two(), [0.25, -0.25]),
    "less the price of trading": (two(price_M=np.full(2, 4e-4)), [0.15, -0.15]),
    "impact is curvature": (two(impact_M=np.full(2, 2e-3)), [0.125, -0.125]),
    "gross binds": (two(gross=0.2), [0.1, -0.1]),
    "a name's bound binds, so does the net": (two(most_M=np.array([0.1, 0.1])), [0.1, -0.1]),
    "inside the band nothing is traded": (
        two(held_M=np.array([0.3, -0.3]), price_M=np.full(2, 4e-4)),
        [0.3, -0.3],
    ),
    "half of the turnover on each side": (two(max_turnover=0.2), [0.1, -0.1]),
    "what must go may exceed the turnover": (
        two(held_M=np.array([0.5, 0.0]), max_turnover=0.01, price_M=np.full(2, 2e-3)),
        [0.25, -0.25],
    ),
    "a long book spends its net": (two(least_M=np.zeros(2), net=0.4), [0.4, 0.0]),
}


@pytest.mark.parametrize("name", list(CASES))
def test_two_stocks_by_hand(name: str) -> None:
    wanted, weights = CASES[name]
    assert best_book(wanted, "test") == pytest.approx(weights, abs=1e-9)


def test_a_lean_on_a_factor_is_bounded() -> None:
    """Both conditions together leave w = (a, -a) with a x (1 + 1) <= 0.3."""
    risk = replace(two().risk, exposure_MF=np.array([[1.0], [-1.0]]))
    wanted = two(risk=replace(risk, covariance_FF=np.array([[1e-9]])), max_lean_F=np.array([0.3]))
    assert best_book(wanted, "test") == pytest.approx([0.15, -0.15], abs=1e-9)


def test_limits_that_exclude_each_other_are_said() -> None:
    with pytest.raises(SolverError, match=r"on Monday: no best book"):
        best_book(two(net=3.0), "on Monday")


def drawn(M: int, seed: int, **changes: object) -> Wanted:
    """Sectors and styles, a book that breaks some limits, gains of 3 % IC."""
    rng = np.random.default_rng(seed)
    sectors = np.eye(3)[rng.integers(0, 3, M)]
    sectors = sectors[:, sectors.any(axis=0)]
    exposure_MF = np.column_stack([sectors, rng.normal(size=(M, 2))])
    past_TM = rng.normal(0.0, 0.01, (100, 1)) + rng.normal(size=(100, M)) * rng.uniform(
        0.01, 0.03, M
    )
    held_M = np.clip(rng.normal(size=M) * 0.05 * (rng.random(M) > 0.4), -0.1, 0.1)
    wanted = Wanted(
        gain_M=rng.normal(size=M) * 3e-4,
        risk=FactorRisk.estimated(exposure_MF, past_TM),
        aversion=10.0,
        held_M=held_M,
        price_M=np.full(M, 5e-5),
        impact_M=rng.uniform(0, 1e-3, M),
        least_M=np.full(M, -0.1),
        most_M=np.full(M, 0.1),
        net=0.0,
        gross=0.6,
    )
    return replace(wanted, **changes)  # type: ignore[arg-type]


def worth(wanted: Wanted, weight_M: np.ndarray) -> float:
    moved_M = weight_M - wanted.held_M
    earned = wanted.gain_M @ weight_M - wanted.price_M @ np.abs(moved_M)
    risk = wanted.aversion / 2 * wanted.risk.variance(weight_M)
    return float(earned - risk - wanted.impact_M @ moved_M**2)


@pytest.mark.parametrize("seed", range(6))
def test_a_general_solver_finds_nothing_better(seed: int) -> None:
    """SLSQP on the same question, with every weight and trade in two parts that are not negative."""
    M = 8
    wanted = drawn(M, seed, max_turnover=0.5, max_lean_F=np.full(5, 0.05))
    F = wanted.risk.exposure_MF.shape[1]
    wanted = replace(wanted, max_lean_F=np.full(F, 0.05))

    def apart(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        parts = x.reshape(4, M)
        return parts[0] - parts[1], parts[2] - parts[3]

    def lost(x: np.ndarray) -> float:
        weight_M, _ = apart(x)
        paid = wanted.price_M @ x[2 * M :].reshape(2, M).sum(axis=0)
        paid += wanted.impact_M @ (weight_M - wanted.held_M) ** 2
        earned = wanted.gain_M @ weight_M - wanted.aversion / 2 * wanted.risk.variance(weight_M)
        return 1e4 * float(paid - earned)

    limits = [
        {"type": "eq", "fun": lambda x: apart(x)[0] - wanted.held_M - apart(x)[1]},
        {"type": "eq", "fun": lambda x: apart(x)[0].sum()},
        {"type": "ineq", "fun": lambda x: wanted.gross - x[: 2 * M].sum()},
        {"type": "ineq", "fun": lambda x: wanted.max_turnover - x[2 * M :].sum()},
        {"type": "ineq", "fun": lambda x: 0.05 - apart(x)[0] @ wanted.risk.exposure_MF},
        {"type": "ineq", "fun": lambda x: 0.05 + apart(x)[0] @ wanted.risk.exposure_MF},
    ]
    bounds = [(0.0, 0.1)] * (2 * M) + [(0.0, 1.0)] * (2 * M)
    found = optimize.minimize(
        lost, np.zeros(4 * M), bounds=bounds, constraints=limits, options={"maxiter": 500}
    )
    assert found.success
    weight_M = best_book(wanted, "test")
    assert worth(wanted, weight_M) >= -found.fun / 1e4 - 1e-9
    assert weight_M == pytest.approx(apart(found.x)[0], abs=2e-4)


@settings(max_examples=60, deadline=None)
@given(
    M=st.integers(3, 60),
    seed=st.integers(0, 10_000),
    aversion=st.sampled_from([0.5, 5.0, 100.0, 10_000.0]),
    turnover=st.sampled_from([0.001, 0.1, np.inf]),
    lean=st.sampled_from([0.01, 0.3, np.inf]),
)
def test_the_limits_hold(M: int, seed: int, aversion: float, turnover: float, lean: float) -> None:
    wanted = drawn(M, seed, aversion=aversion, max_turnover=turnover)
    F = wanted.risk.exposure_MF.shape[1]
    weight_M = best_book(replace(wanted, max_lean_F=np.full(F, lean)), "test")
    assert abs(weight_M.sum()) < 1e-6
    assert np.abs(weight_M).sum() < 0.6 + 1e-6
    assert np.abs(weight_M).max() <= 0.1
    assert np.abs(weight_M @ wanted.risk.exposure_MF).max() < lean + 1e-6
    free = best_book(replace(wanted, max_turnover=np.inf), "test")
    assert worth(wanted, weight_M) <= worth(wanted, free) + 1e-9


def test_the_order_of_the_stocks_does_not_matter() -> None:
    wanted = drawn(50, 3)
    order = np.random.default_rng(0).permutation(50)
    moved = replace(
        wanted,
        risk=FactorRisk(
            exposure_MF=wanted.risk.exposure_MF[order],
            covariance_FF=wanted.risk.covariance_FF,
            specific_M=wanted.risk.specific_M[order],
        ),
        gain_M=wanted.gain_M[order],
        held_M=wanted.held_M[order],
        impact_M=wanted.impact_M[order],
    )
    assert best_book(moved, "x") == pytest.approx(best_book(wanted, "x")[order], abs=1e-12)
