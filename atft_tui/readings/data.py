"""Everything the Data screen shows, from the files that the commands wrote. Nothing is computed from data.

Each part is read by itself: one torn file is told in `DataReading.trouble` and hides only its own panel.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

from atft_tui.readings.files import FILES, checked, readable
from engine.errors import DataError, EngineError
from engine.files import MANIFEST, read_parquet
from engine.records.features import (
    CATALOG,
    B,
    Built,
    FeatureCatalog,
    FeatureRow,
    FeatureSource,
    GraphManifest,
    UniverseManifest,
    feature_source,
    newest,
)
from engine.records.preflight import AUDIT, AuditResult
from engine.records.quality import QUALITY, REPORT, CheckedQuality, Hit, QualityReport, event_names
from engine.records.record import RecordError
from engine.records.snapshot import SNAPSHOTS, SnapshotManifest, current_id

V = TypeVar("V")
Mark = Literal["", "missing", "excluded", "thin", "unknown"]
_MOST = 60
"""Snapshots that are read; a store that grows every day keeps many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotRow:
    """A snapshot of the store."""

    id: str
    current: bool
    made: str
    """UTC, ISO 8601: when its manifest was finished."""
    change: str
    """Against the snapshot made before it."""
    manifest: SnapshotManifest


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """Stocks with a kept bar per session, missing sessions among them, in order of time."""

    dates: tuple[str, ...] = ()
    names: tuple[int, ...] = ()
    members: tuple[int | None, ...] = ()
    """Stocks in the universe; None where no universe was built."""
    marks: tuple[Mark, ...] = ()
    unlisted: int = 0
    """Sessions without a bar that the file counts but does not list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StockRow:
    """A code of the current snapshot."""

    symbol: str
    name: str
    sector: str
    first: str
    last: str
    """Empty without a bar."""
    rows: int
    """Bars as they came."""
    kept: int
    turnover: float | None
    """Median of the last 20 sessions, in currency."""
    member: bool | None
    """Whether it is in the universe at the last session; None while there is no universe."""
    findings: int
    """Listed examples; the files do not keep all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataReading:
    """Everything on the Data screen."""

    trouble: tuple[str, ...] = ()
    """What could not be read; everything else is shown."""
    snapshots: tuple[SnapshotRow, ...] = ()
    """Newest first."""
    n_snapshots: int = 0
    quality: CheckedQuality | None = None
    hits: tuple[Hit, ...] = ()
    """Listed examples of all findings."""
    audit: AuditResult | None = None
    audit_hours: int | None = None
    coverage: Coverage = Coverage()
    stocks: tuple[StockRow, ...] = ()
    features: tuple[FeatureRow, ...] = ()
    feature_source: FeatureSource = field(default_factory=FeatureSource)
    graph: tuple[GraphManifest, bool] | None = None
    """The newest graphs, of the current snapshot if there are any; whether they are of it."""
    panel: str = ""
    """Directory of the cleaned bars of the current snapshot."""

    @property
    def current(self) -> SnapshotRow | None:
        """The snapshot that is used."""
        return next((row for row in self.snapshots if row.current), None)


