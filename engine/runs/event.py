"""What every event has. The kinds are in `engine.runs.events`, their lines in `engine.runs.wire`."""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEvent:
    seq: int = -1
    """Position in the run's stream, set by the sink, from 0 without gaps (also across a resume)."""
    at: str = ""
    """UTC, ISO 8601, set by the sink."""

    kinds: ClassVar[dict[str, type["RunEvent"]]] = {}
