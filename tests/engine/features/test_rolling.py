"""Every kernel against a slow and obvious twin: gaps, constants, spikes, large levels, short rows."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from engine.features import rolling
from tests.engine.features import naive
from tests.engine.features.naive import Array

WINDOWS = (1, 3, 5, 20, 70)
ROWS = 5


def sample(seed: int, sessions: int = 150) -> Array:
    """A walk with gaps, one with a long gap, steps of constants, spikes, and a large level."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 3, (ROWS, sessions)).cumsum(axis=1) + 100.0
    x[0, rng.random(sessions) < 0.25] = np.nan
    x[1, sessions // 3 : sessions // 2] = np.nan
    x[2] = np.round(np.repeat(rng.normal(3, 1, sessions // 10 + 1), 10)[:sessions], 1)
    x[2, rng.random(sessions) < 0.1] = np.nan
    x[3] = rng.normal(size=sessions) * np.where(rng.random(sessions) < 0.05, 1e6, 1.0)
    x[4] = 1e6 + rng.normal(0, 1e-1, sessions)
    return x


def skewness(v: Array) -> float:
    return float("nan") if naive.constant(v) else float(stats.skew(v))


def kurtosis(v: Array) -> float:
    return float("nan") if naive.constant(v) else float(stats.kurtosis(v))


Kernel = Callable[[Array, int], Array]
Twin = Callable[[Array, int, int], Array]
KERNELS: dict[str, tuple[Kernel, int, Twin]] = {
    "mean": (rolling.mean, 1, lambda x, w, n: naive.rolled(x, w, n, lambda v: v.mean())),
    "sum": (rolling.sum_, 1, lambda x, w, n: naive.rolled(x, w, n, lambda v: v.sum())),
    "std": (
        rolling.std,
        2,
        lambda x, w, n: naive.rolled(
            x, w, n, lambda v: 0.0 if naive.constant(v) else float(v.std(ddof=1))
        ),
    ),
    "skewness": (rolling.skewness, 3, lambda x, w, n: naive.rolled(x, w, n, skewness)),
    "kurtosis": (rolling.kurtosis, 4, lambda x, w, n: naive.rolled(x, w, n, kurtosis)),
    "maximum": (rolling.maximum, 1, lambda x, w, n: naive.by_polars(x, w, n, "max")),
    "minimum": (rolling.minimum, 1, lambda x, w, n: naive.by_polars(x, w, n, "min")),
    "quantile": (
        lambda x, w: rolling.quantile(x, w, 0.8),
        1,
        lambda x, w, n: naive.by_polars(x, w, n, "quantile", quantile=0.8, interpolation="linear"),
    ),
    "rank": (rolling.rank, 1, lambda x, w, n: naive.rolled(x, w, n, naive.mid_rank, gaps=True)),
    "since_maximum": (
        rolling.since_maximum,
        1,
        lambda x, w, n: naive.rolled(x, w, n, lambda v: float(np.nanargmax(v[::-1])), gaps=True),
    ),
    "since_minimum": (
        rolling.since_minimum,
        1,
        lambda x, w, n: naive.rolled(x, w, n, lambda v: float(np.nanargmin(v[::-1])), gaps=True),
    ),
    "slope": (
        lambda x, w: rolling.trend(x, w)[0],
        3,
        lambda x, w, n: naive.rolled(x, w, n, lambda v: naive.fit(v)[0], gaps=True),
    ),
    "r2": (
        lambda x, w: rolling.trend(x, w)[1],
        3,
        lambda x, w, n: naive.rolled(x, w, n, lambda v: naive.fit(v)[1], gaps=True),
    ),
    "residual": (
        lambda x, w: rolling.trend(x, w)[2],
        3,
        lambda x, w, n: naive.rolled(x, w, n, lambda v: naive.fit(v)[2], gaps=True),
    ),
}


def assert_close(got: Array, expected: Array, x: Array) -> None:
    """Equal gaps; values to 1e-6 relative, or to what rounding the row's own values may cost."""
    assert np.array_equal(np.isnan(got), np.isnan(expected))
    for i in range(len(x)):
        size = float(np.nanmax(np.abs(x[i]), initial=0.0))
        np.testing.assert_allclose(got[i], expected[i], rtol=1e-6, atol=1e-12 * size + 1e-6)


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 10**6), window=st.sampled_from(WINDOWS))
@pytest.mark.parametrize("name", KERNELS)
def test_kernel_equals_its_twin(name: str, seed: int, window: int) -> None:
    kernel, fewest, twin = KERNELS[name]
    x = sample(seed)
    need = max(fewest, rolling.needed(window))
    assert_close(kernel(x, window), twin(x, window, need), x)


VALUES = st.sampled_from([np.nan, np.inf, 0.0, 1.0, 1.0, -2.5, 3.0, 1e5])


@settings(max_examples=30, deadline=None)
@given(row=st.lists(VALUES, max_size=12), window=st.integers(1, 6))
@pytest.mark.parametrize("name", KERNELS)
def test_short_rows(name: str, row: list[float], window: int) -> None:
    kernel, fewest, twin = KERNELS[name]
    x = np.array([row], dtype=float).reshape(1, -1)
    finite = np.where(np.isfinite(x), x, np.nan)
    need = max(fewest, rolling.needed(window))
    assert_close(kernel(x, window), twin(finite, window, need), finite)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e6 + 1 / 3])