@dataclass(slots=True)
class DataReader:
    """Reads a workspace once; a part whose files did not change is the very same object as before."""

    workspace: Path
    trouble: list[str] = field(default_factory=list)

    def read(self, now: datetime) -> DataReading:
        """Every part that can be read, and what cannot."""
        self.trouble = []
        part = self._part
        none: tuple[tuple[SnapshotRow, ...], int] = ((), 0)
        snapshots, count = part(self._snapshots, none)
        current = next((row for row in snapshots if row.current), None)
        panel = part(lambda: self._fitting("panels", Built, current), None)
        universe = part(lambda: self._fitting("universe", UniverseManifest, current), None)
        members = universe[1] if universe else None
        quality = part(lambda: self._quality(current, panel and panel[0]), None)
        hits = FILES.derive("hits", (quality,), lambda: quality.hits if quality else ())
        audit = part(lambda: FILES.record_if_there(self.workspace / AUDIT, AuditResult), None)
        unknown: tuple[tuple[FeatureRow, ...], FeatureSource] = ((), FeatureSource())
        features, source = part(lambda: self._features(current), unknown)
        covered = partial(_coverage, quality, members)
        return DataReading(
            snapshots=snapshots,
            n_snapshots=count,
            quality=quality,
            hits=hits,
            audit=audit,
            audit_hours=part(lambda: hours_since(audit, now), None),
            coverage=FILES.derive("coverage", (quality, members), covered),
            stocks=part(lambda: self._stocks(hits, members), ()),
            features=features,
            feature_source=source,
            graph=part(lambda: self._graph(current), None),
            panel=str(panel[0]) if panel else "",
            trouble=tuple(self.trouble),
        )

    def _part(self, read: Callable[[], V], otherwise: V) -> V:
        """A part of the reading; what cannot be read is told with its place, and left out."""
        try:
            return read()
        except (EngineError, OSError) as error:
            told = error.message if isinstance(error, EngineError) else str(error)
            said = told.replace(f"{self.workspace}/", "")
            if said not in self.trouble:
                self.trouble.append(said)
            return otherwise

    def _snapshots(self) -> tuple[tuple[SnapshotRow, ...], int]:
        """The newest `_MOST` snapshots, newest first, and how many there are; a torn one is left out."""
        current = current_id(self.workspace)
        root = self.workspace / "data" / SNAPSHOTS
        found = [(path.stat().st_mtime, path) for path in root.glob(f"*/{MANIFEST}")]
        found.sort(reverse=True)
        kept = found[:_MOST]
        if current is not None and all(path.parent.name != current for _, path in kept):
            path = root / current / MANIFEST
            if not path.is_file():
                raise DataError(f"data/CURRENT names the snapshot {current}, which is not there")
            kept.append((path.stat().st_mtime, path))
        read = [
            (at, path.parent.name, manifest)
            for at, path in kept
            if (manifest := self._part(partial(FILES.record, path, SnapshotManifest), None))
        ]
        return tuple(
            SnapshotRow(
                id=name,
                current=name == current,
                made=datetime.fromtimestamp(at, UTC).isoformat(timespec="minutes"),
                change=manifest.change(before[2] if before else None),
                manifest=manifest,
            )
            for (at, name, manifest), before in zip(read, [*read[1:], None], strict=False)
        ), len(found)

    def _fitting(
        self, place: str, kind: type[B], current: SnapshotRow | None
    ) -> tuple[Path, B] | None:
        """Directory and manifest of the newest result that was made from the current snapshot."""
        if current is None:
            return None
        found = newest(self.workspace / place, kind, current.manifest.chain, FILES.record)
        return found[:2] if found and found[2] else None

    def _quality(self, current: SnapshotRow | None, panel: Path | None) -> CheckedQuality | None:
        """What the gates said: of the current snapshot if anything did, else what `check` wrote last."""
        checked = FILES.record_if_there(self.workspace / QUALITY, CheckedQuality)
        if current is None or panel is None or (checked and checked.snapshot == current.id):
            return checked
        report, name = FILES.record(panel / REPORT, QualityReport), current.id
        return FILES.derive("checked", (report,), lambda: report.checked(name))

    def _features(
        self, current: SnapshotRow | None
    ) -> tuple[tuple[FeatureRow, ...], FeatureSource]:
        catalog = FILES.record_if_there(self.workspace / CATALOG, FeatureCatalog)
        if catalog is None:
            return (), FeatureSource()
        chain = current.manifest.chain if current else None
        source = feature_source(self.workspace, chain, FILES.record)
        inputs = (catalog, source.built, source.worth, source.fits)
        return FILES.derive("features", inputs, lambda: (source.rows(catalog), source))

    def _graph(self, current: SnapshotRow | None) -> tuple[GraphManifest, bool] | None:
        chain = current.manifest.chain if current else None
        found = newest(self.workspace / "graphs", GraphManifest, chain, FILES.record)
        return FILES.derive("graph", found[1:], lambda: found[1:]) if found else None

    def _stocks(
        self, hits: Sequence[Hit], universe: UniverseManifest | None
    ) -> tuple[StockRow, ...]:
        path = self.workspace / "data" / "stocks.parquet"
        if not path.is_file():
            return ()
        rows = FILES.get(path, _table_rows)
        return FILES.derive("stocks", (rows, hits, universe), lambda: _stocks(rows, hits, universe))


