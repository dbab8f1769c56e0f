"""The panel store: content-addressed snapshots of raw tables under ``WORKSPACE/data``.

    data/snapshots/<id>/{bars-2016-01,...,securities,index,...}.parquet  manifest.json     data/CURRENT

A snapshot is never changed. Its id is the digest of its contents, so the same input gives the same
snapshot, whether it came at once or session by session; every read checks the SHA-256 of each file.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from engine.data import months
from engine.data.calendar import exchange_of
from engine.data.tables import (
    OPTIONAL,
    SECURITY_SCHEMA,
    TABLES,
    RawTables,
    complete,
)
from engine.errors import DataError, IntegrityError
from engine.files import (
    MANIFEST,
    adopt,
    building,
    digest,
    read_manifest,
    verify_files,
    write_manifest,
    write_text,
)

LABELS = ("calendar", "currency")
"""Fields of the manifest that are there when they were named at ingest."""


@dataclass(frozen=True)
class Snapshot:
    """One version of the raw tables; nothing is read before it is asked for."""

    directory: Path

    @property
    def id(self) -> str:
        return self.directory.name

    @cached_property
    def manifest(self) -> dict[str, Any]:
        return read_manifest(self.directory, verify=False)

    @cached_property
    def days(self) -> tuple[str, ...]:
        """Sessions with bars, ISO dates."""
        return tuple(self.manifest["days"])

    @property
    def calendar(self) -> str:
        """Code of the calendar that was named at ingest; empty = the market's own."""
        return str(self.manifest.get("calendar", ""))

    @property
    def currency(self) -> str:
        """Label of prices that was named at ingest; empty = the market's own."""
        return str(self.manifest.get("currency", ""))

    @property
    def exchange(self) -> str:
        """Code of the calendar that says which days are sessions."""
        return exchange_of(self.manifest["market"], self.calendar)

    @property
    def rows(self) -> dict[str, int]:
        """Rows of each file; of those that an older version wrote it is not known."""
        return dict(self.manifest.get("rows", {}))

    @property
    def chain(self) -> list[str]:
        """One hash a session, of everything known by then; see `engine.data.months`."""
        return list(self.manifest["chain"])

    def table(self, name: str, *, after: str = "0000", until: str = "9999") -> pl.DataFrame | None:
        """A table, or its months between two dates (ISO, both included); None if absent."""
        files = self.manifest["files"]
        if name in months.WHOLE:
            names = [f for f in (f"{name}.parquet",) if f in files]
        else:
            names = months.months_between(name, files, after, until)
        if not names and not months.months_between(name, files, "0000", "9999"):
            return None
        verify_files(self.directory, self.manifest, names)
        schema = {**TABLES, **OPTIONAL}[name]
        parts = [complete(read_parquet(self.directory / file), schema) for file in names]
        return pl.concat(parts) if parts else pl.DataFrame(schema=schema)

    def verify(self) -> None:
        """Check every file's hash: IntegrityError for a damaged one."""
        verify_files(self.directory, self.manifest, self.manifest["files"])

    def optional_tables(self) -> dict[str, dict[str, object]]:
        """Rows and first and last day of availability of each optional table that is there."""
        files = self.manifest["files"]
        found = {}
        for name in OPTIONAL:
            names = months.months_between(name, files, "0000", "9999")
            if names:
                day = pl.col("available")
                table = pl.scan_parquet([self.directory / file for file in names])
                rows, first, last = (
                    table.select(pl.len(), day.min().alias("first"), day.max().alias("last"))
                    .collect()
                    .row(0)
                )
                found[name] = {"rows": rows, "first": str(first), "last": str(last)}
        return found

    def raw(self, *, after: str = "") -> RawTables:
        """All tables; of the bars only those after the session ``after`` if it is given."""
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
            oracle=self.table("oracle") if not after else None,
            optional={name: table for name, table in optional.items() if table is not None},
            market=self.manifest["market"],
            source=self.manifest["source"],
            actions=self.table("actions"),
            calendar=self.calendar,
            currency=self.currency,
            notes=tuple(self.manifest["notes"]),
        )