def test_a_constant_window_after_wild_moves_is_constant_exactly(value: float) -> None:
    rng = np.random.default_rng(0)
    x = np.full((1, 200), value)
    x[0, :100] = rng.normal(0, 1e7, 100)
    other = rng.normal(size=x.shape)
    tail = slice(120, None)
    assert (rolling.std(x, 20)[0, tail] == 0).all()
    slope, r2, residual = rolling.trend(x, 20)
    assert (slope[0, tail] == 0).all()
    assert (residual[0, tail] == 0).all()
    nothing = (
        r2,
        rolling.skewness(x, 20),
        rolling.kurtosis(x, 20),
        rolling.correlation(x, other, 20),
        rolling.correlation(other, x, 20),
        rolling.regression(other, x[0], 20)[0],
    )
    assert all(np.isnan(result[0, tail]).all() for result in nothing)
    assert rolling.sum_(x, 20)[0, tail] == pytest.approx(20 * value, rel=1e-12, abs=0)


def test_large_levels_do_not_drown_small_moves() -> None:
    """Prices near 1e8 with moves of 1e-2: the deviation is right to five digits."""
    rng = np.random.default_rng(0)
    x = 1e8 + rng.normal(0, 0.01, (1, 3000))
    expected = naive.rolled(x[:, -400:], 20, 12, lambda v: float(v.std(ddof=1)))[0, 30:]
    np.testing.assert_allclose(rolling.std(x, 20)[0, -370:], expected, rtol=2e-4)


@pytest.mark.parametrize("window", [3, 10, 70])
def test_correlation_and_regression_equal_their_twins(window: int) -> None:
    x, y = sample(1), sample(2)[::-1].copy()
    need = max(3, rolling.needed(window))
    got = rolling.correlation(x, y, window)
    slope, rho = rolling.regression(x, y[0], window)
    for t in range(window - 1, x.shape[1]):
        part = slice(t - window + 1, t + 1)
        for i in range(ROWS):
            pairs = np.isfinite(x[i, part]) & np.isfinite(y[i, part])
            expected = naive.pearson(x[i, part], y[i, part]) if pairs.sum() >= need else np.nan
            assert got[i, t] == pytest.approx(expected, rel=1e-6, abs=1e-6, nan_ok=True)
            both = np.isfinite(x[i, part]) & np.isfinite(y[0, part])
            if both.sum() < need:
                assert np.isnan(slope[i, t])
                assert np.isnan(rho[i, t])
                continue
            a, b = y[0, part][both], x[i, part][both]
            level = b.mean()
            fitted = np.polyfit(a - a.mean(), b - level, 1)[0]
            assert slope[i, t] == pytest.approx(fitted, rel=1e-6, abs=1e-9 * np.abs(b).max())
            expected = naive.pearson(a, b)
            assert rho[i, t] == pytest.approx(expected, rel=1e-6, abs=1e-6, nan_ok=True)


def test_ewm_by_hand() -> None:
    x = np.array([[1.0, np.nan, 3.0, 5.0]])
    result = rolling.ewm(x, 3)[0]
    assert result[0] == 1.0
    assert np.isnan(result[1])
    assert result[2:].tolist() == [2.0, 3.5]


def test_ewm_forgets_only_what_weighs_nothing() -> None:
    """A finite memory of 6 spans: within e^-12 of the range of the endless mean."""
    x = np.random.default_rng(0).normal(0, 1, (1, 600))
    level, expected = x[0, 0], [x[0, 0]]
    for v in x[0, 1:]:
        level += 0.2 * (v - level)
        expected.append(level)
    np.testing.assert_allclose(rolling.ewm(x, 9)[0], expected, atol=6 * np.exp(-12))


def test_bad_arguments_are_refused() -> None:
    x = np.ones((2, 5))
    with pytest.raises(ValueError, match="look ahead"):
        rolling.shift(x, -1)
    with pytest.raises(ValueError, match="window"):
        rolling.mean(x, 0)
    with pytest.raises(ValueError, match="quantile"):
        rolling.quantile(x, 3, 1.5)
    with pytest.raises(ValueError, match="shapes"):
        rolling.correlation(x, x[:1], 3)
    assert np.isnan(rolling.shift(x, 9)).all()
