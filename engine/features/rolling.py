"""Rolling statistics on dense ``[N, S]`` float64 arrays, one stock a row, one compiled pass each.

Column t of a result uses columns t - window + 1 .. t only. NaN entries are left out; a window with fewer
than 60 % valid entries gives NaN. Sums are taken afresh or updated per row from the series' start, so a
value never depends on what comes after it, to the last bit.
"""

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

Array = NDArray[np.float64]
MIN_VALID = 0.6
"""Share of a window that must be valid."""


def needed(window: int) -> int:
    """Fewest valid entries a window must have."""
    return max(1, int(np.ceil(MIN_VALID * window)))


def mean(x_NS: Array, window: int) -> Array:
    """Arithmetic mean of the window."""
    return _moments(x_NS, window, needed(window), False)


def std(x_NS: Array, window: int) -> Array:
    """Standard deviation of the window, divisor n - 1; NaN below two valid entries."""
    return _moments(x_NS, window, max(2, needed(window)), True)


def maximum(x_NS: Array, window: int) -> Array:
    """Largest valid entry of the window."""
    return _extreme(x_NS, window, needed(window), 1.0)


def minimum(x_NS: Array, window: int) -> Array:
    """Smallest valid entry of the window."""
    return _extreme(x_NS, window, needed(window), -1.0)


def skewness(x_NS: Array, window: int) -> Array:
    """Third standardised moment (divisor n); NaN for a constant window."""
    return _skew(x_NS, window, max(3, needed(window)))


def regression(y_NS: Array, x_S: Array, window: int) -> tuple[Array, Array]:
    """Slope and correlation of each row on one common series over the window (pairs both valid)."""
    return _regress(y_NS, x_S, window, max(3, needed(window)))


def ewm(x_NS: Array, span: float) -> Array:
    """Exponential mean with alpha = 2 / (span + 1), started at the first valid entry.

    A NaN leaves the mean where it was and gives NaN for that column.
    """
    return _ewm(x_NS, 2.0 / (span + 1.0))


def shift(x_NS: Array, sessions: int) -> Array:
    """The value ``sessions`` columns earlier; NaN for the first ones. Never looks ahead."""
    if sessions < 0:
        raise ValueError("a feature may not look ahead")
    out_NS = np.full_like(x_NS, np.nan)
    out_NS[:, sessions:] = x_NS[:, : x_NS.shape[1] - sessions]
    return out_NS


@njit(parallel=True, cache=True)
def _moments(x_NS: Array, window: int, need: int, deviation: bool) -> Array:
    N, S = x_NS.shape
    out_NS = np.full((N, S), np.nan)
    for i in prange(N):
        count, level = 0, 0.0
        total, square = 0.0, 0.0
        has_level = False
        for t in range(S):
            new = x_NS[i, t]
            if np.isfinite(new):
                if not has_level:
                    level, has_level = new, True
                count += 1
                total += new - level
                square += (new - level) ** 2
            if t >= window:
                old = x_NS[i, t - window]
                if np.isfinite(old):
                    count -= 1
                    total -= old - level
                    square -= (old - level) ** 2
            if t % window == 0:
                # Summed afresh once a window, around its newest value: rounding cannot pile up.
                count, total, square = 0, 0.0, 0.0
                for s in range(max(0, t - window + 1), t + 1):
                    v = x_NS[i, s]
                    if np.isfinite(v):
                        if count == 0:
                            level = v
                        count += 1
                        total += v - level
                        square += (v - level) ** 2
                has_level = count > 0
            if t < window - 1 or count < need:
                continue
            if deviation:
                variance = (square - total * total / count) / (count - 1)
                out_NS[i, t] = np.sqrt(max(variance, 0.0))
            else:
                out_NS[i, t] = level + total / count
    return out_NS


@njit(parallel=True, cache=True)
def _extreme(x_NS: Array, window: int, need: int, sign: float) -> Array:
    """Monotone queue: each entry enters and leaves once."""
    N, S = x_NS.shape
    out_NS = np.full((N, S), np.nan)
    for i in prange(N):
        queue = np.empty(S, dtype=np.int64)
        head, tail, count = 0, 0, 0
        for t in range(S):
            v = x_NS[i, t] * sign
            if np.isfinite(v):
                count += 1
                while tail > head and x_NS[i, queue[tail - 1]] * sign <= v:
                    tail -= 1
                queue[tail] = t
                tail += 1
            if t >= window and np.isfinite(x_NS[i, t - window]):
                count -= 1
            while tail > head and queue[head] <= t - window:
                head += 1
            if t >= window - 1 and count >= need:
                out_NS[i, t] = x_NS[i, queue[head]]
    return out_NS


@njit(parallel=True, cache=True)
def _skew(x_NS: Array, window: int, need: int) -> Array:
    N, S = x_NS.shape
    out_NS = np.full((N, S), np.nan)
    for i in prange(N):
        for t in range(window - 1, S):
            count, total = 0, 0.0
            for s in range(t - window + 1, t + 1):
                if np.isfinite(x_NS[i, s]):
                    count += 1
                    total += x_NS[i, s]
            if count < need:
                continue
            centre = total / count
            m2, m3 = 0.0, 0.0
            for s in range(t - window + 1, t + 1):
                if np.isfinite(x_NS[i, s]):
                    d = x_NS[i, s] - centre
                    m2 += d * d
                    m3 += d * d * d
            m2 /= count
            if m2 > 1e-20:
                out_NS[i, t] = (m3 / count) / m2**1.5
    return out_NS


@njit(parallel=True, cache=True)
def _regress(y_NS: Array, x_S: Array, window: int, need: int) -> tuple[Array, Array]:
    N, S = y_NS.shape
    slope_NS = np.full((N, S), np.nan)
    rho_NS = np.full((N, S), np.nan)
    for i in prange(N):
        for t in range(window - 1, S):
            n, sx, sy = 0, 0.0, 0.0
            for s in range(t - window + 1, t + 1):
                if np.isfinite(x_S[s]) and np.isfinite(y_NS[i, s]):
                    n += 1
                    sx += x_S[s]
                    sy += y_NS[i, s]
            if n < need:
                continue
            mx, my = sx / n, sy / n
            xx, yy, xy = 0.0, 0.0, 0.0
            for s in range(t - window + 1, t + 1):
                if np.isfinite(x_S[s]) and np.isfinite(y_NS[i, s]):
                    dx, dy = x_S[s] - mx, y_NS[i, s] - my
                    xx += dx * dx
                    yy += dy * dy
                    xy += dx * dy
            if xx > 0.0:
                slope_NS[i, t] = xy / xx
                if yy > 0.0:
                    rho_NS[i, t] = xy / np.sqrt(xx * yy)
    return slope_NS, rho_NS


@njit(parallel=True, cache=True)
def _ewm(x_NS: Array, alpha: float) -> Array:
    N, S = x_NS.shape
    out_NS = np.full((N, S), np.nan)
    for i in prange(N):
        level, started = 0.0, False
        for t in range(S):
            v = x_NS[i, t]
            if not np.isfinite(v):
                continue
            level = v if not started else level + alpha * (v - level)
            started = True
            out_NS[i, t] = level
    return out_NS
