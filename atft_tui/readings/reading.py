"""How price files were read, or would be: the plan, the evidence for it, and what was refused."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from engine.records.plan_lines import plan_lines
from engine.records.reading import ReadingPlan

OLD = "read by an older version: not recorded"


@dataclass(frozen=True, slots=True)
class Read:
    """What the Data screen and the form of `ingest` say of a reading."""

    lines: tuple[str, ...] = ()
    """Plans first, then evidence; each starts with a word of its own."""
    verdict: str = ""
    """ok, warning or refused; empty where nothing was recorded."""
    error: str = ""
    hint: str = ""


def read_of(told: Mapping[str, Any]) -> Read:
    """From a snapshot's manifest or the answer of ``ingest --dry-run --json``.

    A record that does not fit is a `msgspec.ValidationError`, which is a ValueError.
    """
    error, hint = str(told.get("error", "")), str(told.get("hint", ""))
    plans = msgspec.convert(told.get("plans", []), list[ReadingPlan])
    lines = [line for plan in plans for line in plan_lines(plan)]
    verdict = str(told.get("verdict", "refused" if error else ""))
    return Read(tuple(lines), verdict, error, hint)
