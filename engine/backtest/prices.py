"""What a simulation trades at: fill, valuation and exit prices of every session, and the wanted weights."""

# Shape suffixes: D sessions of the simulation, N stocks.
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.data.panel import Panel
from engine.errors import DataError
from engine.portfolio.weights import Weights

Matrix = NDArray[np.float64]
WORTHLESS = 1e-9
"""Share of the last price that a total loss leaves: simulators refuse a price of exactly 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceTable:
    """Prices ``[D, N]`` from the first decision to the session after the last one.

    A stock without a bar is carried at its last close and cannot be traded (a halt). One that never
    trades again is sold on the next session at its last close less the haircut (a delisting).
    """

    dates_D: NDArray[np.datetime64]
    symbols: tuple[str, ...]
    fill_DN: Matrix
    """Price of an order of this session, before slippage; NaN = none is possible."""
    value_DN: Matrix
    """Price that the book is worth when the orders of the session are sized; finite."""
    mark_DN: Matrix
    """Price at the end of the session; finite."""
    exit_DN: NDArray[np.bool_]
    """Forced sale of a delisted stock."""

    def __post_init__(self) -> None:
        if np.any(np.diff(self.dates_D) <= np.timedelta64(0, "D")):
            raise DataError("prices: dates do not increase; a shuffled book has another result")
        for name in ("fill_DN", "value_DN", "mark_DN"):
            values_DN = getattr(self, name)
            bad_DN = ~(values_DN > 0) | np.isinf(values_DN)
            if name == "fill_DN":
                bad_DN &= ~np.isnan(values_DN)
            if bad_DN.any():
                d, n = np.argwhere(bad_DN)[0]
                raise DataError(
                    f"price {values_DN[d, n]} of {self.symbols[n]} on {self.dates_D[d]} "
                    "is not positive and finite",
                    hint="run `atft-tui check` to find bars like this",
                )

    @classmethod
    def from_panel(
        cls,
        panel: Panel,
        *,
        first: dt.date,
        last: dt.date,
        symbols: Sequence[str],
        entry: Literal["close", "open"],
        haircut: float,
    ) -> Self:
        """Prices for decisions from ``first`` to ``last``: one session more, where the panel has it."""
        sessions = panel.frame["date"].unique().sort()
        stop = min(int(sessions.search_sorted(last, side="right")), len(sessions) - 1)
        dates = sessions[int(sessions.search_sorted(first)) : stop + 1]
        names = pl.Series("symbol", symbols, dtype=pl.String).unique().sort()
        bars = panel.frame.filter(pl.col("symbol").is_in(names.implode()))
        final = dict(bars.group_by("symbol").agg(pl.col("date").max()).iter_rows())
        window = bars.filter(pl.col("date").is_between(dates[0], dates[-1]))
        row = dates.search_sorted(window["date"]).to_numpy().astype(np.int64)
        column = names.search_sorted(window["symbol"]).to_numpy().astype(np.int64)

        def scatter(name: str) -> Matrix:
            out_DN = np.full((len(dates), len(names)), np.nan)
            out_DN[row, column] = window[name].fill_null(float("nan")).to_numpy()
            return out_DN

        close_DN = scatter("close")
        fill_DN = close_DN.copy() if entry == "close" else scatter("open")
        exit_DN = np.zeros(close_DN.shape, dtype=bool)
        for n, symbol in enumerate(names):
            d = int(dates.search_sorted(final.get(symbol, dates[-1]), side="right"))
            if d < len(dates) and final[symbol] >= dates[0]:
                exit_DN[d, n] = True
                close_DN[d, n] = close_DN[d - 1, n] * max(1.0 - haircut, WORTHLESS)
        mark_DN = _carry(close_DN)
        fill_DN = np.where(exit_DN, close_DN, fill_DN)
        value_DN = mark_DN
        if entry == "open":
            before_DN = np.vstack([mark_DN[:1], mark_DN[:-1]])
            value_DN = np.where(np.isfinite(fill_DN), fill_DN, before_DN)
        return cls(
            dates_D=dates.to_numpy().astype("datetime64[D]"),
            symbols=tuple(names),
            fill_DN=fill_DN,
            value_DN=value_DN,
            mark_DN=mark_DN,
            exit_DN=exit_DN,
        )

    def targets(self, weights: Weights) -> Matrix:
        """Wanted fraction of equity at the fill of each session ``[D, N]``; NaN = no order.

        A decision of one session is filled on the next. Nothing is ordered after a date without a
        decision, or where no fill is possible; a forced exit overrides the strategy.
        """
        frame = weights.frame
        names = pl.Series(self.symbols)
        held = frame.filter(pl.col("weight") != 0)
        unknown = set(held["symbol"].unique()) - set(self.symbols)
        if unknown:
            raise DataError(f"weights: no price for {', '.join(sorted(unknown)[:5])}")
        outside = held.filter(
            ~pl.col("date").is_in(pl.Series(self.dates_D).cast(pl.Date).implode())
        )
        if not outside.is_empty():
            raise DataError(f"weights: {outside['date'][0]} is no session of the price table")
        target_DN = np.full(self.fill_DN.shape, np.nan)
        decided = np.searchsorted(self.dates_D, frame["date"].unique().sort().to_numpy())
        decided = decided[decided + 1 < len(self.dates_D)] + 1
        target_DN[decided] = 0.0
        row = np.searchsorted(self.dates_D, held["date"].to_numpy().astype("datetime64[D]")) + 1
        column = np.searchsorted(names.to_numpy(), held["symbol"].to_numpy())
        inside = row < len(self.dates_D)
        target_DN[row[inside], column[inside]] = held["weight"].to_numpy()[inside]
        target_DN[self.exit_DN] = 0.0
        target_DN[np.isnan(self.fill_DN)] = np.nan
        return target_DN


def _carry(close_DN: Matrix) -> Matrix:
    """The last known close; before the first one, that first one (no position can exist there)."""
    N = close_DN.shape[1]
    position_DN = np.where(np.isfinite(close_DN), np.arange(len(close_DN))[:, None], 0)
    filled_DN: Matrix = close_DN[np.maximum.accumulate(position_DN), np.arange(N)]
    first_N = np.argmax(np.isfinite(close_DN), axis=0)
    opening_N = close_DN[first_N, np.arange(N)]
    never_N = np.isnan(opening_N)
    return np.where(np.isnan(filled_DN), np.where(never_N, 1.0, opening_N), filled_DN)
