"""What was held, stock by stock and day by day: the tables behind a curve of equity, and held breaks."""

# Shape suffixes: D sessions of the simulation, N stocks, B sessions of a block, G sectors.
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.backtest.frictions import DUST, Frictions, Orders, Series
from engine.backtest.prices import PriceTable
from engine.evaluation.ranks import counts_from_ends
from engine.portfolio.market_data import Matrix
from engine.records.book import HeldBreak, HeldBreaks

_BLOCK = 64
"""Sessions whose tables are in memory at a time."""
_LISTED = 10
"""Largest breaks that are told one by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trades:
    """A simulation with the prices it traded at."""

    table: PriceTable
    orders: Orders
    equity_D: Series


def holdings(trades: Trades, score_DN: Matrix) -> pl.DataFrame:
    """Rows of every stock held on a session's evening or on the one before, sorted by date and symbol.

    ``weight``: value at the close / equity; 0 = closed that session. ``contribution``: what the stock added
    to the gross return of the session, [shares before x (fill + dividend - last close) + shares after x
    (close - fill)] / equity before; the rows of a date add up to it. ``rank``: place of its score the
    evening before (1 = best, ties share the best place; null = not scored) of ``scored`` stocks.
    ``dividend``: cash a share as quoted, on the ex-date, 0 on others; ``received``: that cash / equity
    before, negative = paid by a short, part of the contribution.
    """
    table = trades.table
    symbols, dates = pl.Series("symbol", table.symbols), pl.Series("date", table.dates_D)
    parts = []
    for start in range(1, len(table.dates_D), _BLOCK):
        row_B = np.arange(start, min(start + _BLOCK, len(table.dates_D)))
        weight_BN, part_BN, kept_BN = _positions(trades, row_B)
        paid_BN = _dividends(table, row_B)
        cash_BN = trades.orders.shares_DN[row_B - 1] * paid_BN / trades.equity_D[row_B - 1, None]
        share_BN = paid_BN * (1.0 if table.quoted_DN is None else table.quoted_DN[row_B])
        share_BN = np.broadcast_to(share_BN, weight_BN.shape)
        rank_BN, scored_B = _ranks(score_DN[row_B - 1])
        b, n = np.nonzero(kept_BN)
        parts.append(
            pl.DataFrame(
                {
                    "date": dates.gather(row_B[b]).cast(pl.Date),
                    "symbol": symbols.gather(n),
                    "weight": pl.Series(weight_BN[b, n], dtype=pl.Float32),
                    "contribution": pl.Series(part_BN[b, n], dtype=pl.Float32),
                    "rank": pl.Series(rank_BN[b, n], dtype=pl.UInt32).replace(0, None),
                    "scored": pl.Series(scored_B[b], dtype=pl.UInt32),
                    "dividend": pl.Series(share_BN[b, n], dtype=pl.Float32),
                    "received": pl.Series(cash_BN[b, n], dtype=pl.Float32),
                }
            )
        )
    return pl.concat(parts)


def sector_exposures(
    trades: Trades, sector_N: NDArray[np.int64], sectors: tuple[str, ...]
) -> pl.DataFrame:
    """``date, sector, net, gross``: weights at the close, summed over the stocks of each sector.

    ``sector_N`` ``[N]`` holds places in ``sectors``; weights are fractions of equity.
    """
    member_NG = sector_N[:, None] == np.arange(len(sectors))
    parts = []
    for start in range(1, len(trades.table.dates_D), _BLOCK):
        row_B = np.arange(start, min(start + _BLOCK, len(trades.table.dates_D)))
        weight_BN, _, _ = _positions(trades, row_B)
        dates = pl.Series("date", trades.table.dates_D[row_B]).cast(pl.Date)
        parts.append(
            pl.DataFrame(
                {
                    "date": dates.gather(np.repeat(np.arange(row_B.size), len(sectors))),
                    "sector": list(sectors) * row_B.size,
                    "net": (weight_BN @ member_NG).ravel(),
                    "gross": (np.abs(weight_BN) @ member_NG).ravel(),
                }
            )
        )
    return pl.concat(parts)


def _slippage_parts(trades: Trades, frictions: Frictions) -> tuple[Series, Series]:
    """Slippage ``[D]`` split in spread (half-spread, at least half a tick) and impact.

    Fractions of the equity before; they add up to the slippage of the daily returns.
    """
    spread_D, impact_D = np.zeros(len(trades.equity_D)), np.zeros(len(trades.equity_D))
    for d in range(1, len(spread_D)):
        n = np.flatnonzero(trades.orders.change_DN[d])
        rate_n = trades.orders.slippage_DN[d, n]
        tick_n = frictions.half_tick_DN[d, n] if frictions.half_tick_DN.size > 1 else 0.0
        fixed_n = np.minimum(rate_n, np.maximum(frictions.half_spread, tick_n))
        value_n = np.abs(trades.orders.change_DN[d, n]) * trades.table.value_DN[d, n]
        spread_D[d] = (fixed_n * value_n).sum() / trades.equity_D[d - 1]
        impact_D[d] = ((rate_n - fixed_n) * value_n).sum() / trades.equity_D[d - 1]
    return spread_D, impact_D


def _dividend_parts(trades: Trades) -> tuple[Series, Series]:
    """Dividends ``[D]`` received by longs and paid by shorts, both positive.

    Fractions of the equity before; their difference is the dividend of the daily returns.
    """
    received_D, paid_D = np.zeros(len(trades.equity_D)), np.zeros(len(trades.equity_D))
    if trades.table.dividend_DN.size > 1:
        for d in range(1, len(received_D)):
            cash_N = trades.orders.shares_DN[d - 1] * trades.table.dividend_DN[d]
            received_D[d] = np.maximum(cash_N, 0.0).sum() / trades.equity_D[d - 1]
            paid_D[d] = np.maximum(-cash_N, 0.0).sum() / trades.equity_D[d - 1]
    return received_D, paid_D


def annual_parts(trades: Trades, frictions: Frictions, sessions_per_year: int) -> dict[str, float]:
    """``spread, impact, dividend_received, dividend_paid`` of the waterfall, fractions a year.

    Means over the sessions x sessions per year, as in `BacktestResult.waterfall`.
    """
    names = ("spread", "impact", "dividend_received", "dividend_paid")
    parts = (*_slippage_parts(trades, frictions), *_dividend_parts(trades))
    return {
        name: float(part_D[1:].mean()) * sessions_per_year
        for name, part_D in zip(names, parts, strict=True)
    }


def held_breaks(trades: Trades) -> HeldBreaks:
    """How often a held price broke, and what it would have meant had the quoted moves been real.

    A break earns nothing in the simulation: the scale goes on without the jump.
    """
    table = trades.table
    rows = []
    if table.break_DN.size > 1 and table.quoted_DN is not None:
        for before, n in np.argwhere(table.break_DN[1:]):
            d, shares = before + 1, trades.orders.shares_DN[before, n]
            if abs(shares) > DUST:
                weight = shares * table.mark_DN[before, n] / trades.equity_D[before]
                # The scale itself moves by nothing over a break.
                move = table.quoted_DN[d, n] / table.quoted_DN[before, n] - 1.0
                rows.append(
                    HeldBreak(
                        date=str(table.dates_D[d]),
                        symbol=table.symbols[n],
                        weight=float(weight),
                        quoted_move=float(move),
                        effect=float(weight * move),
                    )
                )
    rows.sort(key=lambda row: -abs(row.effect))
    return HeldBreaks(
        held=len(rows),
        stocks=len({row.symbol for row in rows}),
        in_universe=int(np.count_nonzero(table.break_DN)),
        as_quoted=float(sum(row.effect for row in rows)),
        worst_case=-float(sum(abs(row.effect) for row in rows)),
        largest=tuple(rows[:_LISTED]),
    )


def _dividends(table: PriceTable, row_B: NDArray[np.int64]) -> Matrix:
    """Cash a share (of the table's scale) on these sessions; one row and column of 0 without any."""
    return table.dividend_DN[row_B] if table.dividend_DN.size > 1 else table.dividend_DN


def _positions(
    trades: Trades, row_B: NDArray[np.int64]
) -> tuple[Matrix, Matrix, NDArray[np.bool_]]:
    """Weights at the close, contributions, and which stocks were held then or the evening before."""
    table, shares_DN = trades.table, trades.orders.shares_DN
    before_BN, after_BN = shares_DN[row_B - 1], shares_DN[row_B]
    value_BN, mark_BN = table.value_DN[row_B], table.mark_DN[row_B]
    earned_BN = before_BN * (value_BN + _dividends(table, row_B) - table.mark_DN[row_B - 1])
    earned_BN += after_BN * (mark_BN - value_BN)
    held_BN = np.abs(after_BN) > DUST
    kept_BN = held_BN | (np.abs(before_BN) > DUST)
    weight_BN = np.where(held_BN, after_BN * mark_BN / trades.equity_D[row_B, None], 0.0)
    return weight_BN, earned_BN / trades.equity_D[row_B - 1, None], kept_BN


def _ranks(score_BN: Matrix) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Place of each score in its row, 1 = best, 0 = not scored; and how many are scored."""
    _, from_below_BN = counts_from_ends(score_BN)
    known_BN = np.isfinite(score_BN)
    scored_B = known_BN.sum(axis=1)
    return np.where(known_BN, scored_B[:, None] - from_below_BN + 1, 0), scored_B
