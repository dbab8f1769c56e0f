"""Store -> quality gates -> panel. Cleaned sessions are kept, so that only new ones are cleaned.

panels/<fingerprint>/{bars-2016-01,...}.parquet  memory.npz  report.json  manifest.json
"""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.config import Config, Market
from engine.data.actions import renamed, renames
from engine.data.calendar import currency_of, sessions_per_year
from engine.data.memory import MEMORY, Memory
from engine.data.months import (
    Lineage,
    month_files,
    months_between,
    require_months,
    write_month,
)
from engine.data.panel import DensePanel, Panel, check_bars, index_closes, scatter
from engine.data.quality import examine_more
from engine.data.repair import RULES
from engine.data.store import PanelStore, Snapshot, read_parquet
from engine.data.tables import OPTIONAL, SECURITY_SCHEMA, RawTables
from engine.errors import DataError
from engine.files import MANIFEST, adopt, building, digest, verify_files, write_manifest
from engine.records import record
from engine.records.features import PanelManifest
from engine.records.quality import REPORT, QualityReport

_PORTION = 1_000_000
"""Raw rows that are cleaned at once: 0.6 GiB of working memory."""


@dataclass(frozen=True)
class StoredPanel:
    """A clean panel on disk; bars are read when they are asked for."""

    directory: Path
    snapshot: Snapshot
    index_symbol: str

    @cached_property
    def manifest(self) -> PanelManifest:
        """Sessions, stocks and files of the panel; IntegrityError if a month is not among them."""
        found = record.read(self.directory / MANIFEST, PanelManifest)
        require_months(self.directory, found.files, found.days)
        return found

    @property
    def fingerprint(self) -> str:
        """Digest of snapshot and quality settings: the key of everything built from the panel."""
        return self.manifest.fingerprint

    @property
    def settings(self) -> str:
        """Digest of what the bars were cleaned by."""
        return self.manifest.settings

    @property
    def market(self) -> Market:
        """The market that the source named."""
        return self.snapshot.manifest.market

    @property
    def currency(self) -> str:
        """Label of prices and money; may be empty."""
        return currency_of(self.market, self.snapshot.manifest.currency, self.snapshot.calendar)

    @property
    def sessions_per_year(self) -> int:
        """Sessions a year of the exchange where these stocks trade."""
        return sessions_per_year(self.snapshot.exchange)

    @property
    def source(self) -> str:
        """Label of where the data came from."""
        return self.snapshot.manifest.source

    @cached_property
    def chain(self) -> Sequence[str]:
        """One hash a raw session: what was known by then."""
        return self.snapshot.chain

    @cached_property
    def dates_S(self) -> NDArray[np.datetime64]:
        """Sessions ``[S]`` with a bar, increasing."""
        return np.array(self.manifest.days, dtype="datetime64[D]")

    @property
    def symbols(self) -> tuple[str, ...]:
        """Stocks with a bar, sorted."""
        return self.manifest.symbols

    @cached_property
    def securities(self) -> pl.DataFrame:
        """One row per stock of the panel; null = unknown."""
        known = self.snapshot.table("securities")
        stocks = pl.DataFrame({"symbol": self.symbols}, schema={"symbol": pl.String})
        if known is None:
            known = pl.DataFrame(schema=SECURITY_SCHEMA)
        return stocks.join(known, on="symbol", how="left", maintain_order="left")

    @cached_property
    def tables(self) -> Mapping[str, pl.DataFrame]:
        """Optional tables of the source."""
        found = {name: self.snapshot.table(name) for name in OPTIONAL}
        codes = renames(_happened(self.snapshot))
        return {
            name: renamed(table, codes, "available") if "symbol" in table.columns else table
            for name, table in found.items()
            if table is not None
        }

    @cached_property
    def report(self) -> QualityReport:
        """What the quality gates found."""
        self.verify(REPORT)
        return record.read(self.directory / REPORT, QualityReport)

    def bars(self, after: str = "0000") -> pl.DataFrame:
        """Clean rows of the months from ``after`` (ISO date) on."""
        names = self.months(after)
        self.verify(*names)
        return pl.concat([read_parquet(self.directory / name) for name in names])

    def months(self, after: str = "0000") -> list[str]:
        """Files with the bars of the months from ``after`` (ISO date) on."""
        return months_between("bars", self.manifest.files, after, "9999")

    def verify(self, *names: str) -> None:
        """Check the hashes of files: IntegrityError for a damaged one."""
        verify_files(self.directory, {"files": self.manifest.files}, names)

    def panel(self) -> Panel:
        """The whole panel in memory."""
        bars = self.bars()
        return Panel(
            frame=bars,
            securities=self.securities,
            index=self.index_of(bars),
            tables=self.tables,
            market=self.market,
            calendar=self.snapshot.calendar,
            currency=self.snapshot.manifest.currency,
            source=self.source,
            as_of=self.report.last,
            fingerprint=self.fingerprint,
        )

    def dense(self, start: int = 0) -> DensePanel:
        """Arrays of the sessions from ``start`` on, for all stocks of the panel."""
        first, of_index = self.dates_S[start], []

        def parts() -> Iterator[pl.DataFrame]:
            """Month by month: all bars at once would take twice the memory of the arrays."""
            for name in self.months(str(first)):
                self.verify(name)
                bars = read_parquet(self.directory / name)
                if self.index_symbol:
                    of_index.append(bars.filter(symbol=self.index_symbol).select("date", "close"))
                yield bars.filter(pl.col("date") >= first.item())

        dense = scatter(
            parts(),
            dates_S=self.dates_S[start:],
            symbols=self.symbols,
            securities=self.securities,
            tables=self.tables,
            first=start,
        )
        index = pl.concat(of_index) if self.index_symbol else self.snapshot.table("index")
        count_N = np.asarray(self.manifest.bars, dtype=np.int64)
        return replace(
            dense,
            index_close_S=index_closes(index, dense.dates_S),
            bars_before_N=count_N - np.isfinite(dense.close_NS).sum(axis=1),
        )

    def index_of(self, bars: pl.DataFrame) -> pl.DataFrame | None:
        """``date, close`` of the market index; of the index that is a code of the table on the bars' days."""
        if not self.index_symbol:
            return self.snapshot.table("index")
        return bars.filter(symbol=self.index_symbol).select("date", "close")


