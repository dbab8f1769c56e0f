"""The quality gates: every rule is named, counted and shown with examples before anything is computed."""

import datetime as dt

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.config import QualityConfig
from engine.data import repair, sessions
from engine.data.calendar import exchange_of
from engine.data.findings import LISTED, ORDER, Finding, QualityReport, Verdict, merged
from engine.data.memory import Memory
from engine.data.panel import positions
from engine.data.rules import Walked, mismatch_finding, row_findings, unit_mismatch
from engine.data.tables import RawTables
from engine.errors import DataError

YEAR = 252
NEAR_END = 30
"""A stock whose last row is older than this is gone. Days."""
SURVIVOR_SHARE = 0.02
"""Fewer stocks than this share a year stop trading before the end: the table holds survivors only."""


def examine(raw: RawTables, config: QualityConfig) -> tuple[pl.DataFrame, QualityReport]:
    """Cleaned bars (columns of `Panel.frame`, sorted by date and symbol) and what was found.

    Conflicting rows of one (date, symbol) are a DataError: nobody can say which is true.
    """
    return examine_more(raw, config, Memory.empty(), None)[:2]


def examine_more(
    raw: RawTables, config: QualityConfig, memory: Memory, before: QualityReport | None
) -> tuple[pl.DataFrame, QualityReport, Memory]:
    """`examine` of the sessions in ``raw`` that follow those which ``memory`` and ``before`` stand for.

    Returns the cleaned rows of these sessions, the report on all of them, and the memory after them.
    """
    bars, duplicates = _unique(raw)
    memory = memory.extended(bars["symbol"].unique())
    bars, stock_M, day_M = _by_stock(bars, memory)
    prices_M4 = np.ascontiguousarray(
        bars.select("open", "high", "low", "close").fill_null(float("nan")).to_numpy()
    )
    volume_M = np.nan_to_num(bars["volume"].fill_null(0.0).to_numpy(), posinf=0.0)
    turnover_M = bars["turnover"].fill_null(float("nan")).to_numpy()
    seen = sessions.look(stock_M, day_M, prices_M4, volume_M, memory, before, config)
    np.add.at(memory.rows, stock_M, 1)
    mismatch_M = unit_mismatch(prices_M4[:, 3], volume_M, turnover_M) & ~seen.held_T[seen.t_M]
    found = [duplicates, mismatch_finding(bars, day_M, mismatch_M)]
    keep_M = ~(mismatch_M | seen.held_T[seen.t_M])
    if not keep_M.all():
        bars, prices_M4 = bars.filter(keep_M), prices_M4[keep_M]
        stock_M, day_M = stock_M[keep_M], day_M[keep_M]
        volume_M, turnover_M = volume_M[keep_M], turnover_M[keep_M]
    clean, walked, confirmed = _walk(
        bars, stock_M, day_M, prices_M4, volume_M, turnover_M, config, memory
    )
    kept_T = np.searchsorted(seen.day_T, clean["date"].to_physical().to_numpy())
    names_T = np.bincount(kept_T, minlength=seen.day_T.size).tolist()
    found += sessions.findings(seen, names_T, exchange_of(raw.market, raw.calendar), before, config)
    found += row_findings(walked, config)
    if before is not None:
        found = merged(before.findings, found, confirmed)
    found.append(_short_histories(memory))
    report = _report(raw, config, memory, before, seen, names_T, len(clean), found)
    return clean, report, memory


def _walk(
    bars: pl.DataFrame,
    stock_M: NDArray[np.int64],
    day_M: NDArray[np.int64],
    prices_M4: NDArray[np.float64],
    volume_M: NDArray[np.float64],
    turnover_M: NDArray[np.float64],
    config: QualityConfig,
    memory: Memory,
) -> tuple[pl.DataFrame, Walked, int]:
    """Clean rows sorted by date and symbol; what hit; confirmed rows of an earlier portion."""
    negative_M = volume_M < 0
    volume_M = np.where(negative_M, 0.0, volume_M)
    turnover_M = np.where(np.isfinite(turnover_M), turnover_M, prices_M4[:, 3] * volume_M)
    turnover_M = np.maximum(np.nan_to_num(turnover_M), 0.0)
    adjustment_M = bars["adjustment_factor"].fill_null(1.0).to_numpy()
    absurd_M = ~(np.isfinite(adjustment_M) & (adjustment_M > 0.0))
    adjustment_M = np.where(absurd_M, 1.0, adjustment_M)
    rows = repair.Bars(
        stock_M=stock_M,
        day_M=day_M,
        prices_M4=prices_M4,
        turnover_M=turnover_M,
        adjustment_M=adjustment_M,
        dividend_M=bars["dividend"].fill_null(0.0).to_numpy(),
        told_M=np.where(adjustment_M == 1.0, 0, repair.VENDOR_SPLIT).astype(np.int32),
        out_M=np.zeros(stock_M.size, dtype=np.bool_),
    )
    rules = repair.Rules(
        max_move=config.max_move,
        frozen=config.frozen_sessions,
        policy={"keep": 0, "adjust": 1, "exclude": 2}[config.split_policy],
        reinvest=config.dividends == "reinvest",
    )
    cleaned = repair.walk(rows, memory.state, rules)
    fate_M, flag_M, confirmed = cleaned.fate_M, cleaned.flag_M, cleaned.late
    clean = _clean_frame(bars, cleaned, volume_M, turnover_M)
    clean = clean.filter(fate_M == repair.KEEP)
    clean = clean[_order(day_M[fate_M == repair.KEEP])]
    walked = Walked(
        bars=bars,
        day_M=day_M,
        fate_M=fate_M,
        flag_M=flag_M,
        volume_M=volume_M,
        negative_M=negative_M,
        absurd_M=absurd_M,
    )
    return clean, walked, confirmed


