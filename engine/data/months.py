"""Tables cut into one Parquet file a month, and the chain of hashes that tells what was known when.

Appending a session rewrites the files of its month only; all others are taken over as they are. The
chain has one entry a session: the hash of the entry before and of everything that became known since.
So two snapshots with the same entry at a session agree on everything up to it, to the last value; and a
finished result can be extended if it was made by the same settings from a beginning of the same days.
"""

import hashlib
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.data.tables import TABLES
from engine.errors import IntegrityError
from engine.files import MANIFEST, digest, read_manifest

WHOLE = ("securities", "index")
"""Tables kept in one file."""
_KEPT = 5
"""Ancestors that stay on disk; they share all but their newest blocks with what extends them."""


def key_of(table: str) -> str:
    """The column that a table is cut by: of optional ones the day on which a row became available."""
    return "date" if table in TABLES else "available"


def month_files(name: str, table: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    """File name and rows of each month; the rows of a month in canonical order."""
    if name in WHOLE:
        yield f"{name}.parquet", table
        return
    key = key_of(name)
    order = ["date", "symbol"] if name == "bars" else [key, *(c for c in table.columns if c != key)]
    table = table.sort(order, nulls_last=True, maintain_order=True)
    month = table[key].dt.strftime("%Y-%m")
    starts = np.flatnonzero((month != month.shift(1)).fill_null(value=True).to_numpy())
    stops = [*starts[1:], len(table)]
    for start, stop in zip(starts, stops, strict=True):
        yield f"{name}-{month[int(start)]}.parquet", table.slice(int(start), int(stop - start))


def months_between(name: str, files: Mapping[str, object], after: str, until: str) -> list[str]:
    """Names among ``files`` of the table's months from ``after`` to ``until`` (ISO dates)."""
    prefix = f"{name}-"
    inside = (f for f in files if f.startswith(prefix))
    return sorted(
        f
        for f in inside
        if after[:7] <= f.removeprefix(prefix).removesuffix(".parquet") <= until[:7]
    )


def require_months(directory: Path, files: Iterable[str], days: Iterable[str]) -> None:
    """IntegrityError unless the manifest of a directory names the bars of each month of ``days`` (ISO)."""
    missing = sorted({f"bars-{day[:7]}.parquet" for day in days} - set(files))
    if missing:
        raise IntegrityError(
            f"{directory / MANIFEST}: has sessions of {missing[0]}, but not the file",
            hint="the file is damaged; delete its folder and build it again",
        )


def write_month(directory: Path, file: str, rows: pl.DataFrame) -> None:
    """Write one file of a table; the same rows give the same bytes."""
    rows.rechunk().write_parquet(directory / file, compression="zstd", compression_level=1)


def extend_chain(
    before: str, tables: Mapping[str, pl.DataFrame], days: NDArray[np.datetime64], since: str
) -> list[str]:
    """Entries of the sessions ``days`` after an entry ``before`` (empty at the start).

    ``since``: the session before the first of ``days``; rows that became known later count with the
    session at whose close they are known. Hidden answers of synthetic markets do not count.
    """
    parts = {}
    start = np.datetime64(since or "0001-01-01", "D")
    for name, table in _later(tables, start).items():
        known = table[key_of(name)].to_numpy().astype("datetime64[D]")
        parts[name] = (table, np.searchsorted(known, days, side="right"))
    entries = []
    place = dict.fromkeys(parts, 0)
    for d in range(days.size):
        entry = hashlib.sha256(before.encode())
        entry.update(str(days[d]).encode())
        for name, (table, stops) in parts.items():
            stop = int(stops[d])
            if name == "actions" and stop == place[name]:
                continue  # a table that may come later must not change what was known before it
            entry.update(name.encode())
            for value in _bytes(table.slice(place[name], stop - place[name])):
                entry.update(value)
            place[name] = stop
        before = entry.hexdigest()[:32]
        entries.append(before)
    return entries


def ahead(tables: Mapping[str, pl.DataFrame], last: str) -> str:
    """Digest of what is dated after the session ``last``, which no entry counts yet; empty if nothing is."""
    later = {k: t for k, t in _later(tables, np.datetime64(last, "D")).items() if len(t)}
    found = hashlib.sha256()
    for name, table in sorted(later.items()):
        found.update(name.encode())
        for value in _bytes(table):
            found.update(value)
    return found.hexdigest()[:32] if later else ""


def _later(tables: Mapping[str, pl.DataFrame], start: np.datetime64) -> dict[str, pl.DataFrame]:
    """Rows of each table that counts that became known after a day, in canonical order."""
    found = {}
    for name, table in tables.items():
        if name not in ("securities", "oracle"):
            key = key_of(name)
            order = [key, *(c for c in table.columns if c != key)]
            later = table.filter(pl.col(key) > start.item())
            found[name] = later.sort(order, nulls_last=True, maintain_order=True)
    return found


def _bytes(rows: pl.DataFrame) -> Iterator[bytes]:
    """The values of each column, independent of how polars stores them; null and NaN are alike."""
    for column in rows:
        if column.name == "dividend" and not (column.fill_null(0.0) != 0.0).any():
            continue  # nothing is known that a table without the column would not say
        if column.dtype == pl.String:
            text = column.fill_null("\x00")
            yield text.str.len_bytes().to_numpy().tobytes()
            yield "".join(text).encode()
        elif column.dtype == pl.Date:
            yield column.to_physical().fill_null(-(2**31)).to_numpy().tobytes()
        else:
            yield column.cast(pl.Float64).fill_null(float("nan")).to_numpy().tobytes()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """By which settings, and from which sessions, a result is made."""

    settings: str
    """Digest of everything but the data that decides the values."""
    chain: Sequence[str]
    """One hash a raw session, see `engine.data.months`; empty for data that are not in a store."""
    panel: str
    """Fingerprint of the panel."""

    @property
    def fingerprint(self) -> str:
        """Name of the result's directory."""
        return digest([self.settings, self.panel])

    def fields(self) -> dict[str, object]:
        """What the result's manifest has to say to be found again."""
        return {
            "fingerprint": self.fingerprint,
            "settings": self.settings,
            "raw_sessions": len(self.chain),
            "chain_end": self.chain[-1] if self.chain else "",
        }

    def parents(self, root: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
        """Results under ``root`` that saw the beginning of these days and nothing else, longest first."""
        found = []
        for path in root.glob(f"*/{MANIFEST}"):
            manifest = read_manifest(path.parent, verify=False)
            seen = manifest.get("raw_sessions", 0)
            if (
                0 < seen < len(self.chain)
                and manifest.get("settings") == self.settings
                and manifest.get("chain_end") == self.chain[seen - 1]
            ):
                found.append((seen, path.parent, manifest))
        found.sort(key=lambda item: (-item[0], item[1].name))
        for _, directory, manifest in found:
            yield directory, manifest

    def prune(self, root: Path) -> None:
        """Remove all but the newest ancestors: whatever they hold is in their successor too."""
        for directory, _ in list(self.parents(root))[_KEPT:]:
            shutil.rmtree(directory)
