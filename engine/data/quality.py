"""The quality gates: every rule is named, counted and shown with examples before anything is computed."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.config import QualityConfig
from engine.data import repair
from engine.data.memory import Memory
from engine.data.panel import positions
from engine.data.tables import RawTables
from engine.errors import DataError

Verdict = Literal["ok", "degraded", "refused"]
Level = Literal["error", "warning", "info"]
MAX_EXAMPLES = 10
YEAR = 252
NEAR_END = 30
"""A stock whose last row is older than this is gone. Days."""
SURVIVOR_SHARE = 0.02
"""Fewer stocks than this share a year stop trading before the end: the table holds survivors only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    rule: str
    level: Level
    count: int
    action: str
    """What was done about it, e.g. "row dropped"."""
    description: str
    examples: tuple[tuple[str, str, str], ...] = ()
    """(symbol, date, what it looked like), the first few in order of time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityReport:
    verdict: Verdict
    findings: tuple[Finding, ...]
    """Rules with a count above zero, worst level first."""
    notes: tuple[str, ...]
    """What every report made from these data has to say."""
    rows_in: int
    rows_out: int
    symbols: int
    sessions: int
    first: dt.date
    last: dt.date

    def count(self, rule: str) -> int:
        return sum(finding.count for finding in self.findings if finding.rule == rule)

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"first": str(self.first), "last": str(self.last)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "QualityReport":
        findings = tuple(
            Finding(**{**finding, "examples": tuple(tuple(e) for e in finding["examples"])})
            for finding in value["findings"]
        )
        days = {name: dt.date.fromisoformat(value[name]) for name in ("first", "last")}
        return cls(**{**value, **days, "findings": findings, "notes": tuple(value["notes"])})


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
    bars = bars.sort("symbol", "date")
    memory = memory.extended(bars["symbol"].unique())
    stock_M = positions(bars["symbol"], memory.symbols)
    prices_M4 = bars.select("open", "high", "low", "close").fill_null(float("nan")).to_numpy()
    volume_M = np.nan_to_num(bars["volume"].fill_null(0.0).to_numpy(), posinf=0.0)
    negative_M = volume_M < 0
    volume_M = np.where(negative_M, 0.0, volume_M)
    turnover_M = bars["turnover"].fill_null(float("nan")).to_numpy()
    turnover_M = np.where(np.isfinite(turnover_M), turnover_M, prices_M4[:, 3] * volume_M)
    turnover_M = np.maximum(np.nan_to_num(turnover_M), 0.0)
    adjustment_M = bars["adjustment_factor"].fill_null(1.0).to_numpy()
    absurd_M = ~(np.isfinite(adjustment_M) & (adjustment_M > 0.0))
    fate_M, flag_M, mended_M4, factor_M, confirmed = repair.walk(
        stock_M,
        np.ascontiguousarray(prices_M4),
        turnover_M,
        np.where(absurd_M, 1.0, adjustment_M),
        memory.last,
        memory.factor,
        memory.run,
        memory.held,
        memory.excluded,
        memory.variance,
        memory.seen,
        memory.turnover,
        config.max_price,
        config.max_move,
        config.split_tolerance,
        config.frozen_sessions,
        {"keep": 0, "adjust": 1, "exclude": 2}[config.split_policy],
    )
    np.add.at(memory.rows, stock_M, 1)
    day_M = bars["date"].to_physical().to_numpy().astype(np.int64)
    np.maximum.at(memory.end, stock_M, day_M)
    clean = _clean_frame(bars, mended_M4, factor_M, volume_M, turnover_M)
    clean = clean.filter(fate_M == repair.KEEP).sort("date", "symbol")
    found = [*duplicates, *_row_findings(bars, fate_M, flag_M, negative_M, absurd_M, config)]
    if before is not None:
        found = _added(before.findings, found, confirmed)
    first = _date(bars["date"].min()) if before is None else before.first
    last = _date(bars["date"].max())
    sessions = clean["date"].n_unique() + (before.sessions if before else 0)
    found.append(_short_histories(memory))
    shown = sorted((f for f in found if f.count), key=lambda f: _ORDER[f.level])
    rows_in = len(raw.bars) + (before.rows_in if before else 0)
    rows_out = len(clean) + (before.rows_out if before else 0)
    report = QualityReport(
        verdict=_verdict(shown, rows_in, rows_out, config),
        findings=tuple(shown),
        notes=(*raw.notes, *_market_notes(raw, memory, first, last, sessions)),
        rows_in=rows_in,
        rows_out=rows_out,
        symbols=int((memory.seen > 0).sum()),
        sessions=sessions,
        first=first,
        last=last,
    )
    return clean, report, memory


_ORDER = {"error": 0, "warning": 1, "info": 2}


def _unique(raw: RawTables) -> tuple[pl.DataFrame, list[Finding]]:
    bars = raw.bars.unique(maintain_order=True)
    exact = len(raw.bars) - len(bars)
    clash = bars.filter(pl.struct("date", "symbol").is_duplicated())
    if not clash.is_empty():
        first = clash.row(0, named=True)
        raise DataError(
            f"{raw.source}: {len(clash)} rows contradict each other "
            f"(first: {first['symbol']} on {first['date']} has two different bars)",
            hint="remove the wrong rows from the file and ingest it again",
        )
    found = Finding(
        rule="duplicate",
        level="warning",
        count=exact,
        action="dropped",
        description="row given twice, word for word",
    )
    return bars, [found]


def _clean_frame(
    bars: pl.DataFrame,
    mended_M4: NDArray[np.float64],
    factor_M: NDArray[np.float64],
    volume_M: NDArray[np.float64],
    turnover_M: NDArray[np.float64],
) -> pl.DataFrame:
    scaled_M4 = mended_M4 * factor_M[:, None]
    columns = {name: scaled_M4[:, i] for i, name in enumerate(("open", "high", "low", "close"))}
    return (
        bars.select("date", "symbol")
        .with_columns(
            *(pl.Series(name, values) for name, values in columns.items()),
            pl.Series("close_raw", mended_M4[:, 3]),
            pl.Series("volume", volume_M / factor_M),
            pl.Series("turnover", turnover_M),
        )
        .with_columns(pl.col("open").fill_nan(None))
    )


def _row_findings(
    bars: pl.DataFrame,
    fate_M: NDArray[np.int8],
    flag_M: NDArray[np.int8],
    negative_M: NDArray[np.bool_],
    absurd_M: NDArray[np.bool_],
    config: QualityConfig,
) -> list[Finding]:
    close = bars["close"].fill_null(float("nan")).to_numpy()
    splits = {
        "adjust": "later prices rescaled",
        "exclude": "stock dropped from there",
        "keep": "kept",
    }
    highlow = (
        bars.select(pl.col("high") < pl.col("low")).to_series().fill_null(value=False).to_numpy()
    )
    zero_open = ~(bars["open"].fill_null(0.0).to_numpy() > 0)
    rules: list[tuple[str, Level, NDArray[np.bool_], str, str]] = [
        ("non_positive_close", "error", fate_M == repair.BAD_CLOSE, "row dropped",
         "close is missing, not finite or <= 0"),
        ("absurd_price", "error", fate_M == repair.ABSURD, "row dropped",
         f"close above quality.max_price ({config.max_price:g})"),
        ("high_below_low", "error", highlow, "range rebuilt from open and close", "high < low"),
        ("bad_print", "error", fate_M == repair.BAD_PRINT, "row dropped",
         f"one-session move beyond {config.max_move:.0%} that the next bar does not confirm"),
        ("suspected_split", "error", (flag_M & repair.SPLIT) > 0, splits[config.split_policy],
         "overnight change by an exact ratio (2, 3, 4, 5, 10 or inverse) without unusual turnover"),
        ("bad_adjustment", "error", absurd_M, "taken as 1", "adjustment factor not positive and finite"),
        ("negative_volume", "error", negative_M, "set to 0", "volume < 0"),
        ("zero_open", "warning", zero_open, "open treated as missing", "open is 0 or missing"),
        ("range_violation", "warning", (flag_M & repair.RANGE) > 0, "range widened",
         "open or close outside low..high"),
        ("jump", "warning", fate_M == repair.JUMP, "row held out for one session",
         f"one-session move beyond {config.max_move:.0%} that the next bar confirms"),
        ("frozen", "warning", (flag_M & repair.FROZEN) > 0, "kept",
         f"close unchanged for {config.frozen_sessions} sessions"),
        ("vendor_split", "info", (flag_M & repair.VENDOR_SPLIT) > 0, "later prices rescaled",
         "the source gives an adjustment factor"),
    ]  # fmt: skip
    previous = np.roll(close, 1)

    def example(m: int) -> tuple[str, str, str]:
        symbol, date = bars["symbol"][m], bars["date"][m]
        o, h, low, c = bars.select("open", "high", "low", "close").row(m)
        return str(symbol), str(date), f"o {o} h {h} l {low} c {c} (before: {previous[m]:g})"

    return [
        Finding(
            rule=rule,
            level=level,
            count=int(hit.sum()),
            action=action,
            description=description,
            examples=tuple(example(int(m)) for m in np.flatnonzero(hit)[:MAX_EXAMPLES]),
        )
        for rule, level, hit, action, description in rules
    ]


def _added(before: Sequence[Finding], found: Sequence[Finding], confirmed: int) -> list[Finding]:
    """Counts of earlier sessions plus those of new ones; held-out rows that were confirmed move over."""
    moved = {"bad_print": -confirmed, "jump": confirmed}
    old = {finding.rule: finding for finding in before}
    out = []
    for new in found:
        past = old.get(new.rule, replace(new, count=0, examples=()))
        out.append(
            replace(
                new,
                count=past.count + new.count + moved.get(new.rule, 0),
                examples=(*past.examples, *new.examples)[:MAX_EXAMPLES],
            )
        )
    return out


def _short_histories(memory: Memory) -> Finding:
    short_N = np.flatnonzero(memory.rows < YEAR)
    epoch = dt.date(1970, 1, 1)
    return Finding(
        rule="short_history",
        level="info",
        count=short_N.size,
        action="kept; the universe rule decides",
        description=f"stock with fewer than {YEAR} rows",
        examples=tuple(
            (
                memory.symbols[n],
                str(epoch + dt.timedelta(days=int(memory.end[n]))),
                f"{memory.rows[n]} rows",
            )
            for n in short_N[:MAX_EXAMPLES]
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
    errors = sum(finding.count for finding in findings if finding.level == "error")
    if kept == 0 or errors > config.max_bad_share * rows:
        return "refused"
    return "degraded" if errors else "ok"


def _date(value: Any) -> dt.date:
    assert isinstance(value, dt.date)
    return value
