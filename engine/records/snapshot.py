"""A snapshot of the panel store: its ``manifest.json``, and how the files it came from were read."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, TypedDict

from msgspec import Meta, Struct

from engine.files import read_text
from engine.records.reading import Evidence, ReadingPlan, plan_lines

CURRENT = "CURRENT"
"""File below ``data`` with the id of the snapshot that is used."""
HISTORY = "HISTORY"
"""File below ``data`` with the ids of those used before it, oldest first."""
SNAPSHOTS = "snapshots"
_OLD = "read by an older version: not recorded"
_NO_FILE = "no file was read"


class Revision(Struct, frozen=True, kw_only=True):
    """What repeated bars did."""

    equal: int = 0
    """Rows that said what was known already, or nothing."""
    changed: int = 0
    """Bars that a later row replaced or completed."""
    prices: int = 0
    """Those of them that differ in a price."""
    added: int = 0
    """Bars that the store did not have of the time that it covers."""
    first: str = ""
    """First session that the store did not have like this; empty if none."""


class SourceReading(Struct, frozen=True, kw_only=True):
    """How a source was read, in a snapshot's manifest, or would be, in the answer of ``ingest --dry-run``."""

    source: str = ""
    plans: tuple[ReadingPlan, ...] = ()
    evidence: Evidence | None = None
    revision: Revision = Revision()
    notes: tuple[str, ...] = ()
    error: str = ""
    """Why nothing was stored; empty if it was, or could be."""
    hint: str = ""

    @property
    def reading_verdict(self) -> Literal["", "ok", "warned", "refused"]:
        """Whether the evidence speaks against the reading; empty where none was recorded."""
        if self.error:
            return "refused"
        return "" if self.evidence is None else self.evidence.verdict

    def reading_lines(self) -> list[tuple[str, str]]:
        """Word and text of each line: plans, evidence, problems, rows, revision, notes."""
        lines = [line for plan in self.plans for line in plan_lines(plan)]
        lines += self.evidence.lines() if self.evidence else []
        words = [(word, said) for word, _, said in (line.strip().partition(": ") for line in lines)]
        if self.error:  # which says what was refused, and why
            words = [(word, said) for word, said in words if word != "refused"]
        elif not words:
            old = self.source.startswith("files")
            words = [("source", _OLD if old else f"{self.source}: {_NO_FILE}")]
        return [*words, *self._counts(), *(("note", note) for note in self.notes)]

    def _counts(self) -> Iterator[tuple[str, str]]:
        evidence, revision = self.evidence, self.revision
        if evidence is not None:
            span = f"{evidence.first} to {evidence.last}"
            yield "rows", f"{evidence.rows:,} of {evidence.symbols:,} codes, {span}"
        if revision.equal or revision.changed:
            changed = f"{revision.changed:,} changed ({revision.prices:,} in a price)"
            yield "revision", f"{revision.equal:,} bars as they were, {changed}"


class FileEntry(TypedDict):
    """What a manifest says of a file beside it."""

    sha256: str
    bytes: int


class SnapshotManifest(SourceReading, frozen=True, kw_only=True):
    """What a snapshot holds; see `engine.data.store`."""

    market: Literal["us", "jp", "synthetic"]
    days: Annotated[tuple[str, ...], Meta(min_length=1)]
    """Sessions with bars, ISO dates; a snapshot without one is not stored."""
    chain: tuple[str, ...] = ()
    """One hash a session, of everything known by then; see `engine.data.months`. Empty: too old."""
    names: tuple[int, ...] | None = None
    """Stocks with a close on each of ``days``; None where an older version did not count them."""
    tables: tuple[str, ...] = ()
    rows: dict[str, int] = {}
    """Rows of each file; a file that an older version wrote is not in it."""
    files: dict[str, FileEntry]
    calendar: str = ""
    """Code of the calendar that was named at ingest; empty = the market's own."""
    currency: str = ""
    """Label of prices that was named at ingest; empty = the market's own."""
    read: dict[str, str] = {}
    """Price file that was appended and the hash of its contents."""

    @property
    def bars(self) -> int | None:
        """Number of bars; None where an older version did not count them."""
        files = [file for file in self.files if file.startswith("bars-")]
        counted = all(file in self.rows for file in files)
        return sum(self.rows[file] for file in files) if counted else None

    @property
    def size(self) -> int:
        """Bytes of all files, those shared with other snapshots included."""
        return sum(entry["bytes"] for entry in self.files.values())

    def change(self, before: "SnapshotManifest | None") -> str:
        """What changed, in words: sessions added, history revised from a day, tables that differ."""
        if before is None:
            return "the first"
        words = ["another source"] if self.source != before.source else []
        same = _common(self.chain, before.chain)
        more = len(self.days) - len(before.days)
        if same < min(len(self.chain), len(before.chain)):
            words.append(" from ".join(("revised", *self.days[same : same + 1])))
        if more:
            words.append(f"{more:+,} session{'s' if abs(more) > 1 else ''}")
        words += [f"+{name}" for name in self.tables if name not in before.tables]
        words += [f"-{name}" for name in before.tables if name not in self.tables]
        if self.files.get("securities.parquet") != before.files.get("securities.parquet"):
            words.append("securities")
        return ", ".join(words) or "the same values"


def current_id(workspace: Path) -> str | None:
    """Id of the current snapshot; None before the first ingest."""
    try:
        return read_text(workspace / "data" / CURRENT).strip()
    except FileNotFoundError:
        return None


def _common(a: tuple[str, ...], b: tuple[str, ...]) -> int:
    """Sessions up to which both know the same: the chain makes them equal or not for good."""
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if a[middle - 1] == b[middle - 1] else (low, middle - 1)
    return low
