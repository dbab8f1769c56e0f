"""The panel store: content-addressed snapshots of raw tables under ``WORKSPACE/data``.

    data/snapshots/<id>/{bars-2016-01,...,securities,index,...}.parquet  manifest.json
    data/CURRENT  id of the snapshot that is used     data/HISTORY  ids of those before, oldest first

A snapshot is never changed. Its id is the digest of its contents, so the same input gives the same
snapshot, whether it came at once or session by session; every read checks the SHA-256 of each file.
"""

import datetime as dt
import io
import shutil
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl
import psutil

from engine import hashes
from engine.data import months
from engine.data.calendar import exchange_of
from engine.data.growth import (
    LABELS,
    Draft,
    appended,
    merged_securities,
    names_by_day,
    snapshot_id,
    whole,
)
from engine.data.tables import OPTIONAL, SECURITY_SCHEMA, TABLES, RawTables, complete
from engine.errors import DataError, IntegrityError
from engine.files import (
    MANIFEST,
    adopt,
    building,
    inside,
    read_text,
    verify_files,
    write_manifest,
    write_text,
)
from engine.records import record
from engine.records.quality import TableSpan
from engine.records.snapshot import CURRENT, HISTORY, SNAPSHOTS, FileEntry, SnapshotManifest


@dataclass(frozen=True)
class Snapshot:
    """One version of the raw tables; nothing is read before it is asked for."""

    directory: Path

    @property
    def id(self) -> str:
        """Digest of its contents, and the name of its directory."""
        return self.directory.name

    @cached_property
    def manifest(self) -> SnapshotManifest:
        """What it holds; RecordError if the file is damaged, IntegrityError if it lacks a month."""
        found = record.read(self.directory / MANIFEST, SnapshotManifest)
        months.require_months(self.directory, found.files, found.days)
        return found

    @property
    def days(self) -> tuple[str, ...]:
        """Sessions with bars, ISO dates."""
        return self.manifest.days

    @cached_property
    def names(self) -> tuple[int, ...]:
        """Stocks with a close on each of ``days``; counted where an older version wrote the snapshot."""
        if self.manifest.names is not None:
            return self.manifest.names
        bars = self.table("bars")
        assert bars is not None
        return tuple(names_by_day(bars).values())

    @property
    def calendar(self) -> str:
        """Code of the calendar that was named at ingest; empty = the market's own."""
        return self.manifest.calendar

    @property
    def exchange(self) -> str:
        """Code of the calendar that says which days are sessions."""
        return exchange_of(self.manifest.market, self.calendar)

    @property
    def chain(self) -> tuple[str, ...]:
        """One hash a session, of everything known by then; see `engine.data.months`."""
        return self.manifest.chain

    def months(self, name: str, after: str = "0000", until: str = "9999") -> list[str]:
        """Names of a table's files of the months between two ISO dates, both included."""
        return months.months_between(name, self.manifest.files, after, until)

    def checked(self, names: Iterable[str]) -> list[Path]:
        """Paths of files whose hashes were found right; IntegrityError for a damaged one."""
        verify_files(self.directory, {"files": self.manifest.files}, names)
        return [self.directory / name for name in names]

    def table(self, name: str, *, after: str = "0000", until: str = "9999") -> pl.DataFrame | None:
        """A table, or its months between two dates (ISO, both included); None if absent."""
        if name in months.WHOLE:
            names = [f for f in (f"{name}.parquet",) if f in self.manifest.files]
        else:
            names = self.months(name, after, until)
        if not names and not self.months(name):
            return None
        schema = {**TABLES, **OPTIONAL}[name]
        parts = [complete(read_parquet(path), schema) for path in self.checked(names)]
        return pl.concat(parts) if parts else pl.DataFrame(schema=schema)

    def symbols(self) -> pl.Series:
        """Codes of all stocks with a bar, sorted."""
        bars = pl.scan_parquet([self.directory / name for name in self.months("bars")])
        return bars.select(pl.col("symbol").unique()).collect()["symbol"].sort()

    def verify(self) -> None:
        """Check every file's hash: IntegrityError for a damaged one."""
        self.checked(self.manifest.files)

    def optional_tables(self) -> dict[str, TableSpan]:
        """Rows and first and last day of availability of each optional table that is there."""
        found = {}
        for name in OPTIONAL:
            names = self.months(name)
            if names:
                day = pl.col("available")
                table = pl.scan_parquet([self.directory / file for file in names])
                rows, first, last = (
                    table.select(pl.len(), day.min().alias("first"), day.max().alias("last"))
                    .collect()
                    .row(0)
                )
                found[name] = TableSpan(rows=rows, first=str(first), last=str(last))
        return found

    def raw(self, *, after: str = "", bars: pl.DataFrame | None = None) -> RawTables:
        """All tables; of the bars only those after the session ``after``, or those that are given."""
        whole = bars is None and not after
        if bars is None:
            bars = self.table("bars", after=after or "0000")
            assert bars is not None
            if after:
                bars = bars.filter(pl.col("date") > dt.date.fromisoformat(after))
        securities = self.table("securities")
        optional = {name: self.table(name) for name in OPTIONAL}
        return RawTables(
            bars=bars,
            securities=pl.DataFrame(schema=SECURITY_SCHEMA) if securities is None else securities,
            index=self.table("index"),
            oracle=self.table("oracle") if whole else None,
            optional={name: table for name, table in optional.items() if table is not None},
            market=self.manifest.market,
            source=self.manifest.source,
            actions=self.table("actions"),
            calendar=self.calendar,
            currency=self.manifest.currency,
            notes=self.manifest.notes,
        )


