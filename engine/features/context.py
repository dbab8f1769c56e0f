"""What a feature may look at: dense arrays of the past, and the series several features share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numba import njit, prange
from numpy.typing import NDArray

from engine.data.panel import DensePanel
from engine.data.universe import MARKET_SERIES
from engine.features import rolling

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Context:
    """Inputs and shared intermediates of the catalog. Arrays are ``[N, S]`` or ``[S]``; NaN = unknown.

    Column t of every member depends on bars of sessions <= t only. The columns are a window of the
    panel's sessions that starts at a multiple of `rolling.BLOCK`; for market-scope features they are
    all sessions and N is 0.
    """

    dense: DensePanel
    member_NS: NDArray[np.bool_]
    market_KS: Array
    """Rows of `engine.data.universe.MARKET_SERIES`."""
    graph: Mapping[str, Array] = field(default_factory=dict)
    """Figures of each stock's place in the newest graph, ``[N, S]`` by name; empty without a graph."""
    neighbours: Callable[[Array], Array] | None = None
    """Mean of ``[N, S]`` values over the stocks that each one listens to."""
    shared: dict[str, object] = field(default_factory=dict)
    """What several features of a family prepare from a table, by name."""
    _memory: dict[tuple[object, ...], Array] = field(default_factory=dict)

    @property
    def tables(self) -> Mapping[str, pl.DataFrame]:
        """Optional tables of the source, whole."""
        return self.dense.tables

    def once(self, key: tuple[object, ...], compute: Callable[[], Array]) -> Array:
        """The array under ``key``, computed at the first call."""
        if key not in self._memory:
            self._memory[key] = compute()
        return self._memory[key]

    @property
    def close(self) -> Array:
        return self.dense.close_NS

    @property
    def open(self) -> Array:
        return self.dense.open_NS

    @property
    def high(self) -> Array:
        return self.dense.high_NS

    @property
    def low(self) -> Array:
        return self.dense.low_NS

    @property
    def volume(self) -> Array:
        return self.dense.volume_NS

    @property
    def turnover(self) -> Array:
        return self.dense.turnover_NS

    @property
    def return_NS(self) -> Array:
        """close[t] / close[t-1] - 1; NaN unless both sessions have a bar."""
        return self.once(("return",), lambda: self.total_return(1))

    @property
    def log_close(self) -> Array:
        return self.once(("log close",), lambda: np.log(self.close))

    @property
    def log_volume(self) -> Array:
        """NaN without volume."""
        return self.once(
            ("log volume",), lambda: np.log(np.where(self.volume > 0, self.volume, np.nan))
        )

    def market(self, name: str) -> Array:
        """``[S]``: one of `engine.data.universe.MARKET_SERIES`."""
        return np.asarray(self.market_KS[MARKET_SERIES.index(name)])

    @property
    def market_S(self) -> Array:
        """Daily market return: the index, or the mean over the members of the session before."""
        return self.market("return")

    @property
    def market_level_S(self) -> Array:
        """Market index rebuilt from its returns, 1 at the start."""
        return np.asarray(np.cumprod(1.0 + np.nan_to_num(self.market_S)))

    @property
    def overnight_NS(self) -> Array:
        """open[t] / close[t-1] - 1."""
        return self.once(("overnight",), lambda: self.open / rolling.shift(self.close, 1) - 1.0)

    @property
    def intraday_NS(self) -> Array:
        """close[t] / open[t] - 1."""
        return self.once(("intraday",), lambda: self.close / self.open - 1.0)

    @property
    def held_NS(self) -> NDArray[np.bool_]:
        """Members of the session before."""
        out_NS = np.zeros_like(self.member_NS)
        out_NS[:, 1:] = self.member_NS[:, :-1]
        return out_NS

    @property
    def sector_return_NS(self) -> Array:
        """Mean return of the stock's sector among members of the session before, without the stock."""
        return self.once(("sector return",), lambda: self.sector_mean(self.return_NS))

    @property
    def residual_NS(self) -> Array:
        """Return minus beta60 (of the session before) times the market return."""

        def compute() -> Array:
            beta_NS = rolling.shift(self.beta(60), 1)
            return self.return_NS - np.where(np.isfinite(beta_NS), beta_NS, 1.0) * self.market_S

        return self.once(("residual",), compute)

    def total_return(self, sessions: int) -> Array:
        """close[t] / close[t - sessions] - 1."""
        if sessions == 1:
            return self.close / rolling.shift(self.close, 1) - 1.0
        return self.once(
            ("total return", sessions),
            lambda: self.close / rolling.shift(self.close, sessions) - 1.0,
        )

    def sum_of(self, x_NS: Array, sessions: int) -> Array:
        """Window mean times its length: a sum that counts missing sessions as average ones."""
        return rolling.mean(x_NS, sessions) * sessions

    def mean_close(self, window: int) -> Array:
        return self.once(("mean close", window), lambda: rolling.mean(self.close, window))

    def mean_volume(self, window: int) -> Array:
        return self.once(("mean volume", window), lambda: rolling.mean(self.volume, window))

    def volatility(self, window: int) -> Array:
        """Standard deviation of daily returns."""
        return self.once(("volatility", window), lambda: rolling.std(self.return_NS, window))

    def highest(self, window: int) -> Array:
        return self.once(("highest", window), lambda: rolling.maximum(self.high, window))

    def lowest(self, window: int) -> Array:
        return self.once(("lowest", window), lambda: rolling.minimum(self.low, window))

    def beta(self, window: int) -> Array:
        """Slope of the return on the market's."""
        self._regress(window)
        return self._memory["beta", window]

    def market_correlation(self, window: int) -> Array:
        self._regress(window)
        return self._memory["market correlation", window]

    def _regress(self, window: int) -> None:
        if ("beta", window) not in self._memory:
            slope, rho = rolling.regression(self.return_NS, self.market_S, window)
            self._memory["beta", window] = slope
            self._memory["market correlation", window] = rho

    def sector_mean(self, x_NS: Array) -> Array:
        """Mean of the sector's other stocks that were members of the session before; NaN without one."""
        return _mean_of_others(
            x_NS, self.held_NS, self.dense.sector_N.astype(np.int64), len(self.dense.sectors)
        )


@njit(parallel=True, cache=True)
def _mean_of_others(
    x_NS: Array, held_NS: NDArray[np.bool_], sector_N: NDArray[np.int64], n_sectors: int
) -> Array:
    N, S = x_NS.shape
    out_NS = np.full((N, S), np.nan)
    width = 64
    for block in prange((S + width - 1) // width):
        first, last = block * width, min(S, block * width + width)
        total = np.zeros((n_sectors, width))
        count = np.zeros((n_sectors, width))
        for i in range(N):
            k = sector_N[i]
            if k < 0:
                continue
            for t in range(first, last):
                if held_NS[i, t] and np.isfinite(x_NS[i, t]):
                    total[k, t - first] += x_NS[i, t]
                    count[k, t - first] += 1.0
        for i in range(N):
            k = sector_N[i]
            if k < 0:
                continue
            for t in range(first, last):
                own = held_NS[i, t] and np.isfinite(x_NS[i, t])
                others = count[k, t - first] - (1.0 if own else 0.0)
                if others > 0:
                    rest = total[k, t - first] - (x_NS[i, t] if own else 0.0)
                    out_NS[i, t] = rest / others
    return out_NS
