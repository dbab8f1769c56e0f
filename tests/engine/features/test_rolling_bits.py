"""What must hold to the last bit: no look-ahead, no trace of older history, no trace of the threads."""

from collections.abc import Callable

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.features import rolling
from engine.features.kernels.moments import deviation_rows
from engine.features.rolling import BLOCK

Array = NDArray[np.float64]
SESSIONS = 500


def sample(seed: int) -> Array:
    """Rows: a walk, the same with gaps, a large level, steps of constants, spikes; the last is a market."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 1, (6, SESSIONS)).cumsum(axis=1) + 100.0
    x[1, rng.random(SESSIONS) < 0.3] = np.nan
    x[1, 100:200] = np.nan
    x[2] = 1e6 + rng.normal(0, 1e-3, SESSIONS)
    x[3] = np.repeat(rng.normal(size=SESSIONS // 50), 50)
    x[4] = rng.normal(size=SESSIONS) * 10.0 ** rng.integers(-6, 6, SESSIONS)
    return x


Kernel = Callable[[Array, int], tuple[Array, ...]]
KERNELS: dict[str, Kernel] = {
    "mean": lambda x, w: (rolling.mean(x, w),),
    "sum_": lambda x, w: (rolling.sum_(x, w),),
    "std": lambda x, w: (rolling.std(x, w),),
    "skewness": lambda x, w: (rolling.skewness(x, w),),
    "kurtosis": lambda x, w: (rolling.kurtosis(x, w),),
    "maximum": lambda x, w: (rolling.maximum(x, w),),
    "minimum": lambda x, w: (rolling.minimum(x, w),),
    "since_maximum": lambda x, w: (rolling.since_maximum(x, w),),
    "since_minimum": lambda x, w: (rolling.since_minimum(x, w),),
    "rank": lambda x, w: (rolling.rank(x, w),),
    "quantile": lambda x, w: (rolling.quantile(x, w, 0.2),),
    "regression": lambda x, w: rolling.regression(x, x[-1], w),
    "correlation": lambda x, w: (rolling.correlation(x, x[::-1], w),),
    "trend": rolling.trend,
    "ewm": lambda x, w: (rolling.ewm(x, w),),
}


def same(a: Array, b: Array) -> bool:
    """Equal bit for bit; any NaN equals any other."""
    return np.array_equal(a, b, equal_nan=True)


@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    window=st.sampled_from([1, 2, 7, 20, 64, 65]),
    skip=st.integers(1, 3),
)
@pytest.mark.parametrize("name", KERNELS)
def test_older_history_leaves_no_trace(name: str, seed: int, window: int, skip: int) -> None:
    kernel, x, cut = KERNELS[name], sample(seed), skip * BLOCK
    lookback = window
    if name == "ewm":
        window = min(window, 20)
        lookback = rolling.lookback_ewm(window)
    first = cut + -(-lookback // BLOCK) * BLOCK + BLOCK
    for whole, part in zip(kernel(x, window), kernel(x[:, cut:], window), strict=True):
        assert same(whole[:, first:], part[:, first - cut :])


@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    window=st.sampled_from([1, 2, 7, 20, 64, 65]),
    last=st.integers(60, SESSIONS - 1),
)
@pytest.mark.parametrize("name", KERNELS)
def test_the_future_leaves_no_trace(name: str, seed: int, window: int, last: int) -> None:
    kernel, x = KERNELS[name], sample(seed)
    changed = x.copy()
    changed[:, last + 1 :] = 1e9 * np.random.default_rng(seed).normal(size=SESSIONS - last - 1)
    changed[0, last + 1 :] = np.nan
    for before, after in zip(kernel(x, window), kernel(changed, window), strict=True):
        assert same(before[:, : last + 1], after[:, : last + 1])


@pytest.mark.parametrize("name", KERNELS)
def test_threads_leave_no_trace(name: str) -> None:
    kernel, x = KERNELS[name], sample(0)
    several = kernel(x, 20)
    threads = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        alone = kernel(x, 20)
    finally:
        numba.set_num_threads(threads)
    assert all(same(a, b) for a, b in zip(several, alone, strict=True))


def test_windows_computed_together_equal_windows_computed_alone() -> None:
    x, windows = sample(0)[[0, 2, 3, 4]], np.array([5, 20, 60])
    need = np.array([3, 12, 36])
    together = np.empty((len(x), windows.size, SESSIONS))
    deviation_rows(x, windows, need, together)
    for k, window in enumerate(windows):
        assert same(together[:, k], rolling.std(x, int(window)))
