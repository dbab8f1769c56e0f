"""``audit.json`` of a workspace: what the look-ahead audit found."""

from pathlib import Path
from typing import Literal

from msgspec import Struct

from engine.records import record

AUDIT = "audit.json"


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