@dataclass(frozen=True, slots=True)
class PanelStore:
    """All snapshots of a workspace, and which of them is the current one."""

    root: Path
    """``WORKSPACE/data``."""

    def save(self, raw: RawTables) -> str:
        """Write a snapshot of whole tables and make it the current one; returns its id."""
        return self.publish(whole(raw))

    def append(self, more: RawTables) -> str:
        """The current snapshot with the bars of a later file laid over it; see `engine.data.growth`."""
        return self.publish(appended(self.snapshot(), more))

    def publish(self, draft: Draft, said: Mapping[str, Any] | None = None) -> str:
        """Write a draft and make it the current snapshot; ``said`` is kept in its manifest too."""
        self.root.mkdir(parents=True, exist_ok=True)
        if self.root.name == hashes.DATA:
            hashes.begin(self.root.parent)
        taken = set(draft.base.manifest.files) if draft.base else set()
        fields = draft.fields() | dict(said or {})
        snapshot = self._publish(fields, draft.raw.securities, draft.files, draft.base, taken)
        self._move(snapshot)
        return snapshot

    def undo(self) -> str:
        """Make the snapshot before the current one current again; its id. DataError if there is none."""
        current, history = self.current(), self._history()
        while history and history[-1] == current:  # written down, and then not moved to
            history.pop()
        if not history:
            raise DataError(
                f"{self.root}: there is no snapshot before {current}", hint="nothing was changed"
            )
        snapshot = self.snapshot(history[-1])
        write_text(self.root / CURRENT, snapshot.id + "\n")
        write_text(self.root / HISTORY, "".join(f"{name}\n" for name in history[:-1]))
        return snapshot.id

    def _history(self) -> list[str]:
        """Ids of the snapshots that were current, oldest first."""
        path = self.root / HISTORY
        return read_text(path).split() if path.exists() else []

    def _move(self, snapshot: str) -> None:
        """Make a snapshot current, and write down which one was before it."""
        path = self.root / CURRENT
        before = read_text(path).strip() if path.exists() else ""
        if before and before != snapshot:
            history = [*self._history(), before]
            write_text(self.root / HISTORY, "".join(f"{name}\n" for name in history))
        write_text(path, snapshot + "\n")

    def truncated(self, day: dt.date) -> str:
        """A snapshot of what the current one knew at the close of ``day``, a session of it; its id.

        The current snapshot stays the current one. Securities are those of today; months before the day's
        are shared. A day without bars is a DataError.
        """
        old = self.snapshot()
        if str(day) not in old.days:
            raise DataError(
                f"{self.root}: no bars of {day} yet (the store ends with {old.days[-1]})",
                hint="ingest the session's data first",
            )
        stop = old.days.index(str(day)) + 1
        if stop == len(old.days):
            return old.id
        files: list[tuple[str, pl.DataFrame]] = []
        taken: set[str] = set()
        month = str(day)[:7]
        for name in old.manifest.tables:
            if name == "securities":
                taken.add("securities.parquet")
                continue
            if name not in months.WHOLE:
                taken.update(file for file in old.months(name, until=month) if month not in file)
            table = old.table(name, after=month, until=str(day))
            assert table is not None
            known = table.filter(pl.col(months.key_of(name)) <= day)
            files += months.month_files(name, known) if len(known) else ()
        same = {
            name: getattr(old.manifest, name) for name in ("market", "source", "notes", "tables")
        }
        labels = {name: getattr(old.manifest, name) for name in LABELS}
        fields = same | {name: label for name, label in labels.items() if label}
        fields |= {name: getattr(old, name)[:stop] for name in ("days", "chain", "names")}
        return self._publish(fields, merged_securities(self.securities(), None), files, old, taken)

    def _publish(
        self,
        fields: Mapping[str, Any],
        securities: pl.DataFrame,
        files: Iterable[tuple[str, pl.DataFrame]],
        base: Snapshot | None,
        taken: Set[str],
    ) -> str:
        """``files`` are written; those named ``taken`` that they do not replace come from ``base``."""
        snapshot = snapshot_id(fields, securities)
        with building(self.root / SNAPSHOTS / snapshot) as staging:
            counts: dict[str, int] = {}
            for file, part in files:
                months.write_month(staging, file, part)
                counts[file] = len(part)
            known: dict[str, FileEntry] = {}
            if base is not None:
                known = adopt(base.directory, staging, taken - set(counts), base.manifest.files)
                counts = {f: n for f, n in base.manifest.rows.items() if f in known} | counts
            write_manifest(staging, {**fields, "rows": counts}, known)
        return snapshot

    def sweep(self) -> list[str]:
        """Remove what killed ingests left half built, by name. Only for the holder of the ingest's lock.

        What belongs to a process that is alive stays: a signal of a past session builds a snapshot too.
        """
        left = []
        for path in sorted((self.root / SNAPSHOTS).glob(".staging-*")):
            builder = path.name.removesuffix("-aside").rpartition("-")[2]
            if not psutil.pid_exists(int(builder)):
                shutil.rmtree(path)
                left.append(path.name)
        return left

    @property
    def is_empty(self) -> bool:
        """Nothing was ingested yet."""
        return not (self.root / CURRENT).exists()

    def current(self) -> str:
        """Id of the current snapshot; DataError before the first ingest."""
        path = self.root / CURRENT
        if self.is_empty:
            raise DataError(
                f"{self.root}: no market data yet",
                hint="run `atft-tui ingest --source files --prices FILE` or `--source synthetic`",
            )
        return read_text(path).strip()

    def snapshot(self, name: str | None = None) -> Snapshot:
        """A snapshot by its id, the current one if not named."""
        directory = inside(self.root / SNAPSHOTS, name or self.current())
        if not (directory / MANIFEST).exists():
            raise IntegrityError(
                f"{directory}: incomplete snapshot", hint="run `atft-tui ingest` again"
            )
        snapshot = Snapshot(directory)
        if not snapshot.chain:
            raise DataError(
                f"{directory}: written by an older version", hint="run `atft-tui ingest` again"
            )
        return snapshot

    def securities(self) -> pl.DataFrame:
        """The securities table alone: names and sectors for display."""
        table = self.snapshot().table("securities")
        return pl.DataFrame(schema=SECURITY_SCHEMA) if table is None else table

    def oracle(self) -> pl.DataFrame | None:
        """The oracle table alone; None for real data."""
        return self.snapshot().table("oracle")


def read_parquet(path: Path) -> pl.DataFrame:
    """A Parquet file as a frame; a damaged one is a DataError that names it."""
    try:
        return pl.read_parquet(io.BytesIO(hashes.read(path)))
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise DataError(
            f"{path}: not readable as Parquet ({str(error).splitlines()[0]})",
            hint="the file is damaged or incomplete; fetch it again",
        ) from error
