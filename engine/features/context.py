"""What a feature may look at: dense arrays of the past, and the series several features share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar, cast

import numpy as np
import polars as pl
from numba import njit, prange
from numpy.typing import NDArray

from engine.data.panel import DensePanel
from engine.data.universe import MARKET_SERIES

Array = NDArray[np.float64]
_T = TypeVar("_T")


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
    _memory: dict[object, object] = field(default_factory=dict)

    @property
    def tables(self) -> Mapping[str, pl.DataFrame]:
        """Optional tables of the source, whole."""
        return self.dense.tables

    def once(self, key: object, compute: Callable[[], _T]) -> _T:
        """What ``compute`` gives, such as an array ``[N, S]``; computed at the first call with ``key``."""
        if key not in self._memory:
            self._memory[key] = compute()
        return cast(_T, self._memory[key])

    def _table(self, name: str) -> Array:
        """A table of the window, copied when it is first asked for: few features look at all of them."""
        return self.once(name, lambda: np.ascontiguousarray(getattr(self.dense, f"{name}_NS")))

    @property
    def close(self) -> Array:
        """``[N, S]``: adjusted close, NaN without a bar."""
        return self._table("close")

    @property
    def open(self) -> Array:
        """``[N, S]``: adjusted open, NaN without one."""
        return self._table("open")

    @property
    def high(self) -> Array:
        """``[N, S]``: adjusted high, NaN without a bar."""
        return self._table("high")

    @property
    def low(self) -> Array:
        """``[N, S]``: adjusted low, NaN without a bar."""
        return self._table("low")

    @property
    def volume(self) -> Array:
        """``[N, S]``: adjusted shares traded, NaN without a bar."""
        return self._table("volume")

    @property
    def turnover(self) -> Array:
        """``[N, S]``: value traded in the quote currency, NaN without a bar."""
        return self._table("turnover")

    def market(self, name: str) -> Array:
        """``[S]``: one of `engine.data.universe.MARKET_SERIES`."""
        return np.asarray(self.market_KS[MARKET_SERIES.index(name)])

    def sector_mean(self, x_NS: Array) -> Array:
        """``[N, S]``: mean over the other stocks of the stock's sector that were members of the session
        before; NaN where the sector is unknown or has no other.
        """
        held_NS = np.zeros_like(self.member_NS)
        held_NS[:, 1:] = self.member_NS[:, :-1]
        sector_N = self.dense.sector_N.astype(np.int64)
        return _mean_of_others(x_NS, held_NS, sector_N, len(self.dense.sectors))


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
