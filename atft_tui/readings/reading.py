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
    """Word and text of each line: plans, evidence, problems, rows, revision, notes."""
    verdict: str = ""
    """ok, warned or refused; empty where nothing was recorded."""
    error: str = ""
    hint: str = ""


def read_of(told: Mapping[str, Any]) -> Read:
    """From a snapshot's manifest or the answer of ``ingest --dry-run --json``.

    A record that does not fit is a `msgspec.ValidationError`, which is a ValueError.
    """
    error, hint = str(told.get("error", "")), str(told.get("hint", ""))
    plans = msgspec.convert(told.get("plans", []), list[ReadingPlan])
    evidence = msgspec.convert(told.get("evidence"), Evidence | None)
    verdict = "refused" if error else "" if evidence is None else evidence.verdict
    lines = [line for plan in plans for line in plan_lines(plan)]
    lines += evidence.lines() if evidence else []
    words = [(word, said) for word, _, said in (line.strip().partition(": ") for line in lines)]
    if error:  # which says what was refused, and why
        words = [(word, said) for word, said in words if word != "refused"]
    if not words and not error:
        source = str(told.get("source", ""))
        words = [("source", OLD if source.startswith("files") else f"{source}: {NO_FILE}")]
    words += [*_rows(evidence), *_revision(told.get("revision") or {})]
    words += [("note", str(note)) for note in told.get("notes", [])]
    return Read(tuple(words), verdict, error, hint)


def _rows(evidence: Evidence | None) -> Iterator[tuple[str, str]]:
    if evidence is not None:
        span = f"{evidence.first} to {evidence.last}"
        yield "rows", f"{evidence.rows:,} of {evidence.symbols:,} codes, {span}"


def _revision(counts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What a file said of sessions that were stored already; nothing where it said nothing of them."""
    equal, changed = int(counts.get("equal", 0)), int(counts.get("changed", 0))
    if equal or changed:
        prices = int(counts.get("prices", 0))
        yield (
            "revision",
            f"{equal:,} bars as they were, {changed:,} changed ({prices:,} in a price)",
        )
