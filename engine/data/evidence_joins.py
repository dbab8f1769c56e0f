"""Whether tables match the bars they are joined to, and a later file the store, and why not."""

import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Literal

import polars as pl
from msgspec.structs import replace

from engine.data.tables import RawTables
from engine.records.reading import Join, Problem

if TYPE_CHECKING:
    from engine.data.store import Snapshot

_FEW = 0.5
"""Below this share of what could match, a table is another market's or spelled otherwise in part."""
_FORMS: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("upper and lower case", str.upper),
    ("the mark of a share class", lambda s: re.sub(r"[.\-/ _]", "", s.upper())),
    ("the suffix of an exchange", lambda s: s.upper().rsplit(".", 1)[0].split(" ")[0]),
    ("the prefix of an exchange", lambda s: s.upper().rsplit(":", 1)[-1]),
    (
        "a fifth digit of Japanese codes",
        lambda s: re.sub(r"^(\d[0-9A-Z]{3})0?(\.\w+)?$", r"\1", s.upper()),
    ),
    ("leading zeros", lambda s: re.sub(r"\.0$", "", s).lstrip("0")),
)
"""What two spellings of one code commonly differ by; those that differ by it have one form."""
_RECENT = 20
"""Sessions at the end of the store whose codes and closes are looked at."""
_LEVEL = 1.0986
"""Log of 3. The median stock hardly ever triples between a store and its next file; pence, lots and
other currencies are a factor of 10 to 1000."""
_CROWD = 3.0
"""Log of 20: by how much the volume of the median stock is off in other units (lots, thousands); a panic
trades three times the usual."""
_FEWEST = 3
"""Stocks from which a median says something: one or two may have split."""
_ENOUGH = 20
"""Rows of either spelling from which bars that take turns are no accident."""
_SPELLINGS = 4
"""Most spellings of one stock in a table: more codes of one form share the mark of their market, as sh.600000
and sh.600004 do, and to compare each with each would take hours."""
_NEAR_POWER = 0.4


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMarket:
    """What a later file is held against."""

    after: str
    """Newest session of the store."""
    closes: pl.DataFrame
    """``symbol, date, close, volume`` of each stock of the last sessions: newest close, median volume."""
    symbols: pl.Series
    """Codes of all stocks of the store."""


def joins_of(raw: RawTables, stored: pl.Series | None = None) -> tuple[Join, ...]:
    """How every table matches whose key the bars, or the stocks, have too.

    ``stored``: codes of the store that the bars are added to; actions may be of any of them.
    """
    symbols, days = raw.bars["symbol"].unique(), raw.bars["date"].unique()
    found = []
    if not raw.securities.is_empty():
        found.append(_join("securities", "symbol", raw.securities["symbol"], symbols))
    if raw.index is not None:
        found.append(_join("index", "date", raw.index["date"], days))
    if raw.actions is not None and not raw.actions.is_empty():
        known = symbols if stored is None else pl.concat([symbols, stored]).unique()
        new = pl.when(pl.col("kind") == "rename").then("other")
        codes = raw.actions.select("symbol", new=new)
        there = pl.col("new").is_in(known.implode()) & ~pl.col("symbol").is_in(known.implode())
        keys = codes.select(pl.when(there).then("new").otherwise("symbol").alias("symbol"))
        known = pl.concat([known, codes["new"].drop_nulls()])
        found.append(_join("actions", "symbol", keys["symbol"], known))
    sectors = raw.securities["sector"].drop_nulls().unique()
    for name, table in raw.optional.items():
        if table.is_empty():
            continue
        if "symbol" in table.columns:
            found.append(_join(name, "symbol", table["symbol"], symbols))
        elif name == "options":
            found.append(_join(name, "date", table["date"], days))
        elif "sector" in table.columns and len(sectors):
            found.append(_join(name, "sector", table["sector"], sectors))
    return tuple(found)


def join_problems(joins: Iterable[Join], raw: RawTables) -> list[Problem]:
    """Tables that match the bars in part are said, those that do not match at all are refused."""
    problems = []
    for join in joins:
        ours = raw.bars["symbol" if join.key == "symbol" else "date"].n_unique()
        if join.matched >= _FEW * min(join.keys, ours) and join.matched:
            continue
        count = f"{join.matched:,}" if join.matched else "none"
        spelled = f" (there {join.example}, in the prices {join.nearest}"
        spelled += f": they differ by {join.cause})" if join.cause else ")"
        problems.append(
            Problem(
                what=f"{join.table}: {count} of its {join.keys:,} {join.key}s "
                f"{'match' if join.matched else 'matches'} the prices{spelled}",
                mend=f"spell them as the prices do, or map the column: "
                f'--columns "{join.table}.{join.key}=COLUMN"',
                refused=not join.matched,
            )
        )
    return problems


def _join(
    table: str, key: Literal["symbol", "date", "sector"], theirs: pl.Series, ours: pl.Series
) -> Join:
    keys = theirs.drop_nulls().unique().sort()
    hit = keys.is_in(ours.implode())
    join = Join(table=table, key=key, keys=len(keys), matched=int(hit.sum()))
    missing = keys.filter(~hit)
    if missing.is_empty():
        return join
    cause, example, nearest = _spelled(missing.cast(pl.String).to_list(), ours.cast(pl.String))
    return replace(join, example=example, nearest=nearest, cause=cause if key == "symbol" else "")


def _spelled(missing: list[str], ours: pl.Series) -> tuple[str, str, str]:
    """What explains most of the missing keys, one of them, and the key of ours that it stands for."""
    known = ours.sort().to_list()
    best, answer = 0, ("", missing[0], known[0])
    for cause, form in _FORMS:
        by_form = {form(symbol): symbol for symbol in reversed(known)}
        hits = [symbol for symbol in missing if form(symbol) in by_form]
        if len(hits) > best:
            best, answer = len(hits), (cause, hits[0], by_form[form(hits[0])])
    return answer


