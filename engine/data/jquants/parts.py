"""What was fetched: one Parquet file per table and date, and which stored dates are still to be renewed.

    data/jquants/<table>/<date>.parquet    data/jquants/pull.json    data/jquants/lock

A part is written whole or not at all, so a pull that was interrupted anywhere goes on with the parts that
are missing. ``pull.json`` keeps the list of old parts that the running update has yet to look at again;
an interrupted update goes on with the rest of that list.
"""

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
from msgspec import Struct

from engine.data.jquants.endpoints import MASTER_SCHEMA, PART_SCHEMA
from engine.data.store import read_parquet
from engine.data.tables import (
    BAR_SCHEMA,
    INDEX_SCHEMA,
    OPTIONAL,
    SECURITY_SCHEMA,
    RawTables,
    Schema,
    complete,
    drop_untraded,
)
from engine.errors import DataError
from engine.files import write_parquet
from engine.records import record

_LEDGER = "pull.json"


class _PullLedger(Struct, frozen=True, kw_only=True):
    """How far the last update came: ``pull.json``."""

    complete: bool = False
    renew: dict[str, list[str]] = {}
    """Table -> ISO dates of stored parts that are still to be looked at again."""


@dataclass(slots=True)
class Parts:
    """The stored parts below a folder, and the running update's list of those to renew."""

    folder: Path
    """``WORKSPACE/data/jquants``."""
    _open: dict[str, list[str]] = field(init=False, default_factory=dict)

    def stored(self, table: str) -> list[dt.date]:
        """Dates of the parts that are there, oldest first."""
        return sorted(
            dt.date.fromisoformat(path.stem)
            for path in (self.folder / table).glob("????-??-??.parquet")
        )

    def read(self, table: str, day: dt.date) -> pl.DataFrame:
        """The rows of a part that is there; a damaged file is a DataError that names it."""
        return read_parquet(self._path(table, day))

    def write(self, table: str, day: dt.date, frame: pl.DataFrame) -> None:
        """Keep a part, whole or not at all."""
        write_parquet(self._path(table, day), frame)

    def all(self, table: str, schema: Schema, *, after: dt.date = dt.date.min) -> pl.DataFrame:
        """Every part of a table that is kept under a date later than ``after``, oldest first."""
        frames = []
        for day in self.stored(table):
            if day <= after:
                continue
            frame = self.read(table, day)
            if dict(frame.schema) != dict(schema):
                raise DataError(
                    f"{self._path(table, day)}: columns are not those of this version",
                    hint="delete the file; the next ingest fetches it again",
                )
            frames.append(frame)
        return pl.concat([pl.DataFrame(schema=schema), *frames])

    def begin(self, newest: dict[str, int]) -> bool:
        """Start an update that is to renew the newest parts of each table, or go on with one.

        True if it follows a pull that was complete.
        """
        ledger = record.read_if_there(self.folder / _LEDGER, _PullLedger) or _PullLedger()
        renew = ledger.renew
        if ledger.complete:
            renew = {
                table: [day.isoformat() for day in self.stored(table)[-count:]]
                for table, count in newest.items()
                if count
            }
        self._open = {
            table: [day for day in days if self._path(table, dt.date.fromisoformat(day)).exists()]
            for table, days in renew.items()
        }
        self._save(complete=False)
        return ledger.complete

    def to_renew(self, table: str) -> set[dt.date]:
        """Dates of the stored parts that the running update has yet to look at again."""
        return {dt.date.fromisoformat(day) for day in self._open.get(table, ())}

    def renew(self, table: str, days: Sequence[dt.date]) -> None:
        """Stored parts that are to be looked at again as well."""
        listed = self._open.setdefault(table, [])
        listed += [day.isoformat() for day in days if day.isoformat() not in listed]
        self._save(complete=False)

    def renewed(self, table: str, day: dt.date) -> None:
        """The stored part of this day was looked at again."""
        self._open[table].remove(day.isoformat())
        self._save(complete=False)

    def finish(self) -> None:
        """Everything up to now is there."""
        self._open = {}
        self._save(complete=True)

    def _save(self, *, complete: bool) -> None:
        record.write(self.folder / _LEDGER, _PullLedger(complete=complete, renew=self._open))

    def _path(self, table: str, day: dt.date) -> Path:
        return self.folder / table / f"{day.isoformat()}.parquet"


def read_jquants(
    folder: Path, *, first: dt.date, tables: Collection[str], notes: Sequence[str] = ()
) -> RawTables:
    """The stored tables from ``first`` on; of the optional ones those named, where they hold rows.

    Securities: the latest known name and sector of every issue that any stored list has.
    """
    parts = Parts(folder)
    master = parts.all("master", MASTER_SCHEMA).sort("date", "symbol")
    securities = master.unique("symbol", keep="last", maintain_order=True).sort("symbol")
    index = None
    if "index" in tables:
        index = parts.all("index", INDEX_SCHEMA).filter(pl.col("date") >= first).sort("date")
    optional = {}
    for name, schema in OPTIONAL.items():
        if name not in tables:
            continue
        day = "date" if name not in ("statements", "earnings") else "available"
        table = parts.all(name, schema).filter(pl.col(day) >= first)
        if not table.is_empty():
            optional[name] = table.sort(list(schema), nulls_last=True)
    bars = parts.all("bars", PART_SCHEMA).filter(pl.col("date") >= first)
    return RawTables(
        bars=drop_untraded(complete(bars, BAR_SCHEMA)),
        securities=securities.select(list(SECURITY_SCHEMA)),
        index=index if index is not None and not index.is_empty() else None,
        optional=optional,
        market="jp",
        source="jquants",
        notes=tuple(notes),
    )
