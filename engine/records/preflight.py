"""What `preflight` answers: everything a long run needs, one row each."""

from typing import Literal

from msgspec import UNSET, Struct, UnsetType

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
