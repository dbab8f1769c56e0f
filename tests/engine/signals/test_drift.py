"""PSI and KS by hand, against scipy, and when a variable counts as drifted."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from engine.config import SignalConfig
from engine.signals.drift import Distribution, Reference, has_drifted

LIMITS = SignalConfig(psi_limit=0.25, ks_limit=0.2)


def normal(seed: int, n: int = 2000, shift: float = 0.0, scale: float = 1.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, scale, n)


def reference(days: int = 16) -> Distribution:
    return Distribution.of([normal(day) for day in range(days)])


def test_psi_by_hand() -> None:
    """All of today's 50 in the top tenth: nine empty bins (as half a stock, 0.01), one full.

    The reference's own bins hold 10 of its 101 percentiles each, the top one 11; no value is unknown.
    """
    known = Distribution.of([np.arange(101.0)])
    q, top = 10 / 101, 11 / 101
    by_hand = 9 * (0.01 - q) * np.log(0.01 / q) + (1 - top) * np.log(1 / top)
    assert known.psi_of(np.full(50, 99.0)) == pytest.approx(by_hand, rel=1e-9)


def test_unknown_values_are_a_bin_of_their_own() -> None:
    known = reference()
    today = normal(99)
    assert known.psi_of(today) < 0.02
    today[::2] = np.nan
    assert known.psi_of(today) == pytest.approx(
        (0.5 - 0.001) * np.log(0.5 / 0.001) + 10 * (0.05 - 0.1) * np.log(0.05 / 0.1), rel=0.05
    )


@given(st.floats(-2, 2), st.floats(0.5, 2), st.integers(100, 130))
def test_ks_is_that_of_scipy_to_a_percentile(shift: float, scale: float, seed: int) -> None:
    every = np.concatenate([normal(day) for day in range(16)])
    today = normal(seed, 500, shift, scale)
    assert reference().ks_of(today) == pytest.approx(ks_2samp(every, today).statistic, abs=0.02)


def test_ties_and_constants_are_no_drift() -> None:
    known = Distribution.of([np.repeat([0.0, 1.0], 50)] * 4)
    assert known.psi_of(np.repeat([0.0, 1.0], 20)) < 1e-3
    assert known.ks_of(np.repeat([0.0, 1.0], 20)) < 0.02
    same = Distribution.of([np.zeros(50)] * 3)
    assert (same.psi_of(np.zeros(9)), same.ks_of(np.zeros(9))) == (0.0, 0.0)
    assert same.ks_of(np.ones(9)) == 1.0


def test_a_variable_without_any_value_is_equal_to_itself_only() -> None:
    empty = Distribution.of([np.full(20, np.nan)])
    assert empty.psi_of(np.full(5, np.nan)) == 0.0
    assert empty.ks_of(np.full(5, np.nan)) == 0.0
    assert empty.ks_of(np.ones(5)) == 1.0
    assert empty.psi_of(np.ones(5)) > 1.0


def test_what_is_usual_is_no_drift_and_what_is_not_is() -> None:
    known = reference()
    assert not has_drifted(known.drift(normal(77)), LIMITS)
    assert has_drifted(known.drift(normal(77, shift=1.5)), LIMITS)
    assert has_drifted(known.drift(normal(77, scale=4.0)), LIMITS)
    restless = Distribution.of([normal(d, shift=2.0 * (-1) ** d) for d in range(16)])
    assert not has_drifted(restless.drift(normal(77, shift=2.0)), LIMITS)


def test_few_stocks_are_given_their_chance() -> None:
    hits = [has_drifted(reference().drift(normal(200 + d, 30)), LIMITS) for d in range(40)]
    assert sum(hits) <= 2


def test_a_reference_survives_its_bytes() -> None:
    made = Reference(
        features={"a": reference(), "b": Distribution.of([np.full(3, np.nan)])},
        scores=reference(4),
        deviation=0.25,
        sessions=16,
    )
    again = Reference.from_bytes(made.to_bytes())
    assert again.to_bytes() == made.to_bytes()
    today = {"a": normal(5), "b": np.ones(3)}
    assert again.drift(today) == made.drift(today)
    assert (again.deviation, again.sessions) == (0.25, 16)
