"""What the store would hold: a draft of the next snapshot, made whole before anything is written.

Appending rewrites the months from the first session on that is another one now; those before are taken
over. So a store that grew, with sessions given twice and corrected, holds the bytes of one filled at once.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from engine.data import months
from engine.data.merge import Place, laid_over
from engine.data.sessions import MIN_NAMES, SAME, usual_names
from engine.data.tables import TABLES, RawTables
from engine.errors import DataError
from engine.files import digest
from engine.records.snapshot import Revision

if TYPE_CHECKING:
    from engine.data.store import Snapshot

LABELS = ("calendar", "currency")
"""Fields of the manifest that are there when they were named at ingest."""
_BAR = ["date", "symbol", "open", "high", "low", "close", "volume"]
_AHEAD = "ahead"
"""Field of the manifest that is there when something is dated after the last session."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A snapshot that is not written yet."""

    raw: RawTables
    """Labels, notes and all securities; the other tables as the source gave them."""
    days: tuple[str, ...]
    names: tuple[int, ...]
    """Stocks with a close on each of ``days``."""
    chain: tuple[str, ...]
    ahead: str
    """Digest of rows that are dated after the last session; empty if there are none."""
    tables: tuple[str, ...]
    files: Iterable[tuple[str, pl.DataFrame]]
    """Name and rows of those that are written; a generator, so that only one is in memory twice."""
    base: "Snapshot | None" = None
    """Where the other files come from."""
    revision: Revision = field(default_factory=Revision)

    @property
    def id(self) -> str:
        """The snapshot's name, which follows from its content."""
        return snapshot_id(self.fields(), self.raw.securities)

    def fields(self) -> dict[str, object]:
        """What the manifest says of the tables."""
        labels = {name: value for name in LABELS if (value := getattr(self.raw, name))}
        labels |= {_AHEAD: self.ahead} if self.ahead else {}
        return labels | {
            "market": self.raw.market,
            "source": self.raw.source,
            "notes": list(self.raw.notes),
            "tables": list(self.tables),
            "days": list(self.days),
            "names": list(self.names),
            "chain": list(self.chain),
        }


def snapshot_id(fields: Mapping[str, Any], securities: pl.DataFrame) -> str:
    """Digest of everything that decides a value."""
    rows = digest([list(row) for row in securities.iter_rows()])
    labels = [f"{name}={fields[name]}" for name in (*LABELS, _AHEAD) if name in fields]
    named = (fields["market"], fields["source"], fields["chain"][-1], fields["tables"], rows)
    return digest([*named, *labels])


def names_by_day(bars: pl.DataFrame) -> dict[str, int]:
    """Stocks with a close on each session of the bars, in order of time."""
    count = bars.group_by("date").agg((pl.col("close") > 0).sum().alias("names")).sort("date")
    return {str(day): int(n) for day, n in count.iter_rows()}


def incomplete(names: Sequence[int], min_coverage: float) -> str:
    """E.g. "3 of 12 names" where the newest session has too few; empty when it is complete."""
    usual = usual_names(names[:-1])
    return f"{names[-1]:,} of {usual:,} names" if names[-1] < min_coverage * usual else ""


def repeated(old: "Snapshot", more: pl.DataFrame) -> str:
    """E.g. "97 of 98 bars as on 2016-12-29" where the newest session of the later file, if ``old`` does not
    have it, is the one before it under another date; else empty.

    The rule of `sessions.look`: prices and volume of nearly all rows, and some of them with volume, since the
    bars of stocks that do not trade are alike from day to day.
    """
    newest = str(more["date"].max())
    if newest <= old.days[-1]:
        return ""
    day = pl.col("date").cast(pl.String)
    before = old.table("bars", after=old.days[-1])
    assert before is not None
    known = pl.concat([before.select(_BAR), more.filter(day < newest).select(_BAR)])
    known = known.unique(["date", "symbol"], keep="last", maintain_order=True)
    last = str(known["date"].max())
    rows = more.filter(day == newest).select(_BAR[1:])
    same = rows.join(known.filter(day == last), on=_BAR[1:], nulls_equal=True)
    alive = int((same["volume"] > 0).sum())
    if alive < MIN_NAMES or len(same) < SAME * len(rows):
        return ""
    return f"{len(same):,} of {len(rows):,} bars as on {last}"


def whole(raw: RawTables) -> Draft:
    """The draft of a snapshot of whole tables."""
    raw = replace(raw, securities=merged_securities(raw.securities, None))
    tables = raw.tables()
    names = names_by_day(raw.bars)
    chain = months.extend_chain("", tables, np.array(list(names), dtype="datetime64[D]"), "")
    files = (file for name, table in tables.items() for file in months.month_files(name, table))
    return Draft(
        raw=raw,
        days=tuple(names),
        names=tuple(names.values()),
        chain=tuple(chain),
        ahead=months.ahead(tables, [*names][-1]),
        tables=tuple(sorted(tables)),
        files=files,
    )


