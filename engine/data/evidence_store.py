"""Whether a later file is of the market that the store holds: its codes, and the level of its prices."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from engine.data.evidence_joins import spelled
from engine.records.evidence import Problem

if TYPE_CHECKING:
    from engine.data.store import Snapshot

RECENT = 20
"""Sessions at the end of the store whose codes and closes are looked at."""
LEVEL = 1.0986
"""Log of 3. The median stock hardly ever triples between a store and its next file; pence, lots and
other currencies are a factor of 10 to 1000."""
FEWEST = 3
"""Stocks from which a median says something: one or two may have split."""
NEAR_POWER = 0.4


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What a later file is held against."""

    after: str
    """Newest session of the store."""
    closes: pl.DataFrame
    """``symbol, date, close``: the newest close of each stock of the last sessions."""
    symbols: pl.Series
    """Codes of all stocks of the store."""


def stored(old: "Snapshot") -> Stored:
    first = old.days[-min(RECENT, len(old.days))]
    bars = old.table("bars", after=first)
    assert bars is not None
    known = bars.filter(pl.col("close") > 0).sort("date").select("symbol", "date", "close")
    closes = known.group_by("symbol", maintain_order=True).last()
    return Stored(after=old.days[-1], closes=closes, symbols=old.symbols())


def store_problems(bars: pl.DataFrame, store: Stored, columns: Mapping[str, str]) -> list[Problem]:
    """A file none of whose codes the store has, or whose prices are on another level."""
    codes = bars["symbol"].unique().sort()
    if not codes.is_in(store.symbols.implode()).any():
        cause, theirs, ours = spelled(codes.to_list(), store.symbols)
        by = f": they differ by {cause}" if cause else ""
        return [
            Problem(
                what=f"none of the {len(codes):,} symbols of the file is in the store (here {theirs}, "
                f"in the store {ours}{by})",
                mend="spell them as the store does; stocks that are really new come in one file or folder "
                "with known ones",
            )
        ]
    new = bars.filter((pl.col("date") > pl.lit(store.after).str.to_date()) & (pl.col("close") > 0))
    first = new.sort("date").group_by("symbol", maintain_order=True).first()
    both = first.join(store.closes, on="symbol", suffix="_before").sort("symbol")
    split = pl.col("adjustment_factor").fill_null(1.0)
    both = both.with_columns(
        off=(pl.col("close") / pl.col("close_before") / split).log(),
    ).filter(pl.col("off").is_finite())
    if len(both) < FEWEST:
        return []
    off = float(both["off"].median())  # type: ignore[arg-type]
    if abs(off) < LEVEL:
        return []
    example = both.sort((pl.col("off") - off).abs(), maintain_order=True).row(0, named=True)
    power = round(off / 2.302585)
    times = pl.select(pl.lit(off).exp()).item()
    mend = "append a file of the same market, currency and scale"
    if power and abs(off - power * 2.302585) < NEAR_POWER:
        names = (columns.get(name, name) for name in ("open", "high", "low", "close"))
        pairs = zip(("open", "high", "low", "close"), names, strict=True)
        mend += f', or --columns "{",".join(f"{o}={t}*{10.0**-power:g}" for o, t in pairs)}"'
    return [
        Problem(
            what=f"prices are about {times:.3g} times those that the store ends with "
            f"({example['symbol']}: {example['close_before']:g} on {example['date_before']}, "
            f"{example['close']:g} on {example['date']}): another scale, currency or market",
            mend=mend,
        )
    ]
