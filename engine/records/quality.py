"""What the quality gates found: ``report.json`` of a panel, and ``data/quality.json`` of `check`; and the
bits of the column ``flags`` of the cleaned bars, which say what happened to a row that was kept.
"""

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from msgspec import Struct, structs

QUALITY = Path("data") / "quality.json"
"""Below the workspace: the newest answer of `check`."""
REPORT = "report.json"
"""The file's name in the directory of a clean panel."""
Verdict = Literal["ok", "degraded", "refused"]
Level = Literal["error", "warning", "info"]
LISTED: Mapping[Level, int] = {"error": 500, "warning": 20, "info": 20}
"""Examples kept of one rule."""
MARKET = "*"
"""Stands for the symbol in findings about a whole session."""
Example = tuple[str, str, str]
"""Symbol, ISO date, what it looked like."""

ZERO_OPEN, HIGH_BELOW_LOW, RANGE, SPLIT, FROZEN, VENDOR_SPLIT = 1, 2, 4, 8, 16, 32
BREAK, DIVIDEND, PROCEEDS, ACTION, DOUBTED, NO_DIVIDEND = 64, 128, 256, 512, 1024, 2048
"""SPLIT: inferred from the bars. VENDOR_SPLIT: by the source's factor. ACTION: split or spin-off of the
user's table. BREAK: the price jumped and nothing explains it; the scale goes on without the jump. DIVIDEND:
ex-date. PROCEEDS: no trading, the cash that a share was paid in the end. DOUBTED: the source's factor makes
the jump larger, it was not applied. NO_DIVIDEND: a dividend that is negative or not below the price, not
applied."""
_FLAG_NAMES = {
    ZERO_OPEN: "zero_open",
    HIGH_BELOW_LOW: "high_below_low",
    RANGE: "range",
    SPLIT: "split",
    FROZEN: "frozen",
    VENDOR_SPLIT: "vendor_split",
    BREAK: "break",
    DIVIDEND: "dividend",
    PROCEEDS: "proceeds",
    ACTION: "action",
    DOUBTED: "doubted",
    NO_DIVIDEND: "no_dividend",
}
_EVENTS = SPLIT | VENDOR_SPLIT | BREAK | DIVIDEND | PROCEEDS | ACTION
"""What happened to the shares, apart from the quality of a row."""


class DataFinding(Struct, frozen=True, kw_only=True):
    """How often one rule of the quality gates hit, what was done about it, and the first examples."""

    rule: str
    level: Level
    count: int
    action: str
    """What was done about it, e.g. "row dropped"."""
    description: str
    examples: tuple[Example, ...] = ()
    """The first few in order of time."""
    rows: int = 0
    """Bars concerned where ``count`` counts sessions."""

    def plus(self, new: "DataFinding", moved: int = 0) -> "DataFinding":
        """The sum with what a later stretch of sessions found; ``moved`` rows came over from another rule."""
        return structs.replace(
            new,
            count=self.count + new.count + moved,
            rows=self.rows + new.rows,
            examples=(*self.examples, *new.examples)[: LISTED[new.level]],
        )


class Hit(Struct, frozen=True, kw_only=True):
    """One listed place where a rule hit."""

    rule: str
    level: Level
    symbol: str
    date: str
    text: str
    """The offending values."""


class TableSpan(Struct, frozen=True, kw_only=True):
    """An optional table of a snapshot: its rows, and the first and last day of their availability."""

    rows: int
    first: str
    last: str


class NamesPerSession(Struct, frozen=True, kw_only=True):
    """Stocks with a kept bar on each session that has bars, in order of time."""

    dates: tuple[str, ...] = ()
    names: tuple[int, ...] = ()


class SessionCoverage(Struct, frozen=True, kw_only=True):
    """Which sessions have how many stocks, and which are missing, dropped, thin or unknown (ISO dates)."""

    per_session: NamesPerSession
    names_min: int = 0
    names_median: float = 0.0
    names_max: int = 0
    missing_sessions: tuple[str, ...] = ()
    excluded_sessions: tuple[str, ...] = ()
    """Sessions with bars of which none was kept."""
    unknown_sessions: tuple[str, ...] = ()
    """Days with bars that are no sessions of the exchange, as far as they are listed."""
    thin_sessions: tuple[str, ...] = ()
    tables: dict[str, TableSpan] = {}


