"""Store -> quality gates -> Panel."""

from pathlib import Path

import polars as pl

from engine.config import Config
from engine.data.panel import Panel
from engine.data.quality import QualityReport, examine
from engine.data.store import PanelStore
from engine.data.tables import RawTables
from engine.errors import DataError
from engine.files import digest


def load_panel(workspace: Path, config: Config) -> tuple[Panel, QualityReport]:
    """The current snapshot as a clean panel. Refused data are a DataError."""
    store = PanelStore(workspace / "data")
    snapshot = store.current()
    raw = store.load_raw(snapshot)
    clean, report = examine(raw, config.quality)
    if report.verdict == "refused":
        worst = report.findings[0]
        raise DataError(
            f"{raw.source}: refused by the quality gates ({worst.count} x {worst.rule})",
            hint="run `atft-tui check` for the list; quality.max_bad_share is the limit",
        )
    index_symbol = config.data.index_symbol
    index = raw.index
    if index_symbol:
        index = clean.filter(symbol=index_symbol).select("date", "close")
        if index.is_empty():
            raise DataError(
                f"{raw.source}: data.index_symbol {index_symbol!r} is not in the price table",
                hint="name a code of the table, or leave data.index_symbol empty",
            )
    fingerprint = digest(
        {
            "snapshot": snapshot,
            "quality": config.quality.model_dump(mode="json"),
            "index": index_symbol,
            "rules": 1,
        }
    )
    return Panel(
        frame=clean,
        securities=_securities(raw),
        index=index,
        market=raw.market,
        source=raw.source,
        as_of=report.last,
        fingerprint=fingerprint,
    ), report


def _securities(raw: RawTables) -> pl.DataFrame:
    known = raw.securities.unique("symbol", keep="first", maintain_order=True)
    return raw.bars.select("symbol").unique().sort("symbol").join(known, on="symbol", how="left")