def appended(old: "Snapshot", more: RawTables, place: Place | None = None) -> Draft:
    """The draft of a snapshot of ``old`` and the later file ``more``.

    Bars that ``old`` has are compared: equal ones are skipped, changed ones replaced and counted; files
    that contradict it are a DataError that says where (``place``) the bar was read. Securities of ``more``
    replace and extend the known ones; other tables add what became known since.
    """
    _check(old, more)
    actions = _new_actions(old, more)
    begin = min([*more.bars["date"].unique(), *actions["date"]])
    past = old.table("bars", after=str(begin))
    assert past is not None
    bars, revision = laid_over(past, more.bars, place or (lambda day, symbol: more.source))
    since = _last_same(old, revision.first, actions)
    tables = _touched(old, more, bars, actions, since)
    names = names_by_day(bars.filter(pl.col("date") > _day(since)))
    kept = old.days.index(since) + 1 if since else 0
    before = old.chain[kept - 1] if kept else ""
    days = np.array(list(names), dtype="datetime64[D]")
    securities = merged_securities(more.securities, old.table("securities"))
    files = [f for name, table in tables.items() for f in months.month_files(name, table)]
    return Draft(
        raw=replace(
            more,
            market=old.manifest.market,
            source=old.manifest.source,
            notes=old.manifest.notes,
            calendar=old.calendar,
            currency=old.manifest.currency,
            securities=securities,
        ),
        days=(*old.days[:kept], *names),
        names=(*old.names[:kept], *names.values()),
        chain=(*old.chain[:kept], *months.extend_chain(before, tables, days, since)),
        ahead=months.ahead(tables, [*old.days[:kept], *names][-1]),
        tables=tuple(sorted({*old.manifest.tables, *tables})),
        files=[*files, ("securities.parquet", securities)],
        base=old,
        revision=revision,
    )


def merged_securities(securities: pl.DataFrame, known: pl.DataFrame | None) -> pl.DataFrame:
    """One row per symbol, sorted; of several the first, those of ``known`` last."""
    rows = securities if known is None else pl.concat([securities, known])
    return rows.unique("symbol", keep="first", maintain_order=True).sort("symbol")


def _check(old: "Snapshot", more: RawTables) -> None:
    """What a later file cannot bring: a beginning before the stored one, a table without its history."""
    first = str(more.bars["date"].min())
    if first < old.days[0]:
        raise DataError(
            f"{more.source}: has bars of {first}, but the store begins with {old.days[0]}",
            hint="ingest the whole history again, or remove the earlier rows",
        )
    news = sorted(set(more.tables()) - set(old.manifest.tables) - {"actions"})
    if news:
        raise DataError(
            f"{more.source}: the store has no table {', '.join(news)}",
            hint="a new table needs its history: ingest all of it again",
        )


_EVENT = ["date", "symbol", "kind"]


def _new_actions(old: "Snapshot", more: RawTables) -> pl.DataFrame:
    """Corporate actions of ``more`` on events that the store knows otherwise or not, of whatever date.

    They are known late. What ``more`` says of an event takes the place of what the store said of it.
    """
    schema = TABLES["actions"]
    given = pl.DataFrame(schema=schema) if more.actions is None else more.actions
    known = old.table("actions")
    if known is None:
        return given
    changed = given.join(known, on=list(schema), how="anti", nulls_equal=True)
    return given.join(changed, on=_EVENT, how="semi")


def _last_same(old: "Snapshot", first: str, actions: pl.DataFrame) -> str:
    """The last session of the store up to which nothing is new; empty if there is none."""
    changed = [first] if first else []
    changed += [str(day) for day in actions["date"]]
    return max((day for day in old.days if all(day < other for other in changed)), default="")


def _touched(
    old: "Snapshot", more: RawTables, bars: pl.DataFrame, actions: pl.DataFrame, since: str
) -> dict[str, pl.DataFrame]:
    """Each table from the month of the session ``since`` on, with what the new file adds after it."""
    start = _day(since)
    month = start.replace(day=1)
    touched = {"bars": bars.filter(pl.col("date") >= month)}
    given = more.tables() | {"actions": actions}
    for name in [*old.manifest.tables, *(["actions"] if len(actions) else [])]:
        if name in ("securities", "bars") or name in touched:
            continue
        past = old.table(name, after=since or "0000")
        new = given.get(name)
        if past is None or new is None:
            touched[name] = new if past is None and new is not None else past  # type: ignore[assignment]
            continue
        if name == "actions":
            touched[name] = pl.concat([past.join(new, on=_EVENT, how="anti"), new])
            continue
        same = ["date"] if name == "index" else new.columns
        news = new.filter(pl.col(months.key_of(name)) > start)
        news = news.join(past, on=same, how="anti", nulls_equal=True)
        touched[name] = pl.concat([past, news])
    return touched


def _day(iso: str) -> dt.date:
    return dt.date.fromisoformat(iso) if iso else dt.date.min
