"""The quality gates: every rule is named, counted and shown with examples before anything is computed."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import polars as pl
from msgspec import structs
from numpy.typing import NDArray

from engine.config import QualityConfig
from engine.data import repair, sessions
from engine.data.actions import Folded, fold, renamed, renames, with_proceeds
from engine.data.calendar import exchange_of
from engine.data.memory import Memory
from engine.data.panel import positions
from engine.data.rules import Walked, mismatch_finding, row_findings, unit_mismatch
from engine.data.tables import RawTables
from engine.errors import DataError
from engine.records.quality import (
    ACTION,
    LISTED,
    PROCEEDS,
    VENDOR_SPLIT,
    DataFinding,
    Level,
    QualityReport,
    Verdict,
)

_Vector = NDArray[np.float64]
_YEAR = 252
_NEAR_END = 30
"""A stock whose last row is older than this is gone. Days."""
_ORDER: Mapping[Level, int] = {"error": 0, "warning": 1, "info": 2}
_SURVIVOR_SHARE = 0.02
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
    known = renames(raw.actions)
    raw = replace(raw, bars=renamed(raw.bars, known)) if known else raw
    actions = renamed(raw.actions, known) if raw.actions is not None else None
    memory = memory.extended(raw.bars["symbol"].unique())
    bars, paid = with_proceeds(raw.bars, actions, memory)
    bars, stock_M, day_M, duplicates = _by_stock(bars, memory, raw.source)
    folded = fold(actions, stock_M, day_M, memory.end, memory)
    prices_M4 = np.ascontiguousarray(
        bars.select("open", "high", "low", "close").fill_null(float("nan")).to_numpy()
    )
    volume_M = np.nan_to_num(bars["volume"].fill_null(0.0).to_numpy(), posinf=0.0)
    turnover_M = bars["turnover"].fill_null(float("nan")).to_numpy()
    seen = sessions.look(stock_M, day_M, prices_M4, volume_M, memory, before, config)
    memory.rows[:] += np.bincount(stock_M, minlength=memory.rows.size)
    mismatch_M = unit_mismatch(prices_M4[:, 3], volume_M, turnover_M) & ~seen.held_T[seen.t_M]
    found = [duplicates, mismatch_finding(bars, day_M, mismatch_M), folded.finding]
    rows = repair.Bars(
        stock_M,
        day_M,
        prices_M4,
        turnover_M,
        *_events(bars, folded, seen.repeated_T[seen.t_M], paid),
        out_M=mismatch_M | seen.held_T[seen.t_M],
    )
    clean, walked, confirmed = _walk(bars, rows, volume_M, config, memory)
    kept_T = np.searchsorted(seen.day_T, clean["date"].to_physical().to_numpy())
    names_T = np.bincount(kept_T, minlength=seen.day_T.size).tolist()
    found += sessions.findings(seen, names_T, exchange_of(raw.market, raw.calendar), before, config)
    found += row_findings(walked, config)
    if before is not None:
        found = _merged(before.findings, found, confirmed)
    found.append(_short_histories(memory))
    report = _report(raw, config, memory, before, seen, names_T, len(clean), found)
    return clean, report, memory


def _events(
    bars: pl.DataFrame, folded: Folded, repeated_M: NDArray[np.bool_], paid: pl.DataFrame
) -> tuple[_Vector, _Vector, _Vector, NDArray[np.int32]]:
    """What happened to the shares before each row: ``adjustment_M`` to ``told_M`` of `repair.Bars`.

    The user's table goes before the source. A session given twice says nothing new.
    """
    adjustment_M = bars["adjustment_factor"].fill_null(1.0).to_numpy()
    dividend_M = bars["dividend"].fill_null(0.0).fill_nan(0.0).to_numpy()
    ours_M = folded.given_M
    if ours_M.any() or repeated_M.any():
        adjustment_M = np.where(repeated_M | ours_M, folded.adjustment_M, adjustment_M)
        dividend_M = np.where(repeated_M | ours_M, folded.dividend_M, dividend_M)
    usable_M = np.isfinite(adjustment_M) & (adjustment_M > 0.0)
    adjustment_M = np.where(usable_M, adjustment_M, 1.0)
    told_M = np.where(adjustment_M == 1.0, 0, VENDOR_SPLIT).astype(np.int32)
    acted_M = ours_M & ((folded.adjustment_M != 1.0) | (folded.worth_M > 0.0))
    told_M[acted_M] = ACTION
    if len(paid):
        keys = bars.select("date", "symbol").with_row_index("m")
        told_M[keys.join(paid, on=["date", "symbol"])["m"].to_numpy()] |= PROCEEDS
    return adjustment_M, dividend_M, folded.worth_M, told_M


def _walk(
    bars: pl.DataFrame,
    rows: repair.Bars,
    volume_M: NDArray[np.float64],
    config: QualityConfig,
    memory: Memory,
) -> tuple[pl.DataFrame, Walked, int]:
    """Clean rows sorted by date and symbol; what hit; confirmed rows of an earlier portion."""
    negative_M = volume_M < 0
    volume_M = np.where(negative_M, 0.0, volume_M)
    turnover_M = rows.turnover_M
    turnover_M = np.where(np.isfinite(turnover_M), turnover_M, rows.prices_M4[:, 3] * volume_M)
    turnover_M = np.maximum(np.nan_to_num(turnover_M), 0.0)
    rows = rows._replace(turnover_M=turnover_M)
    absurd = ~(pl.col("adjustment_factor").is_finite() & (pl.col("adjustment_factor") > 0.0))
    absurd_M = bars.select(absurd.fill_null(value=False)).to_series().to_numpy()
    rules = repair.CleaningRules(
        max_move=config.max_move,
        frozen=config.frozen_sessions,
        policy={"keep": 0, "adjust": 1, "exclude": 2}[config.split_policy],
        reinvest=config.dividends == "reinvest",
    )
    cleaned = repair.walk(rows, memory.state, rules)
    fate_M, flag_M, confirmed = cleaned.fate_M, cleaned.flag_M, cleaned.late
    kept = np.flatnonzero(fate_M == repair.KEEP)
    kept = kept[_order(rows.day_M[kept])]
    clean = _clean_frame(bars, cleaned, volume_M, turnover_M, kept)
    walked = Walked(
        bars=bars,
        day_M=rows.day_M,
        fate_M=fate_M,
        flag_M=flag_M,
        volume_M=volume_M,
        negative_M=negative_M,
        absurd_M=absurd_M,
    )
    return clean, walked, confirmed


def _by_stock(
    bars: pl.DataFrame, memory: Memory, source: str
) -> tuple[pl.DataFrame, NDArray[np.int64], NDArray[np.int64], DataFinding]:
    """Bars in order of symbol and date, each (date, symbol) once; the stock of each in ``memory``, and its
    day since 1970; how many were given twice.
    """
    rows = len(bars)
    stock_M = positions(bars["symbol"], memory.symbols)
    day_M = bars["date"].to_physical().to_numpy().astype(np.int64)
    order_M = _order(day_M)
    order_M = order_M[_order(stock_M[order_M])]
    stock_M, day_M = stock_M[order_M], day_M[order_M]
    bars = bars[order_M]
    again_M = (stock_M[1:] == stock_M[:-1]) & (day_M[1:] == day_M[:-1])
    if again_M.any():
        keep_M = _once(bars, source)
        bars, stock_M, day_M = bars.filter(keep_M), stock_M[keep_M], day_M[keep_M]
    return (
        bars,
        stock_M,
        day_M,
        DataFinding(
            rule="duplicate",
            level="warning",
            count=rows - len(bars),
            action="dropped",
            description="row given twice, word for word",
        ),
    )


def _order(key_M: NDArray[np.int64]) -> NDArray[np.int64]:
    """Stable order of days or stocks. Of 16 bits numpy sorts by counting: a tenth of sorting the text."""
    if key_M.size and key_M.min() >= -(2**15) and key_M.max() < 2**15:
        return np.argsort(key_M.astype(np.int16), kind="stable")
    return np.argsort(key_M, kind="stable")


def _once(bars: pl.DataFrame, source: str) -> NDArray[np.bool_]:
    """The first of equal rows. Different rows of one (date, symbol) are a DataError."""
    first_M = bars.select(pl.struct(pl.all()).is_first_distinct()).to_series().to_numpy()
    clash = bars.filter(first_M).filter(pl.struct("date", "symbol").is_duplicated())
    if not clash.is_empty():
        first = clash.row(0, named=True)
        raise DataError(
            f"{source}: {len(clash)} rows contradict each other "
            f"(first: {first['symbol']} on {first['date']} has two different bars)",
            hint="remove the wrong rows from the file and ingest it again",
        )
    return np.asarray(first_M)


def _clean_frame(
    bars: pl.DataFrame,
    cleaned: repair.Cleaned,
    volume_M: NDArray[np.float64],
    turnover_M: NDArray[np.float64],
    kept: NDArray[np.int64],
) -> pl.DataFrame:
    """Rows ``kept``, in this order."""
    factor = cleaned.factor_M[kept]
    reinvested = cleaned.reinvested_M[kept]
    scale = factor * reinvested
    frame = bars.select(pl.col("date", "symbol").gather(kept))
    prices = {
        name: cleaned.prices_M4[kept, i] * scale
        for i, name in enumerate(("open", "high", "low", "close"))
    }
    more = {
        "close_raw": cleaned.prices_M4[kept, 3],
        "volume": volume_M[kept] / factor,
        "turnover": turnover_M[kept],
        "dividend": cleaned.dividend_M[kept],
        "reinvested": reinvested,
        "flags": cleaned.flag_M[kept],
    }
    columns = [pl.Series(name, values) for name, values in (prices | more).items()]
    return frame.with_columns(columns).with_columns(pl.col("open").fill_nan(None))


def _report(
    raw: RawTables,
    config: QualityConfig,
    memory: Memory,
    before: QualityReport | None,
    seen: sessions.Sessions,
    names_T: list[int],
    kept: int,
    found: list[DataFinding],
) -> QualityReport:
    dates = seen.dates()
    days = (*(before.days if before else ()), *dates)
    names = (*(before.names if before else ()), *names_T)
    first, last = dt.date.fromisoformat(days[0]), dt.date.fromisoformat(days[-1])
    shown = sorted((f for f in found if f.count), key=lambda f: _ORDER[f.level])
    rows_in = len(raw.bars) + (before.rows_in if before else 0)
    rows_out = kept + (before.rows_out if before else 0)
    count = sum(1 for n in names if n)
    usual = sessions.usual_names(names[:-1])
    complete = names[-1] > 0 and names[-1] >= config.min_coverage * usual
    return QualityReport(
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
        last_session_complete=complete,
        volume_shift=seen.volume_shift,
        incomplete="" if complete else f"data incomplete {names[-1]:,}/{usual:,}",
    )


def _merged(
    before: Sequence[DataFinding], found: Sequence[DataFinding], confirmed: int
) -> list[DataFinding]:
    """Counts of earlier sessions plus those of new ones; held-out rows that were confirmed move over."""
    moved = {"bad_print": -confirmed, "jump": confirmed}
    old = {finding.rule: finding for finding in before}
    return [
        old.get(new.rule, structs.replace(new, count=0, rows=0, examples=())).plus(
            new, moved.get(new.rule, 0)
        )
        for new in found
    ]


def _short_histories(memory: Memory) -> DataFinding:
    short_N = np.flatnonzero(memory.rows < _YEAR)
    return DataFinding(
        rule="short_history",
        level="info",
        count=short_N.size,
        action="kept; the universe rule decides",
        description=f"stock with fewer than {_YEAR} rows",
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
    years = sessions / _YEAR
    near_end = (last - dt.timedelta(days=_NEAR_END) - dt.date(1970, 1, 1)).days
    gone = int((memory.end < near_end).sum())
    if years >= 1 and gone < _SURVIVOR_SHARE * years * len(memory.symbols):
        return [
            "survivor-biased: hardly any stock leaves the table before its end; "
            "figures made from it say nothing about money"
        ]
    return []


def _verdict(findings: list[DataFinding], rows: int, kept: int, config: QualityConfig) -> Verdict:
    errors = sum(max(f.count, f.rows) for f in findings if f.level == "error")
    if kept == 0 or errors > config.max_bad_share * rows:
        return "refused"
    return "degraded" if errors else "ok"
