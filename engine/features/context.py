"""What a feature may look at: dense arrays of the past, and the series several features share."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.data.panel import DensePanel
from engine.features import rolling

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Context:
    """Inputs and shared intermediates of the catalog. Arrays are ``[N, S]`` or ``[S]``; NaN = unknown.

    Column t of every member depends on bars of sessions <= t only.
    """

    dense: DensePanel
    member_NS: NDArray[np.bool_]
    _regressions: dict[int, tuple[Array, Array]] = field(default_factory=dict)
    tables: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    """Optional tables by name, whole; a feature uses rows with ``available`` up to its session only."""

    @cached_property
    def return_NS(self) -> Array:
        """close[t] / close[t-1] - 1; NaN unless both sessions have a bar."""
        return self.total_return(1)

    @cached_property
    def market_S(self) -> Array:
        """Daily market return: the index, or the mean over the members of the session before."""
        close_S = self.dense.index_close_S
        if close_S is not None:
            return np.asarray(close_S / rolling.shift(close_S[None, :], 1)[0] - 1.0)
        held_NS = np.zeros_like(self.member_NS)
        held_NS[:, 1:] = self.member_NS[:, :-1]
        return _mean_over(self.return_NS, held_NS)

    @cached_property
    def market_level_S(self) -> Array:
        """Market index rebuilt from its returns, 1 at the start."""
        return np.asarray(np.cumprod(1.0 + np.nan_to_num(self.market_S)))

    @cached_property
    def sector_return_NS(self) -> Array:
        """Mean return of the stock's sector among members of the session before, without the stock."""
        return self._sector_mean(self.return_NS)

    @cached_property
    def residual_NS(self) -> Array:
        """Return minus beta60 (of the session before) times the market return."""
        beta_NS = rolling.shift(self.beta(60), 1)
        return self.return_NS - np.where(np.isfinite(beta_NS), beta_NS, 1.0) * self.market_S

    def total_return(self, sessions: int) -> Array:
        """close[t] / close[t - sessions] - 1."""
        close_NS = self.dense.close_NS
        return close_NS / rolling.shift(close_NS, sessions) - 1.0

    def sum_of(self, x_NS: Array, sessions: int) -> Array:
        """Window mean times its length: a sum that counts missing sessions as average ones."""
        return rolling.mean(x_NS, sessions) * sessions

    def beta(self, window: int) -> Array:
        return self._regression(window)[0]

    def market_correlation(self, window: int) -> Array:
        return self._regression(window)[1]

    def _regression(self, window: int) -> tuple[Array, Array]:
        if window not in self._regressions:
            fit = rolling.regression(self.return_NS, self.market_S, window)
            self._regressions[window] = fit
        return self._regressions[window]

    def _sector_mean(self, x_NS: Array) -> Array:
        out_NS = np.full_like(x_NS, np.nan)
        held_NS = np.zeros_like(self.member_NS)
        held_NS[:, 1:] = self.member_NS[:, :-1]
        valid_NS = held_NS & np.isfinite(x_NS)
        filled_NS = np.where(valid_NS, x_NS, 0.0)
        for code in range(len(self.dense.sectors)):
            rows = np.flatnonzero(self.dense.sector_N == code)
            total_S = filled_NS[rows].sum(axis=0)
            count_S = valid_NS[rows].sum(axis=0)
            others_NS = count_S - valid_NS[rows]
            with np.errstate(invalid="ignore", divide="ignore"):
                mean_NS = (total_S - filled_NS[rows]) / others_NS
            out_NS[rows] = np.where(others_NS > 0, mean_NS, np.nan)
        return out_NS


def _mean_over(x_NS: Array, mask_NS: NDArray[np.bool_]) -> Array:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a session without members has no mean
        return np.asarray(np.nanmean(np.where(mask_NS, x_NS, np.nan), axis=0))
