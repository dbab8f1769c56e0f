"""What `preflight` answers: everything a long run needs, one row each."""

from typing import Literal

from msgspec import Struct

PreflightVerdict = Literal["ok", "warn", "stop"]


class PreflightRow(Struct, frozen=True):
    """One thing that a run needs; ``stop`` keeps the run from starting."""

    name: str
    value: str
    verdict: PreflightVerdict
    hint: str = ""


class PreflightResult(Struct, frozen=True, kw_only=True):
    """All rows; an answer without rows is that of a preflight that could not be made."""

    verdict: Literal["ok", "stop"] = "stop"
    rows: tuple[PreflightRow, ...] = ()
    error: str = "it ended without an answer"
    hint: str = ""

    def told(self) -> tuple[PreflightRow, ...]:
        """The rows, or the error as the one red row."""
        return self.rows or (PreflightRow("preflight", self.error, "stop", self.hint),)