class _QualityFigures(Struct, frozen=True, kw_only=True):
    """The verdict on a snapshot's bars with all counts."""

    verdict: Verdict
    findings: tuple[DataFinding, ...]
    """Rules with a count above zero, worst level first."""
    notes: tuple[str, ...] = ()
    """What every report made from these data has to say."""
    rows_in: int
    rows_out: int
    symbols: int
    sessions: int
    """Sessions with at least one bar that was kept."""
    first: dt.date
    last: dt.date
    usual_names: int
    """Median stocks of the 20 sessions before the last one; 0 when there are too few to tell."""
    last_session_complete: bool
    """False: fewer names than ``quality.min_coverage`` of the usual ones. Training may go on."""
    volume_shift: float = 0.0
    """Log of the factor by which all volumes are off since a change of units; 0 = none."""
    incomplete: str = ""
    """E.g. "data incomplete 2,812/3,950"; empty when the last session is complete."""

    @property
    def line(self) -> str:
        """``ok: 1,234 bars, 30 symbols to 2019-08-09``."""
        return f"{self.verdict}: {self.rows_out:,} bars, {self.symbols:,} symbols to {self.last}"

    @property
    def allows_signals(self) -> bool:
        """Whether a trade list may be made from the last session."""
        return self.verdict != "refused" and self.last_session_complete

    @property
    def hits(self) -> tuple[Hit, ...]:
        """All listed examples, finding by finding."""
        return tuple(
            Hit(rule=finding.rule, level=finding.level, symbol=symbol, date=date, text=text)
            for finding in self.findings
            for symbol, date, text in finding.examples
        )

    def count(self, rule: str) -> int:
        """How often a rule hit."""
        return sum(finding.count for finding in self.findings if finding.rule == rule)

    def finding(self, rule: str) -> DataFinding | None:
        """The finding of a rule; None where it never hit."""
        return next((finding for finding in self.findings if finding.rule == rule), None)

    def listed(self, rule: str) -> tuple[str, ...]:
        """Dates of a rule's listed examples."""
        finding = self.finding(rule)
        return tuple(date for _, date, _ in finding.examples) if finding else ()


class QualityReport(_QualityFigures, frozen=True, kw_only=True):
    """``report.json`` of a clean panel: the figures, and the sessions that they are of."""

    days: tuple[str, ...]
    """Sessions with a bar, kept or not, ISO dates."""
    names: tuple[int, ...]
    """Stocks with a kept bar on each of ``days``."""

    @property
    def coverage(self) -> SessionCoverage:
        """The sessions as far as the findings list them."""
        kept = sorted(count for count in self.names if count) or [0]
        half = len(kept) // 2
        return SessionCoverage(
            per_session=NamesPerSession(dates=self.days, names=self.names),
            names_min=kept[0],
            names_median=(kept[half] + kept[-half - 1]) / 2,
            names_max=kept[-1],
            missing_sessions=self.listed("missing_session"),
            excluded_sessions=tuple(
                day for day, count in zip(self.days, self.names, strict=True) if not count
            ),
            unknown_sessions=self.listed("unknown_session"),
            thin_sessions=self.listed("thin_session"),
        )

    def checked(self, snapshot: str) -> "CheckedQuality":
        """What can be said of a snapshot by this report alone, without its calendar."""
        figures = {name: getattr(self, name) for name in _QualityFigures.__struct_fields__}
        return CheckedQuality(**figures, snapshot=snapshot, coverage=self.coverage)


class CheckedQuality(_QualityFigures, frozen=True, kw_only=True):
    """``data/quality.json``: the figures of one snapshot, and its coverage session by session."""

    snapshot: str
    exchange: str = ""
    sessions_per_year: int = 0
    coverage: SessionCoverage


def flag_names(bits: int) -> list[str]:
    """What happened to a row that was kept, by the bits of its ``flags``."""
    return [name for bit, name in _FLAG_NAMES.items() if bits & bit]


def event_names(bits: int) -> list[str]:
    """Of `flag_names` what happened to the shares, apart from the quality of the row."""
    return flag_names(bits & _EVENTS)
