"""What is known of the stocks' sectors, and what is off or refused where nothing is."""

from collections.abc import Collection

import polars as pl

SECTORS = "sectors"
"""Name under which a securities table with at least one sector counts as a table of its own."""
WAY_OUT = (
    "ingest a table with the columns symbol and sector: `atft-tui ingest ... --securities FILE`"
)


def with_sector(securities: pl.DataFrame) -> pl.DataFrame:
    """Rows whose sector is known: neither null nor empty."""
    return securities.filter(pl.col("sector").fill_null("") != "")


def has_sectors(securities: pl.DataFrame) -> bool:
    """Whether the sector of at least one stock is known."""
    return not with_sector(securities).is_empty()


def sector_notes(securities: pl.DataFrame, symbols: Collection[str]) -> tuple[str, ...]:
    """One sentence where sectors of ``symbols`` (those with bars) are missing; none where all are known."""
    known = len(set(with_sector(securities)["symbol"]) & set(symbols))
    if known == len(symbols):
        return ()
    if known:
        return (
            f"sectors are known for {known:,} of {len(symbols):,} stocks ({known / len(symbols):.0%}); the "
            "others have no sector features and count as one sector of their own",
        )
    return (
        "no stock has a sector: sector features are off, and what needs sectors is refused "
        "(`--securities FILE` with symbol and sector; docs/markets.md)",
    )
