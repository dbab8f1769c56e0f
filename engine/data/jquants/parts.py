"""What was fetched: one Parquet file per table and date, and which stored dates are still to be renewed.

    data/jquants/<table>/<date>.parquet    data/jquants/pull.json    data/jquants/lock

A part is written whole or not at all, so a pull that was interrupted anywhere goes on with the parts that
are missing. ``pull.json`` keeps the list of old parts that the running update has yet to look at again;
an interrupted update goes on with the rest of that list.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from engine.data.store import read_parquet
from engine.data.tables import Schema
from engine.errors import DataError
from engine.files import read_json, write_json, write_parquet

_LEDGER = "pull.json"


@dataclass(slots=True)
class Parts:
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
        return read_parquet(self._path(table, day))

    def write(self, table: str, day: dt.date, frame: pl.DataFrame) -> None:
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
        path = self.folder / _LEDGER
        ledger: dict[str, Any] = read_json(path) if path.exists() else {"complete": False}
        renew: dict[str, list[str]] = ledger.get("renew", {})
        if ledger["complete"]:
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
        return bool(ledger["complete"])

    def to_renew(self, table: str) -> set[dt.date]:
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
        write_json(self.folder / _LEDGER, {"complete": complete, "renew": self._open})

    def _path(self, table: str, day: dt.date) -> Path:
        return self.folder / table / f"{day.isoformat()}.parquet"
