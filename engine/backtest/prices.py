"""What a simulation trades at, and the returns that followed each session at the same fills and marks."""

# Shape suffixes: D sessions of the simulation, S sessions to the end of the panel, N stocks.
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.config import Config
from engine.data.panel import Panel
from engine.errors import DataError
from engine.evaluation.factor import Forward
from engine.portfolio.market_data import MarketData, Matrix, forward_fill, positions
from engine.records.quality import BREAK, PROCEEDS

_WORTHLESS = 1e-9
"""Share of the last price that a total loss leaves: simulators refuse a price of exactly 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceTable:
    """Prices ``[D, N]`` from the first decision to the session after the last one.

    The scale is that of the price alone: splits are out of it, dividends are paid in cash. A stock without
    a bar is carried at its last close and cannot be traded (a halt). One that never trades again is sold
    on the next session at its last close less the haircut (a delisting); where the data say what its
    holders got, on that session and at that price, without the haircut.
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
    """The stock is delisted: what is held is closed, nothing is opened."""
    dividend_DN: Matrix = field(default_factory=lambda: np.zeros((1, 1)))
    """Cash for a share (of this scale) that was held overnight into the session; ``[1, 1]`` = never any."""
    break_DN: NDArray[np.bool_] = field(default_factory=lambda: np.zeros((1, 1), dtype=bool))
    """The quoted price jumped and nothing explains it: the scale goes on without the jump. ``[1, 1]`` =
    never."""
    quoted_DN: Matrix | None = None
    """Quoted price / price here (splits rescale prices here, not on the exchange); None = 1."""

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
        reinvest: bool = False,
    ) -> Self:
        """Prices for decisions from ``first`` to ``last``: one session more, where the panel has it.

        ``reinvest``: dividends are put back into the stock instead of paid (total returns). At the open of
        a session with a break nothing is traded: which side of the jump it is on is not known.
        """
        dates = _sessions(panel, first, last)
        names = pl.Series("symbol", symbols, dtype=pl.String).unique().sort()
        dates_D = dates.to_numpy().astype("datetime64[D]")
        window = _Window.of(panel.frame, dates, names, reinvest)
        close_DN = window.values("close")
        quoted_DN = forward_fill(window.values("close_raw") / close_DN)
        break_DN = window.flagged(BREAK)
        fill_DN = close_DN.copy() if entry == "close" else window.values("open")
        if entry == "open":
            fill_DN[np.broadcast_to(break_DN, fill_DN.shape)] = np.nan
        gone_N = _sessions_gone(panel, names, dates_D)
        exit_DN = _exits(close_DN, window.flagged(PROCEEDS), gone_N, haircut)
        mark_DN = _carry(close_DN)
        fill_DN = np.where(exit_DN, mark_DN, fill_DN)
        value_DN = mark_DN
        if entry == "open":
            before_DN = np.vstack([mark_DN[:1], mark_DN[:-1]])
            value_DN = np.where(np.isfinite(fill_DN), fill_DN, before_DN)
        pays = not reinvest and bool((window.frame["dividend"] != 0).any())
        dividends = {"dividend_DN": np.nan_to_num(window.values("dividend"))} if pays else {}
        return cls(
            dates_D=dates_D,
            symbols=tuple(names),
            fill_DN=fill_DN,
            value_DN=value_DN,
            mark_DN=mark_DN,
            exit_DN=exit_DN,
            break_DN=break_DN,
            **dividends,
            quoted_DN=np.where(np.isfinite(quoted_DN), quoted_DN, 1.0),
        )

    def orders(self, decided_DN: Matrix) -> Matrix:
        """Wanted fraction of equity at the fill of each session ``[D, N]``; NaN = no order.

        ``decided_DN``: weights decided at the close of each session (rows of NaN: no decision), first
        row = first session. A decision is filled one session later; nothing is ordered where no fill is
        possible; a forced exit overrides the strategy.
        """
        target_DN = np.full(self.fill_DN.shape, np.nan)
        n = min(len(decided_DN), len(target_DN) - 1)
        target_DN[1 : n + 1] = decided_DN[:n]
        target_DN[self.exit_DN] = 0.0
        target_DN[np.isnan(self.fill_DN)] = np.nan
        return target_DN


def forward_returns(panel: Panel, market: MarketData, config: Config) -> Forward:
    """``(horizon, lag)`` -> ``[D, N]`` close ``lag + horizon`` sessions later / fill after ``lag`` - 1.

    Total returns where the data know dividends, like the labels.
    Lag 0 enters at the close of the scored session itself, whatever the configured entry: a diagnostic.
    NaN where no fill was possible or where the panel ends before; a stock that is delisted on the way
    keeps its exit price.
    """
    dates_D = market.dates_D
    table = PriceTable.from_panel(
        panel,
        first=dates_D[0].item(),
        last=panel.as_of,
        symbols=market.symbols,
        entry=config.labels.entry,
        haircut=config.costs.delisting_haircut,
        reinvest=True,
    )
    fill_SN = np.where(table.exit_DN, np.nan, table.fill_DN)
    close_SN = np.where(np.isfinite(fill_SN), table.mark_DN, np.nan)

    def forward(horizon: int, lag: int) -> Matrix:
        out_DN = np.full((dates_D.size, len(table.symbols)), np.nan)
        n = min(dates_D.size, len(fill_SN) - lag - horizon)
        if n > 0:
            entry_SN = close_SN if lag == 0 else fill_SN
            out_DN[:n] = table.mark_DN[lag + horizon : lag + horizon + n] / entry_SN[lag : lag + n]
            out_DN[:n] -= 1.0
        return out_DN

    return forward