def hours_since(audit: AuditResult | None, now: datetime) -> int | None:
    """Whole hours; a clock that went back gives 0. RecordError for a time that is none."""
    if audit is None:
        return None
    try:
        when = datetime.fromisoformat(audit.when)
    except ValueError as error:
        raise RecordError(f"{AUDIT}: {error} - at `$.when`") from error
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0, int((now - when).total_seconds() // 3600))


def _coverage(quality: CheckedQuality | None, universe: UniverseManifest | None) -> Coverage:
    if quality is None:
        return Coverage()
    found = quality.coverage
    sizes = (universe.days, universe.members) if universe else ((), ())
    members = dict(zip(*sizes, strict=False))
    marks: dict[str, Mark] = dict.fromkeys(found.unknown_sessions, "unknown")
    marks |= dict.fromkeys(found.thin_sessions, "thin")
    marks |= dict.fromkeys(found.excluded_sessions, "excluded")
    marks |= dict.fromkeys(found.missing_sessions, "missing")
    count = dict(zip(found.per_session.dates, found.per_session.names, strict=False))
    count |= dict.fromkeys(found.missing_sessions, 0)
    dates = sorted(count)
    return Coverage(
        dates=tuple(dates),
        names=tuple(count[day] for day in dates),
        members=tuple(members.get(day) for day in dates),
        marks=tuple(marks.get(day, "") for day in dates),
        unlisted=max(0, quality.count("missing_session") - len(found.missing_sessions)),
    )


def _table_rows(path: Path) -> list[dict[str, Any]]:
    """Rows of a small Parquet file; IntegrityError for a torn or damaged one."""
    return read_parquet(path).rows(named=True)


def _stocks(
    rows: Sequence[dict[str, Any]], hits: Sequence[Hit], universe: UniverseManifest | None
) -> tuple[StockRow, ...]:
    """Rows of ``data/stocks.parquet`` with universe and listed findings of each code."""
    found = Counter(hit.symbol for hit in hits)
    members = universe.last_members if universe else None
    today = None if members is None else set(members)
    return tuple(
        StockRow(
            symbol=row["symbol"],
            name=row["name"] or "",
            sector=row["sector"] or "",
            first=str(row["first"] or ""),
            last=str(row["last"] or ""),
            rows=row["rows"],
            kept=row["kept"],
            turnover=row["median_turnover"],
            member=None if today is None else row["symbol"] in today,
            findings=found[row["symbol"]],
        )
        for row in rows
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class StockBars:
    """One code's closes, in order of time."""

    symbol: str
    dates: tuple[str, ...]
    close: tuple[float, ...]
    """NaN where missing."""
    cleaned: bool
    """After the quality gates, adjusted for splits; else as it came."""
    events: tuple[tuple[int, str], ...] = ()
    """Position among the dates, and what happened to the shares: split, break, dividend, action, proceeds."""


def read_stock(workspace: Path, snapshot: str, panel: str, symbol: str) -> StockBars:
    """Cleaned closes where the code has any, else raw ones. IntegrityError for a damaged file."""
    import polars as pl

    raw = workspace / "data" / SNAPSHOTS / snapshot
    for directory, cleaned in ((Path(panel) if panel else None, True), (raw, False)):
        found = sorted(directory.glob("bars-*.parquet")) if directory is not None else []
        files = [checked(path) for path in found]
        if not files:
            continue
        with readable(str(directory)):
            table = pl.scan_parquet(files)
            told = ["flags"] if "flags" in table.collect_schema() else []
            mine = table.filter(pl.col("symbol") == symbol)
            bars = mine.select("date", "close", *told).sort("date").collect()
        if not bars.is_empty():
            return StockBars(
                symbol=symbol,
                dates=tuple(str(day) for day in bars["date"]),
                close=tuple(math.nan if value is None else value for value in bars["close"]),
                cleaned=cleaned,
                events=tuple(_events(bars["flags"])) if told else (),
            )
    return StockBars(symbol=symbol, dates=(), close=(), cleaned=False)


def _events(flags: Iterable[int]) -> Iterator[tuple[int, str]]:
    for position, bits in enumerate(flags):
        yield from ((position, name) for name in event_names(bits))