class RefusedDataError(DataError):
    """The quality gates refuse the data; the report says why."""

    def __init__(self, source: str, report: QualityReport) -> None:
        worst = report.findings[0] if report.findings else None
        what = f"{worst.count} x {worst.rule}" if worst else "no bar is left"
        super().__init__(
            f"{source}: refused by the quality gates ({what})",
            hint="run `atft-tui check` for the list; quality.max_bad_share is the limit",
        )
        self.report = report


def open_panel(workspace: Path, config: Config, snapshot: str | None = None) -> StoredPanel:
    """`clean_panel` for those who compute with it: the index that is configured must be there."""
    panel = clean_panel(workspace, config, snapshot)
    if panel.index_symbol and panel.index_symbol not in panel.symbols:
        raise DataError(
            f"{panel.source}: data.index_symbol {panel.index_symbol!r} is not in the price table",
            hint="name a code of the table, or leave data.index_symbol empty",
        )
    return panel


def clean_panel(workspace: Path, config: Config, name: str | None = None) -> StoredPanel:
    """A snapshot (the current one if not named), cleaned; only sessions that were not cleaned before
    are looked at. Data that the quality gates refuse are a RefusedDataError.
    """
    snapshot = PanelStore(workspace / "data").snapshot(name)
    settings = digest(
        {
            "rules": RULES,
            "quality": config.quality.model_dump(mode="json"),
            "index": config.data.index_symbol,
            "market": snapshot.manifest.market,
            "source": snapshot.manifest.source,
            **({"calendar": snapshot.calendar} if snapshot.calendar else {}),
            "renames": [str(rename) for rename in renames(_happened(snapshot))],
        }
    )
    lineage = Lineage(settings=settings, chain=snapshot.chain, panel=snapshot.id)
    target = workspace / "panels" / lineage.fingerprint
    panel = StoredPanel(target, snapshot, config.data.index_symbol)
    if not (target / MANIFEST).exists():
        with building(target) as staging:
            _clean(snapshot, config, lineage, staging, target.parent)
        lineage.prune(target.parent)
    return panel


