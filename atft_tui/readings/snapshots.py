"""The snapshots of the store, newest first, each against the one made before it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from atft_tui.readings.data_values import SnapshotRow
from engine.errors import DataError
from engine.files import MANIFEST, read_json

_MOST = 60
"""Snapshots that are read; a store that grows every day keeps many."""


@dataclass(frozen=True, slots=True)
class Stored:
    """One snapshot as its manifest tells it."""

    row: SnapshotRow
    days: tuple[str, ...]
    chain: tuple[str, ...]
    """One hash a session, of everything known by then."""
    tables: tuple[str, ...]
    securities: str
    """Hash of the securities table."""


def current_id(workspace: Path) -> str | None:
    """Id of the current snapshot; None before the first ingest."""
    try:
        return (workspace / "data" / "CURRENT").read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None


def read_snapshots(
    workspace: Path, read: Callable[[Path], Stored | None]
) -> tuple[tuple[Stored, ...], int]:
    """The newest `_MOST` snapshots, newest first, and how many there are.

    ``read``: one manifest; None leaves the snapshot out.
    """
    current = current_id(workspace)
    found = [
        (path.stat().st_mtime_ns, path)
        for path in (workspace / "data" / "snapshots").glob(f"*/{MANIFEST}")
    ]
    found.sort(reverse=True)
    kept = found[:_MOST]
    if current is not None and all(path.parent.name != current for _, path in kept):
        path = workspace / "data" / "snapshots" / current / MANIFEST
        if not path.is_file():
            raise DataError(f"data/CURRENT names the snapshot {current}, which is not there")
        kept.append((path.stat().st_mtime_ns, path))
    stored = [one for _, path in kept if (one := read(path)) is not None]
    return tuple(
        replace(
            one,
            row=replace(one.row, current=one.row.id == current, change=changed(one, before)),
        )
        for one, before in pairwise([*stored, None])
        if one is not None
    ), len(found)


def stored_of(path: Path) -> Stored:
    """From a snapshot's manifest."""
    manifest = read_json(path)
    days = tuple(manifest["days"])
    counts = manifest.get("rows") or {}
    files = manifest["files"]
    bars = [file for file in files if file.startswith("bars-")]
    row = SnapshotRow(
        id=path.parent.name,
        current=False,
        made=datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(timespec="minutes"),
        source=str(manifest["source"]),
        market=str(manifest["market"]),
        sessions=len(days),
        first=days[0] if days else "",
        last=days[-1] if days else "",
        rows=sum(counts[file] for file in bars) if all(file in counts for file in bars) else None,
        size=sum(int(entry["bytes"]) for entry in files.values()),
        change="",
    )
    return Stored(
        row=row,
        days=days,
        chain=tuple(manifest["chain"]),
        tables=tuple(manifest["tables"]),
        securities=files.get("securities.parquet", {}).get("sha256", ""),
    )


def changed(one: Stored, before: Stored | None) -> str:
    """In words: sessions added, history revised from a day, tables and securities that differ."""
    if before is None:
        return "the first"
    words = []
    if one.row.source != before.row.source:
        words.append("another source")
    same = _common(one.chain, before.chain)
    more = len(one.days) - len(before.days)
    if same < min(len(one.chain), len(before.chain)):
        words.append(f"revised from {one.days[same]}")
    if more:
        words.append(f"{more:+,} session{'s' if abs(more) > 1 else ''}")
    words += [f"+{name}" for name in one.tables if name not in before.tables]
    words += [f"-{name}" for name in before.tables if name not in one.tables]
    if one.securities != before.securities:
        words.append("securities")
    return ", ".join(words) or "the same values"


def _common(a: tuple[str, ...], b: tuple[str, ...]) -> int:
    """Sessions up to which both know the same: the chain makes them equal or not for good."""
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        if a[middle - 1] == b[middle - 1]:
            low = middle
        else:
            high = middle - 1
    return low