def _by_stock(
    bars: pl.DataFrame, memory: Memory
) -> tuple[pl.DataFrame, NDArray[np.int64], NDArray[np.int64]]:
    """Bars in order of symbol and date, the stock of each in ``memory``, and its day since 1970."""
    stock_M = positions(bars["symbol"], memory.symbols)
    day_M = bars["date"].to_physical().to_numpy().astype(np.int64)
    order_M = _order(day_M)
    order_M = order_M[_order(stock_M[order_M])]
    return bars[order_M], stock_M[order_M], day_M[order_M]


def _order(key_M: NDArray[np.int64]) -> NDArray[np.int64]:
    """Stable order of days or stocks. Of 16 bits numpy sorts by counting: a tenth of sorting the text."""
    if key_M.size and key_M.min() >= -(2**15) and key_M.max() < 2**15:
        return np.argsort(key_M.astype(np.int16), kind="stable")
    return np.argsort(key_M, kind="stable")


def _unique(raw: RawTables) -> tuple[pl.DataFrame, Finding]:
    """Rows without exact repetitions, and how many of those there were."""
    bars = raw.bars
    exact = 0
    if bars.select(pl.struct("date", "symbol").n_unique()).item() < len(bars):
        bars = bars.unique(maintain_order=True)
        exact = len(raw.bars) - len(bars)
        clash = bars.filter(pl.struct("date", "symbol").is_duplicated())
        if not clash.is_empty():
            first = clash.row(0, named=True)
            raise DataError(
                f"{raw.source}: {len(clash)} rows contradict each other "
                f"(first: {first['symbol']} on {first['date']} has two different bars)",
                hint="remove the wrong rows from the file and ingest it again",
            )
    return bars, Finding(
        rule="duplicate",
        level="warning",
        count=exact,
        action="dropped",
        description="row given twice, word for word",
    )


def _clean_frame(
    bars: pl.DataFrame,
    cleaned: repair.Cleaned,
    volume_M: NDArray[np.float64],
    turnover_M: NDArray[np.float64],
) -> pl.DataFrame:
    scaled_M4 = cleaned.prices_M4 * (cleaned.factor_M * cleaned.reinvested_M)[:, None]
    columns = {name: scaled_M4[:, i] for i, name in enumerate(("open", "high", "low", "close"))}
    return (
        bars.select("date", "symbol")
        .with_columns(
            *(pl.Series(name, values) for name, values in columns.items()),
            pl.Series("close_raw", cleaned.prices_M4[:, 3]),
            pl.Series("volume", volume_M / cleaned.factor_M),
            pl.Series("turnover", turnover_M),
            pl.Series("dividend", cleaned.dividend_M),
            pl.Series("reinvested", cleaned.reinvested_M),
            pl.Series("flags", cleaned.flag_M),
        )
        .with_columns(pl.col("open").fill_nan(None))
    )


def _report(
    raw: RawTables,
    config: QualityConfig,
    memory: Memory,
    before: QualityReport | None,
    seen: sessions.Sessions,
    names_T: list[int],
    kept: int,
    found: list[Finding],
) -> QualityReport:
    dates = seen.dates()
    days = (*(before.days if before else ()), *dates)
    names = (*(before.names if before else ()), *names_T)
    first, last = dt.date.fromisoformat(days[0]), dt.date.fromisoformat(days[-1])
    shown = sorted((f for f in found if f.count), key=lambda f: ORDER[f.level])
    rows_in = len(raw.bars) + (before.rows_in if before else 0)
    rows_out = kept + (before.rows_out if before else 0)
    count = sum(1 for n in names if n)
    usual = sessions.usual_names(names[:-1])
    report = QualityReport(
        verdict=_verdict(shown, rows_in, rows_out, config),
        findings=tuple(shown),
        notes=(*raw.notes, *_market_notes(raw, memory, first, last, count)),
        rows_in=rows_in,
        rows_out=rows_out,
        symbols=int((memory.seen > 0).sum()),
        sessions=count,
        first=first,
        last=last,
        days=days,
        names=names,
        usual_names=usual,
        last_session_complete=names[-1] > 0 and names[-1] >= config.min_coverage * usual,
        volume_shift=seen.volume_shift,
    )
    return report


def _short_histories(memory: Memory) -> Finding:
    short_N = np.flatnonzero(memory.rows < YEAR)
    return Finding(
        rule="short_history",
        level="info",
        count=short_N.size,
        action="kept; the universe rule decides",
        description=f"stock with fewer than {YEAR} rows",
        examples=tuple(
            (memory.symbols[n], sessions.iso(memory.end[n]), f"{memory.rows[n]} rows")
            for n in short_N[: LISTED["info"]]
        ),
    )


def _market_notes(
    raw: RawTables, memory: Memory, first: dt.date, last: dt.date, sessions: int
) -> list[str]:
    if raw.market == "synthetic":
        return [
            "synthetic market: its signal is planted, so figures test the machinery, not a strategy"
        ]
    years = sessions / YEAR
    near_end = (last - dt.timedelta(days=NEAR_END) - dt.date(1970, 1, 1)).days
    gone = int((memory.end < near_end).sum())
    if years >= 1 and gone < SURVIVOR_SHARE * years * len(memory.symbols):
        return [
            "survivor-biased: hardly any stock leaves the table before its end; "
            "figures made from it say nothing about money"
        ]
    return []


def _verdict(findings: list[Finding], rows: int, kept: int, config: QualityConfig) -> Verdict:
    errors = sum(max(f.count, f.rows) for f in findings if f.level == "error")
    if kept == 0 or errors > config.max_bad_share * rows:
        return "refused"
    return "degraded" if errors else "ok"