@dataclass(frozen=True, slots=True)
class PanelStore:
    root: Path
    """``WORKSPACE/data``."""

    def save(self, raw: RawTables) -> str:
        """Write a snapshot of whole tables and make it the current one; returns its id."""
        raw = replace(raw, securities=_merged(raw.securities, None))
        days = raw.bars["date"].unique().sort().to_numpy().astype("datetime64[D]")
        chain = months.extend_chain("", raw.tables(), days, "")
        files = (
            file for name, table in raw.tables().items() for file in months.month_files(name, table)
        )
        return self._write(raw, [str(day) for day in days], chain, files, None)

    def append(self, more: RawTables) -> str:
        """A snapshot of the current one plus later sessions; the months before are taken over.

        Rows of sessions that the store has are a DataError: history is changed by ingesting all of it.
        Securities of ``more`` replace and extend the known ones.
        """
        old = self.snapshot()
        last = dt.date.fromisoformat(old.days[-1])
        first = more.bars.select(pl.col("date").min()).item()
        if first <= last:
            raise DataError(
                f"{more.source}: has bars of {first}, but the store ends with {last}",
                hint="append sessions after it, or ingest the whole history again",
            )
        news = sorted(set(more.tables()) - set(old.manifest["tables"]))
        if news:
            raise DataError(
                f"{more.source}: the store has no table {', '.join(news)}",
                hint="a new table needs its history: ingest all of it again",
            )
        raw = replace(
            more,
            market=old.manifest["market"],
            calendar=old.calendar,
            currency=old.currency,
            source=old.manifest["source"],
            notes=tuple(old.manifest["notes"]),
        )
        fresh = {
            name: table.filter(pl.col("date" if name in TABLES else "available") > last)
            for name, table in raw.tables().items()
            if name != "securities"
        }
        days = fresh["bars"]["date"].unique().sort().to_numpy().astype("datetime64[D]")
        touched: dict[str, pl.DataFrame] = {}
        for name in old.manifest["tables"]:
            if name == "securities":
                continue
            past = old.table(name, after=str(last))  # the month of the last session, and later rows
            assert past is not None
            new = fresh.get(name, pl.DataFrame(schema=past.schema))
            touched[name] = pl.concat([past, new])
        securities = _merged(more.securities, old.table("securities"))
        chain = [*old.chain, *months.extend_chain(old.chain[-1], touched, days, str(last))]
        files = [
            file for name, table in touched.items() for file in months.month_files(name, table)
        ]
        files.append(("securities.parquet", securities))
        return self._write(
            replace(raw, securities=securities), [*old.days, *map(str, days)], chain, files, old
        )

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
        for name in old.manifest["tables"]:
            if name == "securities":
                taken.add("securities.parquet")
                continue
            if name not in months.WHOLE:
                earlier = months.months_between(name, old.manifest["files"], "0000", month)
                taken.update(file for file in earlier if month not in file)
            table = old.table(name, after=month, until=str(day))
            assert table is not None
            key = "date" if name in TABLES else "available"
            known = table.filter(pl.col(key) <= day)
            files += months.month_files(name, known) if len(known) else ()
        same = ("market", *LABELS, "source", "notes", "tables")
        fields = {name: old.manifest[name] for name in same if name in old.manifest}
        fields |= {"days": list(old.days[:stop]), "chain": old.chain[:stop]}
        return self._publish(fields, _merged(self.securities(), None), files, old, taken)

    def _write(
        self,
        raw: RawTables,
        days: list[str],
        chain: list[str],
        files: Iterable[tuple[str, pl.DataFrame]],
        base: Snapshot | None,
    ) -> str:
        """``files`` are written, those of ``base`` that they do not replace are taken over."""
        names = set(raw.tables()) | set(base.manifest["tables"] if base else ())
        fields = {
            "market": raw.market,
            "source": raw.source,
            "notes": list(raw.notes),
            "tables": sorted(names),
            "days": days,
            "chain": chain,
        }
        fields |= {name: value for name in LABELS if (value := getattr(raw, name))}
        taken = set(base.manifest["files"]) if base else set()
        snapshot = self._publish(fields, raw.securities, files, base, taken)
        write_text(self.root / "CURRENT", snapshot + "\n")
        return snapshot

    def _publish(
        self,
        fields: Mapping[str, Any],
        securities: pl.DataFrame,
        files: Iterable[tuple[str, pl.DataFrame]],
        base: Snapshot | None,
        taken: Set[str],
    ) -> str:
        """``files`` are written; those named ``taken`` that they do not replace come from ``base``."""
        rows = digest([list(row) for row in securities.iter_rows()])
        labels = [f"{name}={fields[name]}" for name in LABELS if name in fields]
        snapshot = digest(
            [
                fields["market"],
                fields["source"],
                fields["chain"][-1],
                fields["tables"],
                rows,
                *labels,
            ]
        )
        with building(self.root / "snapshots" / snapshot) as staging:
            counts: dict[str, int] = {}
            for file, part in files:
                months.write_month(staging, file, part)
                counts[file] = len(part)
            known: dict[str, Any] = {}
            if base is not None:
                known = adopt(base.directory, staging, taken - set(counts), base.manifest["files"])
                counts = {f: n for f, n in base.rows.items() if f in known} | counts
            write_manifest(staging, {**fields, "rows": counts}, known)
        return snapshot

    @property
    def is_empty(self) -> bool:
        """Nothing was ingested yet."""
        return not (self.root / "CURRENT").exists()

    def current(self) -> str:
        path = self.root / "CURRENT"
        if self.is_empty:
            raise DataError(
                f"{self.root}: no market data yet",
                hint="run `atft-tui ingest --source files --prices FILE` or `--source synthetic`",
            )
        return path.read_text(encoding="utf-8").strip()

    def snapshot(self, name: str | None = None) -> Snapshot:
        """A snapshot by its id, the current one if not named."""
        directory = self.root / "snapshots" / (name or self.current())
        if not (directory / MANIFEST).exists():
            raise IntegrityError(
                f"{directory}: incomplete snapshot", hint="run `atft-tui ingest` again"
            )
        snapshot = Snapshot(directory)
        if "chain" not in snapshot.manifest:
            raise DataError(
                f"{directory}: written by an older version", hint="run `atft-tui ingest` again"
            )
        return snapshot

    def load_raw(self, snapshot: str | None = None, *, as_of: dt.date | None = None) -> RawTables:
        """Tables of a snapshot (the current one if not named), after their hashes were checked.

        ``as_of``: only what was known at the close of that day.
        """
        raw = self.snapshot(snapshot).raw()
        return raw if as_of is None else raw.as_of(as_of)

    def securities(self, snapshot: str | None = None) -> pl.DataFrame:
        """The securities table alone: names and sectors for display."""
        table = self.snapshot(snapshot).table("securities")
        return pl.DataFrame(schema=SECURITY_SCHEMA) if table is None else table

    def oracle(self, snapshot: str | None = None) -> pl.DataFrame | None:
        """The oracle table alone; None for real data."""
        return self.snapshot(snapshot).table("oracle")


def read_parquet(path: Path) -> pl.DataFrame:
    """A Parquet file as a frame; a damaged one is a DataError that names it."""
    try:
        return pl.read_parquet(path)
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise DataError(
            f"{path}: not readable as Parquet ({str(error).splitlines()[0]})",
            hint="the file is damaged or incomplete; fetch it again",
        ) from error


def _merged(securities: pl.DataFrame, known: pl.DataFrame | None) -> pl.DataFrame:
    """One row per symbol, sorted; of several the first, those of ``known`` last."""
    rows = securities if known is None else pl.concat([securities, known])
    return rows.unique("symbol", keep="first", maintain_order=True).sort("symbol")
