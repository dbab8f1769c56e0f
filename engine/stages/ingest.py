"""`ingest`: market data into the panel store."""

import datetime as dt
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import polars as pl

from engine.data.files_source import read_files
from engine.data.store import PanelStore
from engine.data.synthetic import generate
from engine.data.tables import RawTables
from engine.errors import ConfigError, DataError, UsageError
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
    append: bool = False,
    until: str | None = None,
) -> Outcome:
    """Read a source and make it the current snapshot; the same data give the same snapshot.

    ``append``: the files hold sessions after the stored ones, which are added to them. ``until``: the
    synthetic market as it was known at the close of that day.
    """
    if append and source != "files":
        raise UsageError(f"--append is for files; {source} adds what is new by itself")
    if until is not None and source != "synthetic":
        raise UsageError(f"--until is for the synthetic market; {source} has no future to hide")
    context.sink.emit(StageStarted(stage="ingest"))
    more: dict[str, Any] = {}
    if source == "synthetic":
        raw = _synthetic(context, until)
    elif source == "jquants":
        raw, more = _jquants(context)
    elif source == "yahoo":
        raw = _yahoo(context)
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
    store = PanelStore(context.workspace / "data")
    snapshot = store.append(raw) if append else store.save(raw)
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
        **more,
    }
    lines = [
        f"snapshot {snapshot}: {summary['rows']:,} rows, {summary['symbols']:,} symbols, "
        f"{summary['first']} to {summary['last']}",
        *(f"{name}: {len(table):,} rows" for name, table in raw.optional.items()),
        *(f"note: {note}" for note in raw.notes),
        "next: `atft-tui check`",
    ]
    return Outcome(json=summary, text="\n".join(lines))


def _synthetic(context: StageContext, until: str | None) -> RawTables:
    raw = generate(context.config.data.synthetic).raw
    if until is None:
        return raw
    try:
        day = dt.date.fromisoformat(until)
    except ValueError:
        raise UsageError(f"--until {until!r} is not a date like 2022-01-31") from None
    first, last = raw.bars.select(first=pl.col("date").min(), last=pl.col("date").max()).row(0)
    if not first <= day <= last:
        raise DataError(
            f"--until {day}: the synthetic market goes from {first} to {last}",
            hint="data.synthetic.n_sessions makes it longer",
        )
    return raw.as_of(day)


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


def _jquants(context: StageContext) -> tuple[RawTables, dict[str, Any]]:
    """Update the parts, then read them; also what the pull did."""
    from engine.data.jquants.assemble import read_jquants
    from engine.data.jquants.client import Api, key_from
    from engine.data.jquants.pace import PER_MINUTE, Pace
    from engine.data.jquants.pull import Pull, patient_sleep

    if context.config.data.market != "jp":
        raise ConfigError(
            f"data.market is {context.config.data.market}; J-Quants is the Japanese market",
            hint="--set data.market=jp",
        )
    settings = context.config.data.jquants

    def stopped() -> bool:
        return context.stop.requested

    folder = context.workspace / "data" / "jquants"
    api = Api(
        base_url=settings.base_url,
        key=key_from(os.environ),
        timeout=settings.timeout_seconds,
        pace=Pace(PER_MINUTE[settings.plan], sleep=patient_sleep(stopped)),
        sink=context.sink,
    )
    report = Pull(
        folder=folder,
        settings=settings,
        api=api,
        sink=context.sink,
        now=context.now(),
        stopped=stopped,
    ).run()
    raw = read_jquants(
        folder,
        first=dt.date.fromisoformat(settings.first),
        tables=report.tables,
        notes=report.notes,
    )
    return raw, {k: v for k, v in asdict(report).items() if k != "notes"}


def _yahoo(context: StageContext) -> RawTables:
    from engine.data.yahoo import read_yahoo

    market = context.config.data.market
    if market == "synthetic":
        raise ConfigError("data.market is synthetic; set it to us or jp for yahoo")
    settings = context.config.data.yahoo
    if not settings.codes:
        raise ConfigError(
            "data.yahoo.codes is empty", hint="""--set 'data.yahoo.codes=["AAPL","MSFT"]'"""
        )
    return read_yahoo(settings.codes, first=dt.date.fromisoformat(settings.first), market=market)


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
