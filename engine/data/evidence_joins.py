"""Whether the tables that are joined to the bars match them, and why not."""

import re
from collections.abc import Callable, Iterable

import polars as pl

from engine.data.tables import RawTables
from engine.records.evidence import Join, Problem

FEW = 0.5
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


def joins_of(raw: RawTables, stored: pl.Series | None = None) -> tuple[Join, ...]:
    """Of every table with a key that the bars, or the stocks, have too.

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
    problems = []
    for join in joins:
        ours = raw.bars["symbol" if join.key == "symbol" else "date"].n_unique()
        if join.matched >= FEW * min(join.keys, ours) and join.matched:
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


def _join(table: str, key: str, theirs: pl.Series, ours: pl.Series) -> Join:
    keys = theirs.drop_nulls().unique().sort()
    hit = keys.is_in(ours.implode())
    join = Join(table=table, key=key, keys=len(keys), matched=int(hit.sum()))  # type: ignore[arg-type]
    missing = keys.filter(~hit)
    if missing.is_empty():
        return join
    cause, example, nearest = spelled(missing.cast(pl.String).to_list(), ours.cast(pl.String))
    return Join(
        table=join.table,
        key=join.key,
        keys=join.keys,
        matched=join.matched,
        example=example,
        nearest=nearest,
        cause=cause if key == "symbol" else "",
    )


def spelled(missing: list[str], ours: pl.Series) -> tuple[str, str, str]:
    """What explains most of the missing keys, one of them, and the key of ours that it stands for."""
    known = ours.sort().to_list()
    best, answer = 0, ("", missing[0], known[0])
    for cause, form in _FORMS:
        by_form = {form(symbol): symbol for symbol in reversed(known)}
        hits = [symbol for symbol in missing if form(symbol) in by_form]
        if len(hits) > best:
            best, answer = len(hits), (cause, hits[0], by_form[form(hits[0])])
    return answer
