"""What was proved of a workspace before a run begins: ``audit.json`` says what the look-ahead audit found,
``drill.json`` which faults were injected into a copy of it; and the rows that `preflight` makes of such
files.
"""

from collections import Counter
from pathlib import Path
from typing import Literal, get_args

from msgspec import UNSET, Struct, UnsetType

from engine.records import record
from engine.records.quality import QUALITY, CheckedQuality
from engine.records.snapshot import current_id

DRILL = "drill.json"
DrillVerdict = Literal["survived", "failed", "silent", "not tried"]
AUDIT = "audit.json"
_PreflightVerdict = Literal["ok", "warn", "stop"]


class DrillOutcome(Struct, frozen=True, kw_only=True):
    """One fault and what was seen."""

    case: str
    kind: str
    verdict: DrillVerdict
    done: str
    """What was done to the copy."""
    seen: str
    """What the product made of it, or why it was not tried."""
    seconds: float = 0.0


class DrillResult(Struct, frozen=True, kw_only=True):
    """A drill of all cases."""

    at: str
    """When it ended. UTC, ISO 8601."""
    seconds: float
    outcomes: tuple[DrillOutcome, ...]

    @property
    def passed(self) -> bool:
        """Whether no fault did harm; one that could not be tried on this machine does not count."""
        return all(one.verdict in ("survived", "not tried") for one in self.outcomes)

    @property
    def line(self) -> str:
        """``survived 40, failed 1, silent 0, not tried 2``."""
        found = Counter(one.verdict for one in self.outcomes)
        return ", ".join(f"{verdict} {found[verdict]}" for verdict in get_args(DrillVerdict))


def read_drill(workspace: Path) -> DrillResult | None:
    """The workspace's last drill; None before the first, RecordError if the file is damaged."""
    return record.read_if_there(workspace / DRILL, DrillResult)


class Leak(Struct, frozen=True, kw_only=True):
    """Something up to a session that changed with what came after it."""

    check: str
    name: str
    """The offending column, edge or rule."""
    day: str
    """First day that changed, ISO date."""
    symbol: str = ""
    """A stock that changed on that day; empty for the market."""
    detail: str = ""
    ahead: int | None = None
    """Sessions that it looks ahead, where the deep audit measured it."""


class AuditCheck(Struct, frozen=True, kw_only=True):
    """One check and its outcome."""

    name: str
    passed: bool | None
    """None: it could not be made."""
    detail: str = ""


class AuditSample(Struct, frozen=True, kw_only=True):
    """How much of the market was looked at."""

    stocks: int = 0
    sessions: int = 0
    columns: int = 0


class AuditResult(Struct, frozen=True, kw_only=True):
    """The outcome of one audit, and of which data, rules and settings it is."""

    verdict: Literal["passed", "failed"]
    checks: tuple[AuditCheck, ...] = ()
    leaks: tuple[Leak, ...] = ()
    notes: tuple[str, ...] = ()
    """What is no leak, but should be known."""
    cuts: tuple[str, ...] = ()
    """ISO dates after which the future was altered."""
    sample: AuditSample = AuditSample()
    snapshot: str = ""
    session: str = ""
    """Newest session of the snapshot, ISO date."""
    chain: str = ""
    """Digest of that session and all before it."""
    rules: str = ""
    """Digest of the rules between the source and the network's input."""
    config: str = ""
    deep: bool = False
    run: str | None = None
    """Whose scores were audited too."""
    when: str = ""
    """UTC, ISO 8601."""

    @property
    def passed(self) -> bool:
        """True without a leak."""
        return self.verdict == "passed"


def read_audit(workspace: Path) -> AuditResult | None:
    """The workspace's last audit; None before the first, RecordError if the file is damaged."""
    return record.read_if_there(workspace / AUDIT, AuditResult)


class PreflightRow(Struct, frozen=True):
    """One thing that a run needs; ``stop`` keeps the run from starting."""

    name: str
    value: str
    verdict: _PreflightVerdict
    hint: str = ""


class PresetEstimate(Struct, frozen=True, kw_only=True):
    """What a training of the stored data would take with a preset, about."""

    name: str = ""
    seconds: float
    """Of the network's phases to their last epoch; its rivals come on top."""
    memory_gib: float

    @property
    def line(self) -> str:
        """``about 12 min, 1.2 GiB``."""
        return f"about {told_duration(self.seconds)}, {self.memory_gib:.1f} GiB"


def told_duration(seconds: float) -> str:
    """``3.4 h``, ``12 min`` or ``40 s``."""
    if seconds >= 5400:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"


class PreflightResult(Struct, frozen=True, kw_only=True):
    """All rows. An answer without rows is of a preflight that could not be made; only it has an error."""

    verdict: Literal["ok", "stop"] = "stop"
    rows: tuple[PreflightRow, ...] = ()
    presets: tuple[PresetEstimate, ...] = ()
    """Of the presets that train on the stored data."""
    error: str | UnsetType = UNSET
    hint: str | UnsetType = UNSET

    def told(self) -> tuple[PreflightRow, ...]:
        """The rows, or the error as the one red row."""
        error = self.error or "it ended without an answer"
        return self.rows or (PreflightRow("preflight", error, "stop", self.hint or ""),)


def rows_of_files(workspace: Path) -> tuple[PreflightRow, ...]:
    """Data, audit and drill as their last answers say: at once, where `preflight` loads its libraries first.

    RecordError if one of the files is damaged.
    """
    current = current_id(workspace)
    if current is None:
        return (PreflightRow("data", "none in this workspace", "stop", "`atft-tui ingest`"),)
    return _data_row(workspace, current), audit_row(workspace), drill_row(workspace)


def _data_row(workspace: Path, current: str) -> PreflightRow:
    found = record.read_if_there(workspace / QUALITY, CheckedQuality)
    if found is None or found.snapshot != current:
        return PreflightRow("data", "not checked yet", "warn", "`atft-tui check` judges them")
    verdict: _PreflightVerdict = "stop" if found.verdict == "refused" else "warn"
    return PreflightRow("data", found.line, "ok" if found.verdict == "ok" else verdict)


def audit_row(workspace: Path) -> PreflightRow:
    """What the look-ahead audit said of the data at hand."""
    found = read_audit(workspace)
    if found is None:
        hint = "`atft-tui audit` proves that nothing sees ahead"
        return PreflightRow("audit", "not run", "warn", hint)
    if not found.passed:
        first, path = found.leaks[0], workspace / AUDIT
        told = f"{first.check}: {first.name} sees ahead"
        return PreflightRow("audit", told, "stop", f"see {path}")
    when = f"passed {found.when[:10]}"
    if found.snapshot == current_id(workspace):
        return PreflightRow("audit", when, "ok")
    return PreflightRow("audit", f"{when}, on other data", "warn", "run `atft-tui audit` again")


def drill_row(workspace: Path) -> PreflightRow:
    """When faults were last injected into a copy of the workspace, and what came of them."""
    found = read_drill(workspace)
    if found is None:
        return PreflightRow("drill", "never", "ok", "`atft-tui drill` tries faults on a copy")
    value = f"{found.at[:10]}: {found.line}"
    return PreflightRow("drill", value, "ok" if found.passed else "warn")
