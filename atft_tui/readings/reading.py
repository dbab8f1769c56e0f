"""How price files were read, or would be: the plan, the evidence for it, and what was refused."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from engine.records.evidence import Evidence
from engine.records.plan_lines import LABEL, plan_lines
from engine.records.reading import ReadingPlan

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
    lines = [*_plans(told), *_evidence(evidence)]
    if not lines and not error:
        lines = [
            ("source", f"{told.get('source', 'unknown')}: {NO_FILE}" if "plans" in told else OLD)
        ]
    return Read(tuple(lines), verdict, error, hint)


def _plans(told: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for plan in msgspec.convert(told.get("plans", []), list[ReadingPlan]):
        for line in plan_lines(plan):
            yield line[:LABEL].strip(), line[LABEL:]


def _evidence(evidence: Evidence | None) -> Iterator[tuple[str, str]]:
    for line in () if evidence is None else evidence.lines():
        word, _, said = line.partition(": ")
        yield word, said