def load_panel(workspace: Path, config: Config) -> tuple[Panel, QualityReport]:
    """`open_panel`, all of it in memory, and what the quality gates found."""
    stored = open_panel(workspace, config)
    return stored.panel(), stored.report


def _clean(
    snapshot: Snapshot, config: Config, lineage: Lineage, directory: Path, root: Path
) -> None:
    """Clean what no parent has cleaned, a few months at a time: a session needs those before it only."""
    days: list[str] = []
    memory, report, last, old = Memory.empty(), None, "", None
    parent = next(lineage.parents(root), None)
    if parent is not None:
        old = StoredPanel(parent[0], snapshot, "")
        old.verify(MEMORY)
        memory, report, days = Memory.read(old.directory), old.report, list(old.manifest.days)
        last = snapshot.days[old.manifest.raw_sessions - 1]
    written = []
    for raw in _portions(snapshot, last):
        rows, report, memory = examine_more(raw, config.quality, memory, report)
        if rows.is_empty():
            continue
        check_bars(rows, raw.source, report.last)
        days = [*days, *(str(day) for day in rows["date"].unique().sort())]
        first = str(rows.item(0, "date"))
        if old is not None and old.months(first):
            rows = pl.concat([old.bars(first).filter(pl.col("date") < rows.item(0, "date")), rows])
        for file, part in month_files("bars", rows):
            write_month(directory, file, part)
            written.append(file)
    assert report is not None
    source = snapshot.manifest.source
    if report.verdict == "refused":
        raise RefusedDataError(source, report)
    if not days:
        raise DataError(f"{source}: no bar is left after the quality gates")
    known = {}
    if old is not None:
        unchanged = set(old.months()) - set(written)
        known = adopt(old.directory, directory, unchanged, old.manifest.files)
    memory.write(directory)
    record.write(directory / REPORT, report)
    write_manifest(
        directory,
        lineage.fields()
        | {
            "days": days,
            "symbols": [s for s, n in zip(memory.symbols, memory.seen, strict=True) if n],
            "bars": [int(n) for n in memory.seen if n],
        },
        known,
    )


def _portions(snapshot: Snapshot, after: str) -> Iterator[RawTables]:
    """The raw tables after a session (empty = all), bars in whole months of about `_PORTION` rows."""
    files = snapshot.months("bars", after or "0000")
    months = [file.removeprefix("bars-").removesuffix(".parquet") for file in files]
    raw, start, count = None, 0, 0
    for i, file in enumerate(files):
        count += snapshot.manifest.rows.get(file, _PORTION)
        if count < _PORTION and i + 1 < len(files):
            continue
        bars = snapshot.table("bars", after=months[start], until=months[i])
        assert bars is not None
        if after:
            bars = bars.filter(pl.col("date") > dt.date.fromisoformat(after))
        start, count = i + 1, 0
        if not bars.is_empty():
            if raw is None:
                raw = replace(snapshot.raw(bars=bars), actions=_happened(snapshot))
            raw = replace(raw, bars=bars)
            yield raw


def _happened(snapshot: Snapshot) -> pl.DataFrame | None:
    """Corporate actions up to the last session: until its day comes, a stock trades under its old code."""
    actions, last = snapshot.table("actions"), dt.date.fromisoformat(snapshot.days[-1])
    return None if actions is None else actions.filter(pl.col("date") <= last)
