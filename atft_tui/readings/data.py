"""Everything the Data screen shows, from the files that the commands wrote. Nothing is computed from data.

Each part is read by itself: one torn file is told in `DataReading.trouble` and hides only its own panel.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from atft_tui.readings.cached import FileCache
from atft_tui.readings.data_values import (
    Audit,
    Coverage,
    DataReading,
    Example,
    FeatureRow,
    FeatureSource,
    FindingRow,
    GraphSeriesRow,
    Mark,
    Quality,
    StockRow,
)
from atft_tui.readings.features import read_features
from atft_tui.readings.graphs import read_graph
from atft_tui.readings.reading import Read, read_of
from atft_tui.readings.snapshots import Stored, current_id, read_snapshots, stored_of
from engine.errors import EngineError
from engine.files import MANIFEST, read_json

V = TypeVar("V")
UNREADABLE = (EngineError, OSError, ValueError, KeyError, TypeError, AttributeError, IndexError)
"""What a torn, foreign or half-removed file raises."""
_NOTHING: Mapping[str, Any] = {}


@dataclass(slots=True)
class DataReader:
    """Reads a workspace again and again; what has not changed stays the very same object."""

    workspace: Path
    cache: FileCache = field(default_factory=FileCache)
    trouble: list[str] = field(default_factory=list)

    def read(self, now: datetime) -> DataReading:
        self.trouble = []
        none: tuple[tuple[Stored, ...], int] = ((), 0)
        stored, count = self.part(
            "data/snapshots", lambda: read_snapshots(self.workspace, self._stored), none
        )
        name = self.part("data/CURRENT", lambda: current_id(self.workspace), None)
        current = next((one for one in stored if one.row.id == name), None)
        panel = self.part("panels", lambda: self.fitting("panels", current), None)
        told = self.part("data/quality.json", lambda: self._told(current, panel), _NOTHING)
        quality = self.part("data/quality.json", lambda: self._quality(told), None)
        universe = self.part("universe", lambda: self._universe(current), _NOTHING)
        audit = self.part("audit.json", self._audit, None)
        features, source = self.part("features", lambda: self._features(current), None) or (
            (),
            FeatureSource(),
        )
        return DataReading(
            snapshots=tuple(one.row for one in stored),
            n_snapshots=count,
            quality=quality,
            audit=audit,
            audit_hours=self.part("audit.json", lambda: hours_since(audit, now), None),
            coverage=self.part(
                "data/quality.json", lambda: self._coverage(told, universe), Coverage()
            ),
            stocks=self.part("data/stocks.parquet", lambda: self._stocks(quality, universe), ()),
            stocks_snapshot=str(told.get("snapshot", "")),
            features=features,
            feature_source=source,
            read=self.part(f"data/snapshots/{name}", lambda: self._read(name), None),
            graph=self.part("graphs", lambda: self._graph(current), None),
            panel=str(panel or ""),
            trouble=tuple(self.trouble),
        )

    def part(self, place: str, read: Callable[[], V], otherwise: V) -> V:
        """A part of the reading; what cannot be read is told with its place, and left out."""
        try:
            return read()
        except UNREADABLE as error:
            told = f"{place}: {type(error).__name__} {error}"
            if isinstance(error, EngineError):
                told = error.message
            said = told.replace(f"{self.workspace}/", "")
            if said not in self.trouble:
                self.trouble.append(said)
            return otherwise

    def _stored(self, path: Path) -> Stored | None:
        place = f"data/snapshots/{path.parent.name}"
        return self.part(place, lambda: self.cache.get(path, stored_of), None)

    def _read(self, current: str | None) -> Read | None:
        if current is None:
            return None
        path = self.workspace / "data" / "snapshots" / current / MANIFEST
        return self.cache.get(path, lambda file: read_of(read_json(file)), "read")

    def _universe(self, current: Stored | None) -> Mapping[str, Any]:
        directory = self.fitting("universe", current)
        return self.cache.get(directory / MANIFEST, read_json) if directory else _NOTHING

    def _features(
        self, current: Stored | None
    ) -> tuple[tuple[FeatureRow, ...], FeatureSource] | None:
        return read_features(self.workspace, self.cache, self.fitting("features", current))

    def _graph(self, current: Stored | None) -> GraphSeriesRow | None:
        return read_graph(self.workspace, self.cache, self.fitting("graphs", current))

    def fitting(self, kind: str, current: Stored | None) -> Path | None:
        """Directory of the newest result under ``kind`` that was made from the current snapshot."""
        if current is None:
            return None
        found = [
            (path.stat().st_mtime_ns, path.parent)
            for path in (self.workspace / kind).glob(f"*/{MANIFEST}")
        ]
        for _, directory in sorted(found, reverse=True):
            manifest = self.cache.get(directory / MANIFEST, read_json)
            end = current.chain[-1] if current.chain else ""
            if (manifest.get("raw_sessions"), manifest.get("chain_end")) == (
                len(current.chain),
                end,
            ):
                return directory
        return None

    def _told(self, current: Stored | None, panel: Path | None) -> Mapping[str, Any]:
        """What the gates said: of the current snapshot if anything did, else what `check` wrote last."""
        path = self.workspace / "data" / "quality.json"
        checked = self.cache.get(path, read_json) if path.is_file() else _NOTHING
        if current is None or checked.get("snapshot") == current.row.id or panel is None:
            return checked
        report = self.cache.get(panel / "report.json", read_json)
        name = current.row.id
        return self.cache.derive("told", (report, name), lambda: {**report, "snapshot": name})

    def _quality(self, told: Mapping[str, Any]) -> Quality | None:
        return self.cache.derive("quality", (told,), lambda: _quality_of(told)) if told else None

    def _audit(self) -> Audit | None:
        path = self.workspace / "audit.json"
        return self.cache.get(path, _audit_of) if path.is_file() else None

    def _coverage(self, told: Mapping[str, Any], universe: Mapping[str, Any]) -> Coverage:
        if not told:
            return Coverage()
        return self.cache.derive("coverage", (told, universe), lambda: _coverage_of(told, universe))

    def _stocks(self, quality: Quality | None, universe: Mapping[str, Any]) -> tuple[StockRow, ...]:
        path = self.workspace / "data" / "stocks.parquet"
        if not path.is_file():
            return ()
        rows = self.cache.get(path, _table_rows)
        findings = () if quality is None else quality.findings
        return self.cache.derive(
            "stocks", (rows, findings, universe), lambda: _stocks_of(rows, findings, universe)
        )


def hours_since(audit: Audit | None, now: datetime) -> int | None:
    """Whole hours; a clock that went back gives 0."""
    if audit is None:
        return None
    when = datetime.fromisoformat(audit.when)
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0, int((now - when).total_seconds() // 3600))


def _audit_of(path: Path) -> Audit:
    told = read_json(path)
    return Audit(
        verdict=str(told["verdict"]),
        passed=told["verdict"] == "passed",
        snapshot=str(told["snapshot"]),
        when=str(told["when"]),
        checks=sum(check["passed"] is not None for check in told["checks"]),
        leaks=len(told["leaks"]),
        deep=bool(told["deep"]),
    )


def _quality_of(told: Mapping[str, Any]) -> Quality:
    return Quality(
        snapshot=str(told["snapshot"]),
        verdict=str(told["verdict"]),
        findings=tuple(_finding(item) for item in told["findings"]),
        notes=tuple(map(str, told["notes"])),
        rows_in=int(told["rows_in"]),
        rows_out=int(told["rows_out"]),
        symbols=int(told["symbols"]),
        incomplete=str(told["incomplete"]),
    )


def _finding(told: Mapping[str, Any]) -> FindingRow:
    rule, level = str(told["rule"]), str(told["level"])
    return FindingRow(
        rule=rule,
        level=level,
        count=int(told["count"]),
        action=str(told["action"]),
        description=str(told["description"]),
        examples=tuple(
            Example(rule=rule, level=level, symbol=str(s), date=str(d), text=str(text))
            for s, d, text in told["examples"]
        ),
    )


def _coverage_of(told: Mapping[str, Any], universe: Mapping[str, Any]) -> Coverage:
    """Of what `check` wrote, or of a panel's own report, which lists only the first missing sessions."""
    found = {item["rule"]: item for item in told["findings"]}

    def listed(rule: str) -> list[str]:
        return [str(day) for _, day, _ in found.get(rule, {}).get("examples", ())]

    about = told.get("coverage")
    if about is not None:
        days, names = about["per_session"]["dates"], about["per_session"]["names"]
        missing, thin = about["missing_sessions"], about["thin_sessions"]
    else:
        days, names = told["days"], told["names"]
        missing, thin = listed("missing_session"), listed("thin_session")
    marks: dict[str, Mark] = dict.fromkeys(listed("unknown_session"), "unknown")
    marks |= dict.fromkeys(thin, "thin")
    marks |= {day: "excluded" for day, count in zip(days, names, strict=True) if not count}
    marks |= dict.fromkeys(missing, "missing")
    count = dict(zip(days, names, strict=True)) | dict.fromkeys(missing, 0)
    members = dict(zip(universe.get("days", ()), universe.get("members", ()), strict=True))
    dates = sorted(count)
    total = int(found.get("missing_session", {}).get("count", 0))
    return Coverage(
        dates=tuple(dates),
        names=tuple(int(count[day]) for day in dates),
        members=tuple(members.get(day) for day in dates),
        marks=tuple(marks.get(day, "") for day in dates),
        unlisted=max(0, total - len(missing)),
    )


def _table_rows(path: Path) -> list[dict[str, Any]]:
    """Rows of a small Parquet file; a torn one is a ValueError that names it."""
    import polars as pl

    try:
        return pl.read_parquet(path).rows(named=True)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise ValueError(f"not readable ({str(error).splitlines()[0]})") from error


def _stocks_of(
    rows: Sequence[Mapping[str, Any]],
    findings: Sequence[FindingRow],
    universe: Mapping[str, Any],
) -> tuple[StockRow, ...]:
    """Rows of ``data/stocks.parquet`` with universe and listed findings of each code."""
    hits: dict[str, int] = {}
    for finding in findings:
        for example in finding.examples:
            hits[example.symbol] = hits.get(example.symbol, 0) + 1
    today = set(universe["last_members"]) if "last_members" in universe else None
    return tuple(
        StockRow(
            symbol=str(row["symbol"]),
            name=row["name"] or "",
            sector=row["sector"] or "",
            first=str(row["first"] or ""),
            last=str(row["last"] or ""),
            rows=row["rows"],
            kept=row["kept"],
            turnover=row["median_turnover"],
            member=None if today is None else row["symbol"] in today,
            findings=hits.get(row["symbol"], 0),
        )
        for row in rows
    )
