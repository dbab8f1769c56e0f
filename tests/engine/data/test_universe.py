import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.config import UniverseConfig
from engine.data.panel import DensePanel
from engine.data.universe import _membership_NS


def dense(close: np.ndarray, turnover: np.ndarray) -> DensePanel:
    n, s = close.shape
    return DensePanel(
        dates_S=np.datetime64("2020-01-01", "D") + np.arange(s),
        symbols=tuple(f"S{i}" for i in range(n)),
        open_NS=close,
        high_NS=close,
        low_NS=close,
        close_NS=close,
        close_raw_NS=close,
        volume_NS=turnover / close,
        turnover_NS=turnover,
        sector_N=np.full(n, -1, dtype=np.int16),
        sectors=(),
        index_close_S=None,
        bars_before_N=np.zeros(n, dtype=np.int64),
    )


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.integers(1, 6), st.integers(1, 8))
def test_membership_equals_the_plain_definition(seed: int, window: int, history: int) -> None:
    rng = np.random.default_rng(seed)
    close = rng.uniform(3, 8, (4, 30))
    close[rng.random((4, 30)) < 0.2] = np.nan
    turnover = rng.choice([0.0, 5.0, 10.0, 20.0], (4, 30))
    turnover[np.isnan(close)] = np.nan
    config = UniverseConfig(
        min_history=20, min_price=5.0, min_turnover=10.0, turnover_sessions=window
    ).model_copy(update={"min_history": history})
    got = _membership_NS(dense(close, turnover), config)
    filled = np.nan_to_num(turnover)
    for i in range(4):
        for t in range(30):
            bars = np.isfinite(close[i, : t + 1])
            expected = (
                bars[t]
                and bars.sum() >= history
                and close[i, t] >= 5.0
                and t >= window - 1
                and np.median(filled[i, t - window + 1 : t + 1]) >= 10.0
            )
            assert got[i, t] == expected
