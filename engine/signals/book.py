"""From the champion's scores of the last decisions to the book of today and of the decision before it."""

# Shape suffixes: K decisions, N stocks.
import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.config import Market, PortfolioConfig, SignalConfig
from engine.data.panel import MONEY, Panel
from engine.portfolio.book import build_book
from engine.portfolio.market_data import ADV_SESSIONS, LOOK_BACK, MarketData
from engine.portfolio.strategy import Decisions, Strategy, Terms, memory_of, traded_scores
from engine.records.orders import Positions
from engine.signals.orders import Quotes, whole_lots
from engine.signals.seal import TradingRules, text_array, text_of

_Vector = NDArray[np.float64]
BARS = ("open", "high", "low", "close", "close_raw", "volume", "turnover")
PINNED = (*BARS, *MONEY)
"""Rows of a pinned session. The last three only where a dividend or an action is known by then: a pin
without them, and every older one, has the first seven."""
LOOK = LOOK_BACK + ADV_SESSIONS
"""Sessions before the first decision whose bars a book may look at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """The ensemble's scores of one session."""

    date: str
    symbols: tuple[str, ...]
    score_MH: NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """Weights on one axis of stocks: every name of a score or of what is held."""

    symbols: tuple[str, ...]
    today_N: _Vector
    """Wanted from today on, fractions of equity."""
    before_N: _Vector
    """Of the decision before today; zero if there was none. On a day without a decision: today's."""
    quotes: Quotes


def decision_sessions(
    number: int, strategy: Strategy, portfolio: PortfolioConfig, signals: SignalConfig
) -> list[int]:
    """Numbers of the sessions whose scores make the book of session ``number``, ascending.

    Every ``rebalance_sessions``-th session of the panel decides, counted from its beginning, so that
    tomorrow does not move yesterday's decisions. As many as overlap, as often as the strategy remembers, and
    one more for yesterday's book.
    """
    step = portfolio.rebalance_sessions
    renewals = 1 + memory_of(strategy, portfolio)
    count = signals.decisions or portfolio.n_tranches * renewals + 1
    last = number // step * step
    return [s for s in range(last - (count - 1) * step, last + 1, step) if s >= 0]


def build_books(
    history: Sequence[Scores],
    panel: Panel,
    held: Sequence[str],
    strategy: Strategy,
    rules: TradingRules,
    *,
    columns: Sequence[int],
    day: dt.date,
) -> Books:
    """The book of ``day`` and the one before it, on the scores of the decisions so far.

    ``history``: scores of the decision sessions up to ``day``, ascending. ``columns``: of the horizons that
    are traded. A stock without a score at a decision has NaN there, which no strategy buys.
    """
    names = sorted({s for scores in history for s in scores.symbols} | set(held))
    first = dt.date.fromisoformat(history[0].date)
    market = MarketData.from_panel(
        panel, first=first, last=day, symbols=names, constraints=rules.limits
    )
    rows = {str(date): d for d, date in enumerate(market.dates_D)}
    place = {symbol: n for n, symbol in enumerate(market.symbols)}
    score_KN = np.full((len(history), len(names)), np.nan)
    for k, scores in enumerate(history):
        at = np.array([place[s] for s in scores.symbols], dtype=np.int64)
        score_KN[k, at] = traded_scores(scores.score_MH.T[list(columns), None])[0]
    decisions = Decisions(
        market=market,
        row_K=np.array([rows[scores.date] for scores in history], dtype=np.int64),
        score_KN=score_KN,
        terms=Terms(costs=rules.costs, limits=rules.limits, capital=rules.initial_cash),
    )
    book = build_book(strategy, decisions, rules.portfolio, rules.limits)
    decided = history[-1].date == str(day)
    before_N = np.zeros(len(names))
    if not decided:
        before_N = book.weight_KN[-1]
    elif len(history) > 1:
        before_N = book.weight_KN[-2]
    return Books(
        symbols=market.symbols,
        today_N=book.weight_KN[-1],
        before_N=before_N,
        quotes=_quotes(market),
    )


def _quotes(market: MarketData) -> Quotes:
    return Quotes(
        symbols=market.symbols,
        close_N=market.close_raw_DN[-1],
        traded_N=market.traded_DN[-1],
        adv_N=market.adv_DN[-1],
        shortable_N=market.shortable_N,
        sector_N=market.sector_N,
        market=market.market,
    )


def model_positions(books: Books, rules: TradingRules) -> Positions:
    """What an account that followed the book so far would hold: yesterday's weights in whole lots."""
    equity = rules.initial_cash
    quotes = books.quotes
    shares = whole_lots(books.before_N * equity, quotes.close_N, quotes.market, rules.limits)
    held = {s: float(n) for s, n in zip(quotes.symbols, shares, strict=True) if n}
    value = float((shares * np.nan_to_num(quotes.close_N)).sum())
    return Positions(shares=held, cash=equity - value)


def bar_slice(rows: pl.DataFrame) -> dict[str, NDArray[Any]]:
    """All bars of one session by symbol, ``bars`` is ``[columns, N]``; NaN = none.

    Volume is in shares, turnover and prices are in quote currency.
    """
    rows = rows.sort("symbol")
    known = pl.any_horizontal((pl.col(name) != usual).any() for name, usual in MONEY.items())
    names = PINNED if rows.select(known).item() else BARS
    values = [rows[name].cast(pl.Float64).fill_null(float("nan")).to_numpy() for name in names]
    return {"symbols": text_array(rows["symbol"].to_list()), "bars": np.stack(values)}


def panel_of(
    slices: Sequence[tuple[str, Mapping[str, NDArray[Any]]]],
    securities: pl.DataFrame,
    index: pl.DataFrame | None,
    market: Market,
    calendar: str,
) -> Panel:
    """The panel of the pinned sessions, each as `bar_slice` packed it."""
    parts = [
        pl.DataFrame(
            {
                "symbol": pl.Series(text_of(part["symbols"]), dtype=pl.String),
                **MONEY,
                **dict(zip(PINNED, part["bars"], strict=False)),
            }
        ).select(
            pl.lit(date).str.to_date().alias("date"),
            "symbol",
            *BARS,
            pl.col("dividend", "reinvested").cast(pl.Float64),
            pl.col("flags").cast(pl.Int32),
        )
        for date, part in slices
    ]
    return Panel(
        frame=pl.concat(parts).with_columns(pl.col("open").fill_nan(None)),
        securities=securities,
        index=index,
        market=market,
        calendar=calendar,
        source="sealed signal",
        as_of=dt.date.fromisoformat(slices[-1][0]),
        fingerprint="",
    )
