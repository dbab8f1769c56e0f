"""What the quality gates found: findings with examples, the verdict, and the coverage of each session."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Verdict = Literal["ok", "degraded", "refused"]
Level = Literal["error", "warning", "info"]
LISTED: Mapping[Level, int] = {"error": 500, "warning": 20, "info": 20}
"""Examples kept of one rule."""
ORDER: Mapping[Level, int] = {"error": 0, "warning": 1, "info": 2}
MARKET = "*"
"""Stands for the symbol in findings about a whole session."""

Example = tuple[str, str, str]
"""Symbol, date, what it looked like."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
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

    def plus(self, new: "Finding", moved: int = 0) -> "Finding":
        """With what a later stretch of sessions found; ``moved`` rows came over from another rule."""
        return replace(
            new,
            count=self.count + new.count + moved,
            rows=self.rows + new.rows,
            examples=(*self.examples, *new.examples)[: LISTED[new.level]],
        )


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
    """With at least one bar that was kept."""
    first: dt.date
    last: dt.date
    days: tuple[str, ...]
    """Sessions with a bar, kept or not, ISO dates."""
    names: tuple[int, ...]
    """Stocks with a kept bar on each of ``days``."""
    usual_names: int
    """Median stocks of the 20 sessions before the last one; 0 when there are too few to tell."""
    last_session_complete: bool
    """False: fewer names than ``quality.min_coverage`` of the usual ones. Training may go on."""
    volume_shift: float = 0.0
    """Log of the factor by which all volumes are off since a change of units; 0 = none."""

    @property
    def incomplete(self) -> str:
        """E.g. "data incomplete 2,812/3,950"; empty when the last session is complete."""
        if self.last_session_complete:
            return ""
        return f"data incomplete {self.names[-1]:,}/{self.usual_names:,}"

    @property
    def allows_signals(self) -> bool:
        """Whether a trade list may be made from the last session."""
        return self.verdict != "refused" and self.last_session_complete

    def count(self, rule: str) -> int:
        return sum(finding.count for finding in self.findings if finding.rule == rule)

    def finding(self, rule: str) -> Finding | None:
        return next((finding for finding in self.findings if finding.rule == rule), None)

    def to_json(self) -> dict[str, Any]:
        days = {"first": str(self.first), "last": str(self.last)}
        return asdict(self) | days | {"incomplete": self.incomplete}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "QualityReport":
        findings = tuple(
            Finding(**{**finding, "examples": tuple(tuple(e) for e in finding["examples"])})
            for finding in value["findings"]
        )
        given = {name: item for name, item in value.items() if name != "incomplete"}
        given |= {name: dt.date.fromisoformat(value[name]) for name in ("first", "last")}
        given |= {name: tuple(value[name]) for name in ("notes", "days", "names")}
        return cls(**{**given, "findings": findings})


def first_in_time(hit_M: NDArray[np.bool_], day_M: NDArray[np.int64], level: Level) -> list[int]:
    """Rows of the first hits by date, as many as are listed at this level; equal dates keep their order."""
    rows = np.flatnonzero(hit_M)
    listed = LISTED[level]
    if rows.size > 4 * listed:
        newest = np.partition(day_M[rows], listed - 1)[listed - 1]
        rows = rows[day_M[rows] <= newest]
    return [int(m) for m in rows[np.argsort(day_M[rows], kind="stable")][:listed]]


def merged(before: Sequence[Finding], found: Sequence[Finding], confirmed: int) -> list[Finding]:
    """Counts of earlier sessions plus those of new ones; held-out rows that were confirmed move over."""
    moved = {"bad_print": -confirmed, "jump": confirmed}
    old = {finding.rule: finding for finding in before}
    return [
        old.get(new.rule, replace(new, count=0, rows=0, examples=())).plus(
            new, moved.get(new.rule, 0)
        )
        for new in found
    ]
