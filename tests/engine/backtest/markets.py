"""Small markets and books for the tests of portfolio and backtest."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from engine.backtest.prices import PriceTable
from engine.config import ConstraintConfig, Market, PortfolioConfig
from engine.data.panel import Panel
from engine.data.tables import SECURITY_SCHEMA, complete
from engine.portfolio.market_data import MarketData, Matrix
from engine.portfolio.prediction import Prediction
from engine.portfolio.strategy import Decisions, dense_scores

FIRST = dt.date(2021, 1, 4)


def day(number: int) -> dt.date:
    return FIRST + dt.timedelta(days=number)


def panel_of(
    closes: Mapping[str, Sequence[float | None]],
    opens: Mapping[str, Sequence[float | None]] | None = None,
    *,
    securities: pl.DataFrame | None = None,
    turnover: float = 1000.0,
    market: Market = "us",
) -> Panel:
    """One bar a calendar day from `FIRST`; None = no bar. Opens equal closes unless given."""
    rows = []
    for symbol, values in closes.items():
        for number, close in enumerate(values):
            if close is None:
                continue
            first = opens[symbol][number] if opens else close
            body = [close] if first is None else [first, close]
            rows.append(
                {
                    "date": day(number),
                    "symbol": symbol,
                    "open": first,
                    "high": max(body),
                    "low": min(body),
                    "close": close,
                    "close_raw": close,
                    "volume": turnover / close,
                    "turnover": turnover,
                }
            )
    frame = pl.DataFrame(rows).with_columns(pl.col("open").cast(pl.Float64)).sort("date", "symbol")
    return Panel(
        frame=frame,
        securities=complete(
            pl.DataFrame(schema={"symbol": pl.String}) if securities is None else securities,
            SECURITY_SCHEMA,
        ),
        index=None,
        market=market,
        source="test",
        as_of=frame["date"].max(),  # type: ignore[arg-type]
        fingerprint="test",
    )


Events = Mapping[str, Mapping[int, float]]
"""Symbol -> day from `FIRST` -> figure."""


def with_actions(
    panel: Panel,
    *,
    terms: Events | None = None,
    dividends: Events | None = None,
    flags: Mapping[str, Mapping[int, int]] | None = None,
) -> Panel:
    """A panel of quoted bars on the continuous scale, worked out bar by bar.

    ``terms``: shares that a share becomes before the day (7 at 7:1); ``dividends``: cash for each of those.
    """
    rows = []
    for (symbol,), bars in panel.frame.group_by("symbol", maintain_order=True):
        factor = reinvested = 1.0
        last = None
        for row in bars.iter_rows(named=True):
            number = (row["date"] - FIRST).days
            more = (terms or {}).get(str(symbol), {}).get(number, 1.0)
            cash = (dividends or {}).get(str(symbol), {}).get(number, 0.0)
            factor *= more
            if last is not None:
                reinvested *= (last / more) / (last / more - cash)
            last = row["close_raw"]
            for name in ("open", "high", "low", "close"):
                row[name] = None if row[name] is None else row[name] * factor * reinvested
            row["volume"] /= factor
            row |= {"dividend": cash, "reinvested": reinvested}
            row["flags"] = (flags or {}).get(str(symbol), {}).get(number, 0)
            rows.append(row)
    frame = pl.DataFrame(rows, schema=panel.frame.schema).sort("date", "symbol")
    return replace(panel, frame=frame)


def prediction_of(
    scores: Mapping[str, Sequence[float | None]], horizon: int = 1, split: str = "test"
) -> Prediction:
    """Scores by symbol and day from `FIRST`; None = not scored."""
    rows = [
        {"date": day(number), "symbol": symbol, "fold": 0, "split": split, f"score_{horizon}": v}
        for symbol, values in scores.items()
        for number, v in enumerate(values)
        if v is not None
    ]
    frame = pl.DataFrame(rows).with_columns(
        pl.col("fold").cast(pl.Int16), pl.col(f"score_{horizon}").cast(pl.Float32)
    )
    return Prediction(
        frame=frame.sort("date", "symbol"), run_id="test", horizons=(horizon,), market="us"
    )


def decisions_of(
    prediction: Prediction,
    panel: Panel,
    portfolio: PortfolioConfig,
    limits: ConstraintConfig | None = None,
) -> Decisions:
    """Scores of the traded horizon on the panel's days."""
    market = MarketData.from_panel(
        panel,
        first=prediction.dates[0],
        last=prediction.dates[-1],
        symbols=prediction.frame["symbol"].unique().to_list(),
        constraints=limits or ConstraintConfig(),
    )
    score_DN = dense_scores(prediction.frame, market, [portfolio.horizon])
    return Decisions.of(score_DN, market, portfolio)


def targets(table: PriceTable, book: Mapping[str, Sequence[float | None]]) -> Matrix:
    """Orders of weights by symbol and day from `FIRST`; a day on which all are None decides nothing."""
    decided_DN = np.full(table.fill_DN.shape, np.nan)
    for symbol, values in book.items():
        for number, weight in enumerate(values):
            if weight is not None:
                d = int(np.searchsorted(table.dates_D, np.datetime64(day(number))))
                row_N = decided_DN[d]
                row_N[np.isnan(row_N)] = 0.0
                row_N[table.symbols.index(symbol)] = weight
    return table.orders(decided_DN)


def table_of(panel: Panel, *, last: int, entry: str = "close", haircut: float = 0.0) -> PriceTable:
    return PriceTable.from_panel(
        panel,
        first=FIRST,
        last=day(last),
        symbols=panel.frame["symbol"].unique().to_list(),
        entry=entry,  # type: ignore[arg-type]
        haircut=haircut,
    )


def random_walks(n_symbols: int, n_days: int, seed: int) -> dict[str, list[float | None]]:
    rng = np.random.default_rng(seed)
    steps = rng.normal(0.0, 0.02, (n_symbols, n_days))
    closes = 20.0 * np.exp(np.cumsum(steps, axis=1))
    return {f"S{n:02d}": [float(v) for v in row] for n, row in enumerate(closes)}


def random_book(n_symbols: int, n_days: int, seed: int) -> dict[str, list[float | None]]:
    """Dollar-neutral weights with a gross of 2."""
    rng = np.random.default_rng(seed)
    raw = rng.normal(size=(n_symbols, n_days))
    raw -= raw.mean(axis=0)
    raw *= 2.0 / np.abs(raw).sum(axis=0)
    return {f"S{n:02d}": [float(v) for v in row] for n, row in enumerate(raw)}