def spelling_problems(bars: pl.DataFrame) -> list[Problem]:
    """Codes that differ by their spelling alone and never have a bar on the same day: one stock, cut in two.

    Refused where the two take turns; where one begins after the other has ended, a class of shares may have
    followed another, and they are only said.
    """
    pairs: dict[tuple[str, str], str] = {}
    codes = bars["symbol"].unique().sort().to_list()
    for cause, form in _FORMS:
        alike = defaultdict(list)
        for code in codes:
            alike[form(code)].append(code)
        for told, spelt in alike.items():
            if told and len(spelt) <= _SPELLINGS:
                pairs |= {both: cause for both in combinations(spelt, 2) if both not in pairs}
    several = pl.Series([code for both in pairs for code in both], dtype=pl.String).unique()
    of_several = bars.filter(pl.col("symbol").is_in(several.implode()))
    days = {code: set(rows["date"]) for (code,), rows in of_several.group_by("symbol")}
    found: dict[tuple[str, str], tuple[str, bool]] = {}
    for both, cause in pairs.items():
        one_D, other_D = days[both[0]], days[both[1]]
        if one_D.isdisjoint(other_D):
            meet = min(one_D) < max(other_D) and min(other_D) < max(one_D)
            found[both] = cause, meet and min(len(one_D), len(other_D)) >= _ENOUGH
    if not found:
        return []
    turns = [both for both, (_, refused) in found.items() if refused]
    one, other = (turns or list(found))[0]
    cause, refused = found[one, other]
    what = (
        f"{len(turns or found):,} {'pairs' if len(turns or found) > 1 else 'pair'} of symbols "
        f"never {'have' if len(turns or found) > 1 else 'has'} a bar on the same day, e.g. {one} and "
        f"{other}, which differ by {cause}: one stock under two names"
    )
    return [Problem(what=what, mend="spell each stock one way", refused=refused)]


def stored(old: "Snapshot") -> StoredMarket:
    """What the newest sessions of a snapshot say of its codes, prices and volumes."""
    first = old.days[-min(_RECENT, len(old.days))]
    bars = old.table("bars", after=first)
    assert bars is not None
    known = bars.filter(pl.col("close") > 0).sort("date").group_by("symbol", maintain_order=True)
    closes = known.agg(pl.col("date", "close").last(), pl.col("volume").median())
    return StoredMarket(after=old.days[-1], closes=closes, symbols=old.symbols())


def store_problems(
    bars: pl.DataFrame, store: StoredMarket, columns: Mapping[str, str]
) -> list[Problem]:
    """A file none, or few, of whose codes the store has, or whose prices or volumes are on another level."""
    problems = _codes(bars["symbol"].unique().sort(), store.symbols)
    if any(problem.refused for problem in problems):
        return problems
    new = bars.filter((pl.col("date") > pl.lit(store.after).str.to_date()) & (pl.col("close") > 0))
    first = new.sort("date").group_by("symbol", maintain_order=True).first()
    both = first.join(store.closes, on="symbol", suffix="_before").sort("symbol")
    split = pl.col("adjustment_factor").fill_null(1.0)
    both = both.with_columns(
        price=(pl.col("close") / pl.col("close_before") / split).log(),
        shares=(pl.col("volume") / pl.col("volume_before") * split).log(),
    )
    return [
        *problems,
        *_off(both, "price", _LEVEL, ("open", "high", "low", "close"), columns),
        *_off(both, "shares", _CROWD, ("volume",), columns),
    ]


def _codes(codes: pl.Series, known: pl.Series) -> list[Problem]:
    """Few of the file's codes in the store are said, none is refused; both with two spellings."""
    there = codes.is_in(known.implode())
    matched = int(there.sum())
    if matched >= _FEW * len(codes):
        return []
    cause, theirs, ours = _spelled(codes.filter(~there).to_list(), known)
    by = f": they differ by {cause}" if cause else ""
    count = f"only {matched:,}" if matched else "none"
    return [
        Problem(
            what=f"{count} of the {len(codes):,} symbols of the file {'is' if matched < 2 else 'are'} in the "
            f"store (here {theirs}, in the store {ours}{by})",
            mend="spell them as the store does; stocks that are really new come in one file or folder "
            "with known ones",
            refused=not matched,
        )
    ]


def _off(
    both: pl.DataFrame, log: str, limit: float, names: tuple[str, ...], columns: Mapping[str, str]
) -> list[Problem]:
    """Whether the median stock is off by more than a limit; ``names``: what a factor would mend."""
    both = both.filter(pl.col(log).is_finite())
    if len(both) < _FEWEST:
        return []
    off = float(both[log].median())  # type: ignore[arg-type]
    if abs(off) < limit:
        return []
    example = both.sort((pl.col(log) - off).abs(), maintain_order=True).row(0, named=True)
    power, ours = round(off / math.log(10.0)), names[-1]
    times = math.exp(off)
    mend = "append a file of the same market, currency and units"
    if power and (len(names) == 1 or abs(off - power * math.log(10.0)) < _NEAR_POWER):
        pairs = ",".join(f"{name}={columns.get(name, name)}*{10.0**-power:g}" for name in names)
        mend += f', or --columns "{pairs}"'
    what, end = ("prices", "ends with") if len(names) > 1 else ("volumes", "has")
    return [
        Problem(
            what=f"{what} are about {times:.3g} times those that the store {end} ({example['symbol']}: "
            f"{example[f'{ours}_before']:.10g} by {example['date_before']}, {example[ours]:.10g} on "
            f"{example['date']}): another scale, currency or market",
            mend=mend,
        )
    ]
