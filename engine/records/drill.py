"""``drill.json`` of a workspace: which faults were injected into a copy of it, and what came of them."""

from collections import Counter
from pathlib import Path
from typing import Literal, get_args

from msgspec import Struct

from engine.records import record

DRILL = "drill.json"
DrillVerdict = Literal["survived", "failed", "silent", "not tried"]


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
