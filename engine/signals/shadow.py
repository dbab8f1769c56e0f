"""The shadow ledger: each sealed signal filled at the next real prices, and where the gap comes from.

A book lives from its fill at session t+1 to the next book's fill at t+2, both at the open or both at the
close. It gets the dividends whose ex-date is t+2; those of t+1 belong to the book before. Its return is taken
of the equity at the close of t, at which the orders were sized.
"""

# Shape suffixes: N stocks of the book.
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.config import Market
from engine.evaluation.inference import newey_west_se
from engine.portfolio.market_data import Matrix, forward_fill, price_limits
from engine.records import record
from engine.records.quality import BREAK, PROCEEDS
from engine.records.shadow import (
    ACTUAL,
    ENTRIES,
    PARTS,
    SIMULATED,
    Entry,
    GapPoint,
    ShadowParts,
    ShadowRow,
    ShadowTotal,
)
from engine.signals.orders import trading_cost, whole_lots
from engine.signals.seal import TradingRules

_Vector = NDArray[np.float64]
_FIGURES = ("backtest", *PARTS, "realised")


@dataclass(frozen=True, slots=True, kw_only=True)
class FilledBook:
    """What a sealed directory says, on one axis of stocks."""

    session: str
    verdict: str
    market: Market
    symbols: tuple[str, ...]
    equity: float
    weight_N: _Vector
    """Wanted, fractions of equity."""
    held_N: _Vector
    """Shares before the orders."""
    change_N: _Vector
    """Shares ordered; negative = sold."""
    limit_N: _Vector
    """NaN without an order."""
    close_N: _Vector
    """Of the session, as quoted."""
    adv_N: _Vector
    borrow_N: _Vector
    """Fee on short value a session, fraction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RealPrices:
    """The real prices of a stretch of sessions ``[S, N]``, quote currency; NaN = no bar.

    Of the price alone: splits are out of them, dividends are cash beside them.
    """

    days_S: NDArray[np.datetime64]
    column: Mapping[str, int]
    """Stock -> its column."""
    open_SN: Matrix
    close_SN: Matrix
    dividend_SN: Matrix
    """Cash of the ex-date."""
    flags_SN: NDArray[np.int64]

    @classmethod
    def of(cls, days_S: NDArray[np.datetime64], bars: pl.DataFrame) -> "RealPrices":
        """The bars of the panel on these sessions; those of other days are passed over."""
        alone = pl.col("close") / pl.col("reinvested")
        bars = bars.filter(pl.col("date").is_in(pl.Series(days_S))).with_columns(
            pl.col("open") / pl.col("reinvested"),
            alone,
            pl.col("dividend") * alone / pl.col("close_raw"),
        )
        symbols = bars["symbol"].unique().sort()
        row = np.searchsorted(days_S, bars["date"].to_numpy().astype("datetime64[D]"))
        column = bars["symbol"].cast(pl.Enum(symbols)).to_physical().to_numpy()
        shape = (days_S.size, len(symbols))

        def table(name: str) -> Matrix:
            out_SN = np.full(shape, np.nan)
            out_SN[row, column] = bars[name].fill_null(float("nan")).to_numpy()
            return out_SN

        flags_SN = np.zeros(shape, dtype=np.int64)
        flags_SN[row, column] = bars["flags"].to_numpy()
        return cls(
            days_S=days_S,
            column={symbol: n for n, symbol in enumerate(symbols)},
            open_SN=table("open"),
            close_SN=table("close"),
            dividend_SN=table("dividend"),
            flags_SN=flags_SN,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """Real prices after a session as multiples of its close; NaN = no bar, mark = last close so far.

    Of the price alone: splits are out of them, dividends are cash beside them.
    """

    fill: str
    """Session t+1."""
    next: str
    """Session t+2."""
    open_2N: _Vector
    """At t+1 and t+2."""
    close_2N: _Vector
    mark_3N: _Vector
    """Last known close at t, t+1, t+2 (1 at t)."""
    dividend_N: _Vector
    """Cash of the ex-date t+2."""
    paid_N: NDArray[np.bool_]
    """At t+1 holders were paid out: nothing can be filled."""

    @classmethod
    def after(cls, real: RealPrices, day: np.datetime64, symbols: Sequence[str]) -> "Prices":
        """Of the session ``day`` and the two after it; all three are among the ``real`` ones.

        Where holders were paid out, what they got is the price of the whole day. The open of a break is left
        out: which side of the jump it is on is not known.
        """
        first = int(np.searchsorted(real.days_S, day))
        at_N = np.array([real.column.get(symbol, -1) for symbol in symbols], dtype=np.int64)
        open_3N, close_3N, dividend_3N = (
            np.where(at_N >= 0, table_SN[first : first + 3, at_N], np.nan)
            for table_SN in (real.open_SN, real.close_SN, real.dividend_SN)
        )
        flags_3N = np.where(at_N >= 0, real.flags_SN[first : first + 3, at_N], 0)
        base_N = close_3N[0]
        with np.errstate(invalid="ignore"):
            open_3N, close_3N, dividend_3N = (
                table_3N / base_N for table_3N in (open_3N, close_3N, dividend_3N)
            )
        paid_3N = (flags_3N & PROCEEDS) != 0
        open_3N = np.where(paid_3N, close_3N, open_3N)
        open_3N[(flags_3N & BREAK) != 0] = np.nan
        return cls(
            fill=str(real.days_S[first + 1]),
            next=str(real.days_S[first + 2]),
            open_2N=open_3N[1:],
            close_2N=close_3N[1:],
            mark_3N=np.nan_to_num(forward_fill(close_3N), nan=1.0),
            dividend_N=np.nan_to_num(dividend_3N[2]),
            paid_N=paid_3N[1],
        )

    def at(self, entry: Entry) -> tuple[_Vector, _Vector, _Vector]:
        """Fill price (NaN = no fill), and what a position is worth at both fills.

        Actual fills come at any time of a session; the book is then worth what it is at the close.
        """
        price_2N = self.open_2N if entry == "open" else self.close_2N
        # Before an open the last known price is the close of the session before it.
        mark_2N = self.mark_3N[:2] if entry == "open" else self.mark_3N[1:]
        worth_2N = np.where(np.isfinite(price_2N), price_2N, mark_2N)
        return np.where(self.paid_N, np.nan, price_2N[0]), worth_2N[0], worth_2N[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Executed:
    """What became of the orders of a book in the account."""

    shares_N: _Vector
    """Shares that were traded; negative = sold."""
    price_N: _Vector
    """Mean price as a multiple of the sealed close; NaN without a fill."""
    commission: float
    """Of all fills, quote currency."""

    def cost(self, book: FilledBook, close_N: _Vector) -> float:
        """What was paid beyond the close of the session (``close_N``, such multiples), and commission."""
        slip_N = np.nan_to_num(self.shares_N * book.close_N * (self.price_N - close_N))
        return float(slip_N.sum()) + self.commission


def shadow_row(
    book: FilledBook,
    prices: Prices,
    entry: Entry,
    rules: TradingRules,
    today_N: _Vector | None = None,
    executed: Executed | None = None,
) -> ShadowRow:
    """One book over one session.

    ``today_N``: weights that the book would have on today's data; None = the sealed ones. ``executed``: of
    the entry ``fills``, what the account traded.
    """
    fill_N, first_N, second_N = prices.at(entry)
    return_N = (second_N + prices.dividend_N) / first_N - 1.0
    exact_N = book.weight_N * first_N
    lots_N = whole_lots(book.weight_N * book.equity, book.close_N, book.market, rules.limits)
    value_N = np.nan_to_num(book.close_N) * first_N / book.equity
    if executed is None:
        done_N = np.where(_fills(book, fill_N), book.change_N, 0.0)
        traded_N = np.abs(done_N) * value_N * book.equity
        price_N = book.close_N * first_N
        spent = trading_cost(traded_N, price_N, book.adv_N, book.market, rules.costs).sum()
    else:
        done_N, spent = executed.shares_N, executed.cost(book, first_N)
    position_N = (book.held_N + done_N) * value_N
    borrow = float((np.maximum(-position_N, 0.0) * book.borrow_N).sum())
    ideal_N = book.weight_N if today_N is None else today_N
    steps = [ideal_N, book.weight_N, exact_N, lots_N * value_N, position_N]
    gross = [float((step_N * return_N).sum()) for step_N in steps]
    cost = -float(spent) / book.equity - borrow
    open_N = (book.change_N != 0) & (done_N == 0)
    names = [book.symbols[n] for n in np.flatnonzero(open_N)]
    return ShadowRow(
        session=book.session,
        verdict=book.verdict,
        entry=entry,
        filled=prices.fill,
        until=prices.next,
        backtest=gross[0],
        revision=gross[1] - gross[0],
        sizing=gross[2] - gross[1],
        rounding=gross[3] - gross[2],
        missed=gross[4] - gross[3],
        cost=cost,
        realised=gross[4] + cost,
        orders=int((book.change_N != 0).sum()),
        unfilled=len(names),
        unfilled_names=" ".join(names[:5]),
    )


def _fills(book: FilledBook, fill_N: _Vector) -> NDArray[np.bool_]:
    """Orders whose limit the price meets, where there is a price and the exchange lets them through."""
    price_N = book.close_N * fill_N
    buys_N, sells_N = book.change_N > 0, book.change_N < 0
    near = 1e-9 * np.nan_to_num(price_N)
    low_N, high_N = price_limits(book.close_N, book.market)
    buy_N = buys_N & (price_N <= book.limit_N + near) & (price_N < high_N - near)
    sell_N = sells_N & (price_N >= book.limit_N - near) & (price_N > low_N + near)
    return np.asarray(buy_N | sell_N)


def totals(rows: Sequence[ShadowRow], lag: int) -> dict[Entry, ShadowTotal]:
    """Per entry: means and sums of each part, and the error of the mean gap over ``lag`` sessions."""
    return {
        entry: _total([row for row in rows if row.entry == entry], lag) for entry in _there(rows)
    }


def _there(rows: Sequence[ShadowRow]) -> tuple[Entry, ...]:
    """The entries to tell of: fills of the account only where there are some."""
    return ENTRIES if any(row.entry == ACTUAL for row in rows) else SIMULATED


def _total(rows: Sequence[ShadowRow], lag: int) -> ShadowTotal:
    values = {name: np.array([getattr(row, name) for row in rows]) for name in _FIGURES}
    gap_D = values["realised"] - values["backtest"]
    mean = {name: float(v.mean()) if v.size else math.nan for name, v in values.items()}
    return ShadowTotal(
        sessions=len(rows),
        mean=ShadowParts(**mean),
        total=ShadowParts(**{name: float(v.sum()) for name, v in values.items()}),
        gap=float(gap_D.mean()) if gap_D.size else math.nan,
        gap_se=newey_west_se(gap_D, lag=lag),
        unfilled=sum(row.unfilled for row in rows),
        orders=sum(row.orders for row in rows),
    )


def running(rows: Sequence[ShadowRow], lag: int) -> dict[Entry, tuple[GapPoint, ...]]:
    """Per entry, session by session: the mean gap up to it and its standard error (NaN below 3)."""
    found: dict[Entry, tuple[GapPoint, ...]] = {}
    for entry in _there(rows):
        mine = sorted((row for row in rows if row.entry == entry), key=lambda row: row.session)
        gap_D = np.array([row.gap for row in mine])
        found[entry] = tuple(
            GapPoint(
                session=row.session,
                gap=float(gap_D[: d + 1].mean()),
                se=newey_west_se(gap_D[: d + 1], lag=lag),
            )
            for d, row in enumerate(mine)
        )
    return found


def to_frame(rows: Sequence[ShadowRow]) -> pl.DataFrame:
    """``ledger.parquet``: a row a book and entry, fractions of equity."""
    kinds: dict[type, Any] = {float: pl.Float64, int: pl.Int64}
    schema = {
        field.name: kinds.get(field.type, pl.String) for field in msgspec.structs.fields(ShadowRow)
    }
    return pl.DataFrame([record.as_json(row) for row in rows], schema=schema)
