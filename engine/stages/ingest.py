"""`ingest`: market data into the panel store, after what they say about themselves was heard."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path

from msgspec import structs, to_builtins

from engine.config import QualityConfig
from engine.data.calendar import currency_of, exchange_of
from engine.data.evidence import gather
from engine.data.evidence_joins import stored
from engine.data.growth import Draft, appended, incomplete, repeated, whole
from engine.data.merge import one_bar_each, place_of
from engine.data.store import PanelStore, Snapshot
from engine.data.tables import RawTables, sector_notes
from engine.errors import DataError, UsageError
from engine.hashes import sha256
from engine.records.reading import Evidence
from engine.records.snapshot import Revision
from engine.runs.events import Noted, StageStarted
from engine.runs.lock import hold
from engine.stages.context import Outcome, StageContext
from engine.stages.ingest_sources import (
    Arrived,
    PriceFiles,
    from_files,
    from_jquants,
    from_synthetic,
    from_yahoo,
)


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
    valuation: str | None = None,
    disclosures: str | None = None,
    holdings: str | None = None,
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

    ``append``: the bars of the files are laid over the stored ones. ``until``: the synthetic market as it
    was known at the close of that day. ``dry_run``: everything but storing. ``undo``: back to the snapshot
    before. Everything is judged and summed up before the new snapshot becomes the current one.
    """
    if undo:
        if source is not None or append or dry_run:
            raise UsageError(
                "--undo reads nothing and stands alone: no --source, --append, --dry-run"
            )
        with _alone(context):
            return _undone(context)
    source = _checked(source, append=append, until=until)
    context.sink.emit(StageStarted(stage="ingest"))
    files = PriceFiles(
        prices=prices,
        columns=columns,
        tables={
            "securities": securities, "index": index, "actions": actions, "options": options,
            "flow": flow, "margin": margin, "short": short, "statements": statements,
            "earnings": earnings, "valuation": valuation, "disclosures": disclosures,
            "holdings": holdings,
        },
        reading={
            "layout": layout, "encoding": encoding, "separator": separator, "decimal": decimal,
            "date_format": date_format, "timezone": timezone, "price_scale": price_scale,
            "factor": factor,
        },
    )  # fmt: skip
    with nullcontext() if dry_run else _alone(context):
        store = PanelStore(context.workspace / "data")
        for name in () if dry_run else store.sweep():
            context.sink.emit(Noted(message=f"removed {name}, left by a killed ingest"))
        old = store.snapshot() if append else None
        arrived = _arrived(context, source, files, until, old)
        return _taken(context, store, arrived, old, prices, dry_run=dry_run)


def _arrived(
    context: StageContext, source: str, files: PriceFiles, until: str | None, old: Snapshot | None
) -> Arrived:
    """What the source delivers; ``old``: the snapshot that files are to be added to."""
    if source == "files":
        return from_files(context, files, old)
    if source == "jquants":
        return from_jquants(context)
    return from_yahoo(context) if source == "yahoo" else from_synthetic(context, until)


def _alone(context: StageContext) -> AbstractContextManager[None]:
    """One process at a time: two that append to one snapshot would each lose what the other brought."""
    return hold(
        context.workspace / "data" / "ingest.lock",
        hint="wait until that ingest is done, then repeat",
    )


def _checked(source: str | None, *, append: bool, until: str | None) -> str:
    if source is None:
        raise UsageError("ingest needs --source files, synthetic, jquants or yahoo")
    if append and source != "files":
        raise UsageError(f"--append is for files; {source} adds what is new by itself")
    if until is not None and source != "synthetic":
        raise UsageError(f"--until is for the synthetic market; {source} has no future to hide")
    return source


def _undone(context: StageContext) -> Outcome:
    store = PanelStore(context.workspace / "data")
    left = store.current()
    snapshot = store.snapshot(store.undo())
    first, last = snapshot.days[0], snapshot.days[-1]
    told = {"snapshot": snapshot.id, "undone": left, "first": first, "last": last}
    return Outcome(
        json=told, text=f"snapshot {snapshot.id} is current again: {first} to {last} (was {left})"
    )


def _taken(
    context: StageContext,
    store: PanelStore,
    arrived: Arrived,
    old: Snapshot | None,
    prices: str | None,
    *,
    dry_run: bool,
) -> Outcome:
    """Evidence, one bar a key, gates, summary; then, and only then, the store."""
    evidence = _heard(context, arrived, old)
    said: dict[str, object] = {"plans": [to_builtins(plan) for plan in arrived.plans]}
    bars, repeated = one_bar_each(arrived.raw.bars, arrived.origin, arrived.raw.source)
    if evidence is not None:
        evidence = structs.replace(evidence, duplicates=repeated.equal)
        said["evidence"] = _told(evidence)
    raw = replace(arrived.raw, bars=bars)
    if old is None:
        draft = whole(raw)
    else:
        origin = arrived.origin
        place = None if origin is None else place_of(arrived.raw.bars, origin)
        draft = appended(old, raw, place)
        _gate(draft, old, raw, context.config.quality)
    lines = [*arrived.lines(), *(evidence.lines() if evidence is not None else ())]
    if repeated.equal and evidence is None:
        lines.append(f"rows given again, or empty beside a real one, left out: {repeated.equal:,}")
    if repeated.changed:
        lines.append(
            f"later files revised {repeated.changed:,} bars of earlier ones "
            f"({repeated.prices:,} of them in a price)"
        )
    lines += _revised(draft.revision)
    thin = incomplete(draft.names, context.config.quality.min_coverage)
    lines += [f"warning: {draft.days[-1]}, the newest session, has {thin}"] if thin else []
    summary, more = _summary(draft, replace(arrived, raw=raw), dry_run=dry_run)
    if not dry_run:
        record = {**said, "revision": to_builtins(draft.revision)}
        if old is not None and prices is not None and Path(prices).is_file():
            record["read"] = {str(Path(prices).resolve()): sha256(Path(prices))}
        store.publish(draft, record)
    summary |= said | {"incomplete": thin}
    return Outcome(json=summary, text="\n".join([*lines, *more]))


