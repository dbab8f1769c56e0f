"""What `preflight` says of a run before it begins, and the rows that files alone can tell."""

from pathlib import Path
from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from engine.records import record
from engine.records.audit import AUDIT, read_audit
from engine.records.drill import read_drill
from engine.records.quality import QUALITY, CheckedQuality
from engine.records.snapshot import current_id

_PreflightVerdict = Literal["ok", "warn", "stop"]


class PreflightRow(Struct, frozen=True):
    """One thing that a run needs; ``stop`` keeps the run from starting."""

    name: str
    value: str
    verdict: _PreflightVerdict
    hint: str = ""


class PreflightResult(Struct, frozen=True, kw_only=True):
    """All rows. An answer without rows is of a preflight that could not be made; only it has an error."""

    verdict: Literal["ok", "stop"] = "stop"
    rows: tuple[PreflightRow, ...] = ()
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
