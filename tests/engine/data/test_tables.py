"""What is said of sectors that are missing."""

import polars as pl

from engine.data.tables import SECURITY_SCHEMA, has_sectors, sector_notes


def securities(**sectors: str | None) -> pl.DataFrame:
    return pl.DataFrame(
        {"symbol": list(sectors), "sector": list(sectors.values())},
        schema={"symbol": pl.String, "sector": pl.String},
    )


def test_all_known_needs_no_word() -> None:
    assert sector_notes(securities(A="tech", B="food"), ["A", "B"]) == ()


def test_none_known_names_what_is_off_and_the_way_out() -> None:
    """A table of names without sectors, an empty table, and empty cells are the same."""
    for table in (
        pl.DataFrame(schema=SECURITY_SCHEMA),
        securities(A=None, B=""),
        securities(C="x"),
    ):
        [note] = sector_notes(table, ["A", "B"])
        assert note.startswith("no stock has a sector")
        for word in ("features are off", "refused", "--securities FILE"):
            assert word in note
    assert not has_sectors(securities(A=None, B=""))


def test_partly_known_is_told_with_the_share() -> None:
    """Of A, B, C, D with bars only A is known; E is not traded."""
    [note] = sector_notes(securities(A="tech", B=None, E="food"), ["A", "B", "C", "D"])
    assert note.startswith("sectors are known for 1 of 4 stocks (25%)")
