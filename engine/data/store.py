"""The panel store: content-addressed snapshots of raw tables under ``WORKSPACE/data``.

    data/snapshots/<id>/{bars,securities,index,oracle}.parquet  manifest.json     data/CURRENT

A snapshot is never changed. Its id is the digest of its tables, so the same input gives the same
snapshot; every read checks the SHA-256 of each file.
"""

import hashlib
import io
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from engine.config import Market
from engine.errors import DataError, IntegrityError
from engine.files import read_manifest, write_manifest, write_text

BAR_SCHEMA = {
    "date": pl.Date,
    "symbol": pl.String,
    "open": pl.Float64,
    "high": pl.Float64,
    "low": pl.Float64,
    "close": pl.Float64,
    "volume": pl.Float64,
    "turnover": pl.Float64,
}
SECURITY_SCHEMA = {
    "symbol": pl.String,
    "name": pl.String,
    "sector": pl.String,
    "industry": pl.String,
    "shortable": pl.Boolean,
    "borrow_class": pl.String,
}
"""``shortable`` null = yes; ``borrow_class`` null = general (a key of ``costs.borrow_classes`` else)."""
INDEX_SCHEMA = {"date": pl.Date, "close": pl.Float64}
ORACLE_SCHEMA = {
    "date": pl.Date,
    "symbol": pl.String,
    "horizon": pl.Int64,
    "expected": pl.Float64,
}
TABLES = {
    "bars": BAR_SCHEMA,
    "securities": SECURITY_SCHEMA,
    "index": INDEX_SCHEMA,
    "oracle": ORACLE_SCHEMA,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RawTables:
    """What a source delivers: typed, but as dirty as it came. Null = the source had nothing."""

    bars: pl.DataFrame
    """One row per (date, symbol), sorted; prices as quoted, volume in shares, turnover in currency."""
    securities: pl.DataFrame
    index: pl.DataFrame | None
    """Market index: date, close."""
    market: Market
    source: str
    oracle: pl.DataFrame | None = None
    """Synthetic markets only: the expected return that can be known at the close of `date`."""
    notes: tuple[str, ...] = field(default=())
    """What the reader of the source had to say, e.g. duplicates dropped."""

    def __post_init__(self) -> None:
        for name, schema in TABLES.items():
            table = getattr(self, name)
            if table is not None and dict(table.schema) != schema:
                raise DataError(f"{self.source}: table {name} has schema {dict(table.schema)}")
        if self.bars.is_empty():
            raise DataError(f"{self.source}: no price rows")

    def tables(self) -> dict[str, pl.DataFrame]:
        present = {name: getattr(self, name) for name in TABLES}
        return {name: table for name, table in present.items() if table is not None}


@dataclass(frozen=True, slots=True)
class PanelStore:
    root: Path
    """``WORKSPACE/data``."""

    def save(self, raw: RawTables) -> str:
        """Write a snapshot and make it the current one; returns its id."""
        staging = self.root / "snapshots" / f".staging-{os.getpid()}"
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(parents=True)
        try:
            digest = hashlib.sha256()
            for name, table in raw.tables().items():
                table.write_parquet(staging / f"{name}.parquet", compression="zstd")
                digest.update(name.encode())
                digest.update(_content_hash(table))
            digest.update(f"{raw.market}|{raw.source}".encode())
            snapshot = digest.hexdigest()[:16]
            write_manifest(
                staging,
                {"market": raw.market, "source": raw.source, "notes": list(raw.notes)},
            )
            target = self.root / "snapshots" / snapshot
            if not (target / "manifest.json").exists():
                shutil.rmtree(target, ignore_errors=True)
                staging.rename(target)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        write_text(self.root / "CURRENT", snapshot + "\n")
        return snapshot

    def current(self) -> str:
        path = self.root / "CURRENT"
        if not path.exists():
            raise DataError(
                f"{self.root}: no market data yet",
                hint="run `atft-tui ingest --source files --prices FILE` or `--source synthetic`",
            )
        return path.read_text(encoding="utf-8").strip()

    def load_raw(self, snapshot: str | None = None) -> RawTables:
        """Tables of a snapshot (the current one if not named), after their hashes were checked."""
        directory = self._directory(snapshot)
        manifest = read_manifest(directory)
        tables = {
            name: read_parquet(directory / f"{name}.parquet")
            for name in TABLES
            if f"{name}.parquet" in manifest["files"]
        }
        return RawTables(
            bars=tables["bars"],
            securities=complete_securities(tables["securities"]),
            index=tables.get("index"),
            oracle=tables.get("oracle"),
            market=manifest["market"],
            source=manifest["source"],
            notes=tuple(manifest["notes"]),
        )

    def securities(self, snapshot: str | None = None) -> pl.DataFrame:
        """The securities table alone: names and sectors for display."""
        return complete_securities(read_parquet(self._directory(snapshot) / "securities.parquet"))

    def oracle(self, snapshot: str | None = None) -> pl.DataFrame | None:
        """The oracle table alone; None for real data."""
        path = self._directory(snapshot) / "oracle.parquet"
        return read_parquet(path) if path.exists() else None

    def _directory(self, snapshot: str | None) -> Path:
        directory = self.root / "snapshots" / (snapshot or self.current())
        if not (directory / "manifest.json").exists():
            raise IntegrityError(
                f"{directory}: incomplete snapshot", hint="run `atft-tui ingest` again"
            )
        return directory


def complete_securities(frame: pl.DataFrame) -> pl.DataFrame:
    """The securities table with all its columns; those that a source does not have are null."""
    missing = [name for name in SECURITY_SCHEMA if name not in frame.columns]
    nulls = [pl.lit(None, SECURITY_SCHEMA[name]).alias(name) for name in missing]
    return frame.with_columns(nulls).select(list(SECURITY_SCHEMA))


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


def _content_hash(table: pl.DataFrame) -> bytes:
    """Hash of the values in row order; independent of Parquet encoding and compression."""
    stream = io.BytesIO()
    table.rechunk().write_ipc(stream, compression="uncompressed")
    return hashlib.sha256(stream.getbuffer()).digest()
