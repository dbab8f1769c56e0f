"""Every kernel against a slow and obvious twin, with gaps; and none looks ahead."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from engine.features import rolling

Array = NDArray[np.float64]
WINDOW = 5


def sample(seed: int, gaps: float = 0.2) -> Array:
    rng = np.random.default_rng(seed)
    x = rng.normal(100, 3, (3, 40)).cumsum(axis=1)
    x[rng.random(x.shape) < gaps] = np.nan
    return x


def naive(x: Array, window: int, need: int, statistic: Callable[[Array], float]) -> Array:
    out = np.full_like(x, np.nan)
    for i in range(x.shape[0]):
        for t in range(window - 1, x.shape[1]):
            values = x[i, t - window + 1 : t + 1]
            values = values[np.isfinite(values)]
            if values.size >= need:
                out[i, t] = statistic(values)
    return out


KERNELS: dict[str, tuple[Callable[[Array, int], Array], int, Callable[[Array], float]]] = {
    "mean": (rolling.mean, 3, lambda v: float(v.mean())),
    "std": (rolling.std, 3, lambda v: float(v.std(ddof=1))),
    "maximum": (rolling.maximum, 3, lambda v: float(v.max())),
    "minimum": (rolling.minimum, 3, lambda v: float(v.min())),
    "skewness": (rolling.skewness, 3, lambda v: float(stats.skew(v))),
}


@settings(max_examples=20)
@given(st.integers(0, 10**6))
@pytest.mark.parametrize("name", KERNELS)
def test_kernel_equals_its_twin(name: str, seed: int) -> None:
    kernel, need, statistic = KERNELS[name]
    x = sample(seed)
    np.testing.assert_allclose(
        kernel(x, WINDOW), naive(x, WINDOW, need, statistic), rtol=1e-8, atol=1e-8
    )


@pytest.mark.parametrize("name", KERNELS)
def test_kernel_does_not_look_ahead(name: str) -> None:
    kernel, _, _ = KERNELS[name]
    x, cut = sample(3), 25
    changed = x.copy()
    changed[:, cut + 1 :] = 1e9
    assert np.array_equal(
        kernel(x, WINDOW)[:, : cut + 1], kernel(changed, WINDOW)[:, : cut + 1], equal_nan=True
    )


def test_large_levels_do_not_drown_small_moves() -> None:
    """Prices near 1e8 with moves of 1e-2: the deviation is right to five digits."""
    rng = np.random.default_rng(0)
    x = 1e8 + rng.normal(0, 0.01, (1, 3000))
    expected = naive(x[:, -400:], 20, 12, lambda v: float(v.std(ddof=1)))[0, 30:]
    np.testing.assert_allclose(rolling.std(x, 20)[0, -370:], expected, rtol=2e-4)


def test_regression_equals_polyfit() -> None:
    y, x = sample(1), np.random.default_rng(2).normal(size=40)
    slope, rho = rolling.regression(y, x, 10)
    for i in range(3):
        for t in range(9, 40):
            part = slice(t - 9, t + 1)
            valid = np.isfinite(y[i, part])
            if valid.sum() < 6:
                assert np.isnan(slope[i, t])
                continue
            a, b = x[part][valid], y[i, part][valid]
            assert slope[i, t] == pytest.approx(np.polyfit(a, b, 1)[0], rel=1e-7)
            assert rho[i, t] == pytest.approx(np.corrcoef(a, b)[0, 1], rel=1e-7)


def test_ewm_by_hand_and_shift_refuses_the_future() -> None:
    x = np.array([[1.0, np.nan, 3.0, 5.0]])
    assert rolling.ewm(x, 3)[0].tolist()[0] == 1.0
    assert np.isnan(rolling.ewm(x, 3)[0, 1])
    assert rolling.ewm(x, 3)[0, 2:].tolist() == [2.0, 3.5]
    with pytest.raises(ValueError, match="look ahead"):
        rolling.shift(x, -1)
