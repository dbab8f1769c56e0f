"""Whether a later file is of the market that the store holds: its codes, its level of prices and volumes."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from engine.data.evidence_joins import FEW, spelled
from engine.records.evidence import Problem

if TYPE_CHECKING:
    from engine.data.store import Snapshot

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
_NEAR_POWER = 0.4


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What a later file is held against."""

    after: str
    """Newest session of the store."""
    closes: pl.DataFrame
    """``symbol, date, close, volume`` of each stock of the last sessions: newest close, median volume."""
    symbols: pl.Series
    """Codes of all stocks of the store."""


def stored(old: "Snapshot") -> Stored:
    first = old.days[-min(_RECENT, len(old.days))]
    bars = old.table("bars", after=first)
    assert bars is not None
    known = bars.filter(pl.col("close") > 0).sort("date").group_by("symbol", maintain_order=True)
    closes = known.agg(pl.col("date", "close").last(), pl.col("volume").median())
    return Stored(after=old.days[-1], closes=closes, symbols=old.symbols())


def store_problems(bars: pl.DataFrame, store: Stored, columns: Mapping[str, str]) -> list[Problem]:
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
    if matched >= FEW * len(codes):
        return []
    cause, theirs, ours = spelled(codes.filter(~there).to_list(), known)
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