@dataclass(frozen=True, slots=True, kw_only=True)
class _Window:
    """Bars of the simulation's sessions and stocks, and the place of each in a table ``[D, N]``."""

    frame: pl.DataFrame
    row: NDArray[np.int64]
    column: NDArray[np.int64]
    shape: tuple[int, int]

    @classmethod
    def of(cls, bars: pl.DataFrame, dates: pl.Series, names: pl.Series, reinvest: bool) -> Self:
        frame = bars.filter(pl.col("date").is_between(dates[0], dates[-1]))
        place = positions(frame, dates, names)
        inside = place["column"].is_not_null()
        place = place.filter(inside)
        return cls(
            frame=_price_alone(frame.filter(inside), reinvest),
            row=place["row"].to_numpy(),
            column=place["column"].to_numpy(),
            shape=(len(dates), len(names)),
        )

    def values(self, name: str) -> Matrix:
        """NaN where there is no bar or no value."""
        out_DN = np.full(self.shape, np.nan)
        out_DN[self.row, self.column] = self.frame[name].fill_null(float("nan")).to_numpy()
        return out_DN

    def flagged(self, bit: int) -> NDArray[np.bool_]:
        """``[1, 1]``, False, where no bar has the flag."""
        hit = (self.frame["flags"].to_numpy() & bit) != 0
        out_DN = np.zeros(self.shape if hit.any() else (1, 1), dtype=bool)
        out_DN[self.row[hit], self.column[hit]] = True
        return out_DN


def _sessions(panel: Panel, first: dt.date, last: dt.date) -> pl.Series:
    """The panel's sessions from ``first`` to the one after ``last``, where there is one."""
    sessions = panel.frame["date"].unique().sort()
    stop = min(int(sessions.search_sorted(last, side="right")), len(sessions) - 1)
    return sessions[int(sessions.search_sorted(first)) : stop + 1]


def _sessions_gone(
    panel: Panel, names: pl.Series, dates_D: NDArray[np.datetime64]
) -> NDArray[np.int64]:
    """``[N]`` session after each stock's last bar ever; the number of sessions = none here."""
    final = pl.DataFrame({"symbol": names}).join(
        panel.frame.group_by("symbol").agg(pl.col("date").max()), on="symbol", how="left"
    )
    final_N = final.sort("symbol")["date"].to_numpy().astype("datetime64[D]")
    gone_N = np.searchsorted(dates_D, final_N, side="right")
    return np.where(final_N >= dates_D[0], gone_N, dates_D.size)


def _price_alone(window: pl.DataFrame, reinvest: bool) -> pl.DataFrame:
    """Open and close without the dividends put back in, and the dividend of a share on that scale."""
    if reinvest:
        return window
    alone = pl.col("close") / pl.col("reinvested")
    return window.with_columns(
        pl.col("open") / pl.col("reinvested"),
        alone,
        pl.col("dividend") * alone / pl.col("close_raw"),
    )


def _closed(close_DN: Matrix, paid_DN: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """True from the session on which a stock's holders were paid out to its next bar, if any."""
    out_DN = np.zeros(close_DN.shape, dtype=bool)
    for d, n in np.argwhere(paid_DN):
        later = np.flatnonzero(np.isfinite(close_DN[d + 1 :, n]))
        out_DN[d : d + 1 + later[0] if later.size else None, n] = True
    return out_DN


def _exits(
    close_DN: Matrix, paid_DN: NDArray[np.bool_], gone_N: NDArray[np.int64], haircut: float
) -> NDArray[np.bool_]:
    """Where what is held is closed; writes the prices of delistings into ``close_DN``.

    ``gone_N``: session after a stock's last bar ever, beyond the end = none here.
    """
    exit_DN = _closed(close_DN, paid_DN)
    for n in np.flatnonzero(gone_N < len(close_DN)):
        d = gone_N[n]
        if not exit_DN[d, n]:
            close_DN[d, n] = close_DN[d - 1, n] * max(1.0 - haircut, _WORTHLESS)
        # Later sessions too, should one not suffice to close the position.
        exit_DN[d:, n] = True
    return exit_DN


def _carry(close_DN: Matrix) -> Matrix:
    """The last known close; before the first one, that first one (no position can exist there)."""
    filled_DN = forward_fill(close_DN)
    first_N = np.argmax(np.isfinite(close_DN), axis=0)
    opening_N = close_DN[first_N, np.arange(close_DN.shape[1])]
    opening_N = np.where(np.isnan(opening_N), 1.0, opening_N)
    return np.where(np.isnan(filled_DN), opening_N, filled_DN)