def _heard(context: StageContext, arrived: Arrived, old: Snapshot | None) -> Evidence | None:
    """What the tables say of themselves; a misreading is a DataError. The synthetic market is believed."""
    raw = arrived.raw
    if raw.market == "synthetic":
        return None
    evidence = gather(
        raw,
        now=context.now(),
        columns={c.ours: c.theirs for plan in arrived.plans[:1] for c in plan.columns},
        store=None if old is None else stored(old),
    )
    if not evidence.refused:
        return evidence
    for line in (*arrived.lines(), *evidence.lines()):
        context.sink.emit(Noted(message=line))
    raise DataError(
        f"{raw.source}: refused, nothing was stored: "
        + "; ".join(problem.what for problem in evidence.refused),
        hint="; and ".join(dict.fromkeys(problem.mend for problem in evidence.refused)),
        details={
            "plans": [to_builtins(plan) for plan in arrived.plans],
            "evidence": _told(evidence),
        },
    )


def _told(evidence: Evidence) -> dict[str, object]:
    value: dict[str, object] = to_builtins(evidence)
    return {"verdict": evidence.verdict, **value}


def _gate(draft: Draft, old: Snapshot, raw: RawTables, quality: QualityConfig) -> None:
    """A new session with too few names, or with those of the one before, is no session yet."""
    day, told = draft.days[-1], dict[str, object]()
    if day <= old.days[-1]:
        return
    if thin := incomplete(draft.names, quality.min_coverage):
        what, told = f"is incomplete, {thin}", {"incomplete": thin}
        word = "if the market really was so thin: --set quality.min_coverage=0"
    elif quality.repeated_sessions == "drop" and (same := repeated(old, raw.bars)):
        what, told = f"is the session before once more, {same}", {"repeated": same}
        word = "if the market really stood still: --set quality.repeated_sessions=keep"
    if told:
        raise DataError(
            f"{raw.source}: {day} {what}; nothing was stored",
            hint=f"append the whole file of the session; {word}",
            details={**told, "session": day},
        )


def _summary(
    draft: Draft, arrived: Arrived, *, dry_run: bool
) -> tuple[dict[str, object], list[str]]:
    """The answer and its last lines, made before anything is written."""
    raw, dates = arrived.raw, arrived.raw.bars["date"]
    market, exchange = draft.raw.market, exchange_of(draft.raw.market, draft.raw.calendar)
    currency = currency_of(market, draft.raw.currency, draft.raw.calendar)
    notes = [*raw.notes, *sector_notes(draft.raw.securities, set(raw.bars["symbol"]))]
    unread = [to_builtins(unread) for plan in arrived.plans for unread in plan.unread]
    summary = {
        "snapshot": draft.id,
        "source": raw.source,
        "market": market,
        "exchange": exchange,
        "currency": currency,
        "rows": len(raw.bars),
        "symbols": raw.bars["symbol"].n_unique(),
        "first": str(dates.min()),
        "last": str(dates.max()),
        "optional": {name: len(table) for name, table in raw.optional.items()},
        "revision": to_builtins(draft.revision),
        "notes": notes,
        "unread": unread,
        "stored": not dry_run,
        **arrived.more,
    }
    read = (
        f"{summary['rows']:,} rows, {summary['symbols']:,} symbols, "
        f"{summary['first']} to {summary['last']}"
    )
    if draft.base is not None:
        read = f"{len(draft.days):,} sessions, {draft.days[0]} to {draft.days[-1]}; given: {read}"
    lines = [
        f"{'read' if dry_run else f'snapshot {draft.id}'}: {read}",
        f"market {market}, sessions of {exchange}, prices in {currency or 'a currency not named'}",
        *(f"{name}: {len(table):,} rows" for name, table in raw.optional.items()),
        *(f"note: {note}" for note in notes),
        "dry run: nothing was stored; without --dry-run it is"
        if dry_run
        else "next: `atft-tui check`",
    ]
    return summary, lines


def _revised(revision: Revision) -> list[str]:
    told = [f"{revision.equal:,} bars as they were"] if revision.equal else []
    if revision.changed:
        told.append(f"{revision.changed:,} revised ({revision.prices:,} of them in a price)")
    if revision.added:
        told.append(f"{revision.added:,} added to what was known")
    return [f"against the store: {', '.join(told)}"] if told else []
