"""The panel store: content-addressed snapshots of raw tables under ``WORKSPACE/data``.

    data/snapshots/<id>/{bars,securities,index,oracle}.parquet  manifest.json     data/CURRENT

A snapshot is never changed. Its id is the digest of its tables, so the same input gives the same
snapshot; every read checks the SHA-256 of each file.
"""

import hashlib
import io
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from engine.data.tables import (
    BAR_SCHEMA,
    OPTIONAL,
    SECURITY_SCHEMA,
    TABLES,
    RawTables,
    complete,
)
from engine.errors import DataError, IntegrityError
from engine.files import read_manifest, write_manifest, write_text


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
            for name in (*TABLES, *OPTIONAL)
            if f"{name}.parquet" in manifest["files"]
        }
        return RawTables(
            bars=complete(tables["bars"], BAR_SCHEMA),
            securities=complete(tables["securities"], SECURITY_SCHEMA),
            index=tables.get("index"),
            oracle=tables.get("oracle"),
            optional={name: tables[name] for name in OPTIONAL if name in tables},
            market=manifest["market"],
            source=manifest["source"],
            notes=tuple(manifest["notes"]),
        )

    def securities(self, snapshot: str | None = None) -> pl.DataFrame:
        """The securities table alone: names and sectors for display."""
        return complete(
            read_parquet(self._directory(snapshot) / "securities.parquet"), SECURITY_SCHEMA
        )

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
