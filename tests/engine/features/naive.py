"""Rolling statistics the obvious way: one Python call a window."""

from collections.abc import Callable

import numpy as np
import polars as pl
from numpy.typing import NDArray

Array = NDArray[np.float64]
Statistic = Callable[[Array], float]


def rolled(x: Array, window: int, need: int, statistic: Statistic, *, gaps: bool = False) -> Array:
    """The statistic of each full window's valid entries (of all entries if ``gaps``)."""
    out = np.full_like(x, np.nan)
    for i in range(x.shape[0]):
        for t in range(window - 1, x.shape[1]):
            values = x[i, t - window + 1 : t + 1]
            valid = np.isfinite(values)
            if valid.sum() >= need:
                out[i, t] = statistic(values if gaps else values[valid])
    return out


def by_polars(x: Array, window: int, need: int, method: str, **options: object) -> Array:
    """``rolling_<method>`` of polars row by row; NaN before the first full window."""
    rows = []
    for row in x:
        column = pl.Series(row).fill_nan(None)
        rolling = getattr(column, f"rolling_{method}")
        values = rolling(window_size=window, min_samples=min(need, window), **options)
        rows.append(values.fill_null(float("nan")).to_numpy())
    out = np.array(rows, dtype=float).reshape(x.shape)
    out[:, : window - 1] = np.nan
    return out


def constant(values: Array) -> bool:
    return float(values.min()) == float(values.max())


def mid_rank(values: Array) -> float:
    """Share of the last entry's mean rank; NaN if it is missing."""
    valid = values[np.isfinite(values)]
    if np.isnan(values[-1]):
        return float("nan")
    below, equal = (valid < values[-1]).sum(), (valid == values[-1]).sum()
    return float(below + (equal + 1) / 2) / valid.size


def fit(values: Array) -> tuple[float, float, float]:
    """Slope, R^2 and last residual on the session number."""
    at = np.flatnonzero(np.isfinite(values)).astype(float)
    y = values[np.isfinite(values)]
    if constant(y):
        return 0.0, float("nan"), float(0.0 if np.isfinite(values[-1]) else np.nan)
    dx, dy = at - at.mean(), y - y.mean()
    slope = (dx @ dy) / (dx @ dx)
    residual = values[-1] - y.mean() - slope * (values.size - 1 - at.mean())
    return slope, (dx @ dy) ** 2 / ((dx @ dx) * (dy @ dy)), residual


def pearson(x: Array, y: Array) -> float:
    both = np.isfinite(x) & np.isfinite(y)
    a, b = x[both], y[both]
    if constant(a) or constant(b):
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])
