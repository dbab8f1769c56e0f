"""How price files were read, or would be: the plan, the evidence for it, and what was refused."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from engine.records.evidence import Evidence
from engine.records.reading import ReadingPlan, plan_lines

OLD = "read by an older version: not recorded"
NO_FILE = "no file was read"


@dataclass(frozen=True, slots=True)
class Read:
    """What the Data screen and the form of `ingest` say of a reading."""

    lines: tuple[tuple[str, str], ...] = ()
    """Word and text of each line: plans first, then evidence and problems."""
    verdict: str = ""
    """ok, warned or refused; empty where nothing was recorded."""
    error: str = ""
    hint: str = ""


def read_of(told: Mapping[str, Any]) -> Read:
    """From a snapshot's manifest or the answer of ``ingest --dry-run --json``.

    A record that does not fit is a `msgspec.ValidationError`, which is a ValueError.
    """
    error, hint = str(told.get("error", "")), str(told.get("hint", ""))
    evidence = msgspec.convert(told.get("evidence"), Evidence | None)
    verdict = "refused" if error else "" if evidence is None else evidence.verdict
    plans = msgspec.convert(told.get("plans", []), list[ReadingPlan])
    lines = list(_lines(plans, evidence))
    if not lines and not error:
        lines = [
            ("source", f"{told.get('source', 'unknown')}: {NO_FILE}" if "plans" in told else OLD)
        ]
    return Read(tuple(lines), verdict, error, hint)


def _lines(plans: list[ReadingPlan], evidence: Evidence | None) -> Iterator[tuple[str, str]]:
    lines = [line for plan in plans for line in plan_lines(plan)]
    for line in lines + (evidence.lines() if evidence else []):
        word, _, said = line.strip().partition(": ")
        yield word, said
