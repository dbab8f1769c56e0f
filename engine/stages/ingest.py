"""`ingest`: market data into the panel store."""

from typing import Any

from msgspec import to_builtins

from engine.data.calendar import currency_of
from engine.data.sectors import sector_notes
from engine.data.store import PanelStore
from engine.errors import UsageError
from engine.records.reading import ReadingPlan
from engine.runs.events import StageStarted
from engine.stages.context import Outcome, StageContext
from engine.stages.ingest_sources import from_files, from_jquants, from_synthetic, from_yahoo


def ingest(
    context: StageContext,
    *,
    source: str | None,
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
    append: bool = False,
    until: str | None = None,
    actions: str | None = None,
    dry_run: bool = False,
    undo: bool = False,
    layout: str | None = None,
    encoding: str | None = None,
    separator: str | None = None,
    decimal: str | None = None,
    date_format: str | None = None,
    timezone: str | None = None,
    price_scale: str | None = None,
    factor: str | None = None,
) -> Outcome:
    """Read a source and make it the current snapshot; the same data give the same snapshot.

    ``append``: the files hold sessions after the stored ones, which are added to them. ``until``: the
    synthetic market as it was known at the close of that day.
    """
    if source is None:
        raise UsageError("ingest needs --source files, synthetic, jquants or yahoo")
    if append and source != "files":
        raise UsageError(f"--append is for files; {source} adds what is new by itself")
    if until is not None and source != "synthetic":
        raise UsageError(f"--until is for the synthetic market; {source} has no future to hide")
    context.sink.emit(StageStarted(stage="ingest"))
    more: dict[str, Any] = {}
    plans: tuple[ReadingPlan, ...] = ()
    if source == "synthetic":
        raw = from_synthetic(context, until)
    elif source == "jquants":
        raw, more = from_jquants(context)
    elif source == "yahoo":
        raw = from_yahoo(context)
    else:
        optional = {
            "options": options,
            "flow": flow,
            "margin": margin,
            "short": short,
            "statements": statements,
            "earnings": earnings,
        }
        reading = {
            "layout": layout,
            "encoding": encoding,
            "separator": separator,
            "decimal": decimal,
            "date_format": date_format,
            "timezone": timezone,
            "price_scale": price_scale,
            "factor": factor,
        }
        read = from_files(
            context, prices, securities, index, columns, optional, actions=actions, reading=reading
        )
        raw, plans = read.raw, read.plans
    store = PanelStore(context.workspace / "data")
    snapshot = store.append(raw) if append else store.save(raw)
    stored = store.snapshot(snapshot)
    market = stored.manifest["market"]
    currency = currency_of(market, stored.currency)
    dates = raw.bars["date"]
    notes = [*raw.notes, *sector_notes(store.securities(), set(raw.bars["symbol"]))]
    summary = {
        "snapshot": snapshot,
        "source": raw.source,
        "market": market,
        "exchange": stored.exchange,
        "currency": currency,
        "rows": len(raw.bars),
        "symbols": raw.bars["symbol"].n_unique(),
        "first": str(dates.min()),
        "last": str(dates.max()),
        "optional": {name: len(table) for name, table in raw.optional.items()},
        "notes": notes,
        "plans": [to_builtins(plan) for plan in plans],
        **more,
    }
    lines = [
        f"snapshot {snapshot}: {summary['rows']:,} rows, {summary['symbols']:,} symbols, "
        f"{summary['first']} to {summary['last']}",
        f"market {market}, sessions of {stored.exchange}, prices in {currency or 'a currency not named'}",
        *(f"{name}: {len(table):,} rows" for name, table in raw.optional.items()),
        *(f"note: {note}" for note in notes),
        "next: `atft-tui check`",
    ]
    return Outcome(json=summary, text="\n".join(lines))
