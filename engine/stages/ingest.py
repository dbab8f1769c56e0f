"""`ingest`: market data into the panel store."""

from collections.abc import Mapping
from pathlib import Path

from engine.data.files_source import read_files
from engine.data.store import PanelStore
from engine.data.synthetic import generate
from engine.data.tables import RawTables
from engine.errors import ConfigError, UsageError
from engine.runs.events import StageStarted
from engine.stages.context import Outcome, StageContext


def ingest(
    context: StageContext,
    *,
    source: str,
    prices: str | None,
    securities: str | None,
    index: str | None,
    columns: str | None,
    options: str | None = None,
    flow: str | None = None,
    margin: str | None = None,
    short: str | None = None,
    statements: str | None = None,
    earnings: str | None = None,
) -> Outcome:
    """Read a source and make it the current snapshot; the same data give the same snapshot."""
    context.sink.emit(StageStarted(stage="ingest"))
    if source == "synthetic":
        raw = generate(context.config.data.synthetic).raw
    else:
        optional = {
            "options": options,
            "flow": flow,
            "margin": margin,
            "short": short,
            "statements": statements,
            "earnings": earnings,
        }
        raw = _files(context, prices, securities, index, columns, optional)
    snapshot = PanelStore(context.workspace / "data").save(raw)
    dates = raw.bars["date"]
    summary = {
        "snapshot": snapshot,
        "source": raw.source,
        "market": raw.market,
        "rows": len(raw.bars),
        "symbols": raw.bars["symbol"].n_unique(),
        "first": str(dates.min()),
        "last": str(dates.max()),
        "optional": {name: len(table) for name, table in raw.optional.items()},
        "notes": list(raw.notes),
    }
    lines = [
        f"snapshot {snapshot}: {summary['rows']:,} rows, {summary['symbols']:,} symbols, "
        f"{summary['first']} to {summary['last']}",
        *(f"{name}: {len(table):,} rows" for name, table in raw.optional.items()),
        *raw.notes,
        "next: `atft-tui check`",
    ]
    return Outcome(json=summary, text="\n".join(lines))


def _files(
    context: StageContext,
    prices: str | None,
    securities: str | None,
    index: str | None,
    columns: str | None,
    optional: Mapping[str, str | None],
) -> RawTables:
    if prices is None:
        raise UsageError("ingest --source files needs --prices FILE")
    market = context.config.data.market
    if market == "synthetic":
        raise ConfigError("data.market is synthetic; set it to us or jp for files")
    return read_files(
        Path(prices),
        securities=Path(securities) if securities else None,
        index=Path(index) if index else None,
        columns=context.config.data.columns | parse_columns(columns),
        market=market,
        optional={name: Path(path) for name, path in optional.items() if path},
    )


def parse_columns(text: str | None) -> dict[str, str]:
    """``"symbol=code,close=adj"`` -> mapping; anything else is a UsageError."""
    mapping = {}
    for part in (text or "").split(","):
        if not part.strip():
            continue
        ours, separator, theirs = part.partition("=")
        if not separator or not ours.strip() or not theirs.strip():
            raise UsageError(f"--columns: {part!r} is not OUR_NAME=COLUMN")
        mapping[ours.strip()] = theirs.strip()
    return mapping
