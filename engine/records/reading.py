"""How the tables of a source were read: the plan that is shown, stored and overridden."""

from typing import Literal

from msgspec import Struct

DecidedBy = Literal["option", "name", "values", "calendar", "default"]
"""Who chose: an option or config key of the user, a column's name, the values, the exchange calendar."""
Layout = Literal["long", "file_per_symbol", "file_per_day", "wide", "stacked"]
"""One row a bar; one file a ticker; one file a session; one column a ticker; several header lines."""
PriceScale = Literal["raw", "raw_and_factor", "raw_and_adjusted_close", "adjusted"]
"""All prices of a row as quoted; as quoted beside a factor; as quoted beside an adjusted close, whose ratio
gives the factor; all adjusted by the vendor."""


class Column(Struct, frozen=True, kw_only=True):
    """One of our columns and where it comes from."""

    ours: str
    theirs: str
    """As the file spells it; ``(file name)`` where a symbol or a date comes from there."""
    times: float = 1.0
    """Factor that the file's numbers are multiplied by."""
    decided_by: DecidedBy = "name"


class Dates(Struct, frozen=True, kw_only=True):
    """How the date column was read."""

    format: str
    """E.g. ``YYYY-MM-DD``, ``MM/DD/YYYY``, ``epoch ms``, ``date`` for a column that is typed already."""
    zone: str = ""
    """IANA name of the zone whose local day was taken; empty for plain dates."""
    decided_by: DecidedBy = "values"
    why: str = ""
    """A short reason where the format was not the only one that fits."""


class Factor(Struct, frozen=True, kw_only=True):
    """How corporate actions were taken from the file."""

    column: str
    convention: str
    """E.g. ``earlier prices times factor``, ``new shares per old share``, ``adjusted close / close``."""
    events: int = 0
    """Bars with a factor other than 1."""
    dividends: int = 0
    """Bars with a dividend."""
    jump_before: float = 0.0
    """Median absolute log move of the quoted close over these bars; unitless."""
    jump_after: float = 0.0
    """The same once the factor was applied; smaller, or the reading is refused."""
    decided_by: DecidedBy = "values"


class Unread(Struct, frozen=True, kw_only=True):
    """A file that was passed over."""

    file: str
    reason: str


class ReadingPlan(Struct, frozen=True, kw_only=True):
    """How one table was read, as decided before a row was believed."""

    table: str
    """bars, securities, index, or the name of an optional table."""
    path: str
    """What the user named: a file or a folder."""
    files: int
    """Files that were read."""
    layout: Layout = "long"
    encoding: str = ""
    """Empty for Parquet, Feather and Excel."""
    separator: str = ""
    header_lines: int = 1
    decimal: str = "."
    thousands: str = ""
    columns: tuple[Column, ...] = ()
    left: tuple[str, ...] = ()
    """Columns of the file that were not taken."""
    dates: Dates | None = None
    price_scale: PriceScale | None = None
    """Of bars only."""
    factor: Factor | None = None
    first: str = ""
    """The first row as read, for the eye: ``2015-01-12 AAPL o 112.6 h 112.63 l 108.8 c 109.25 v 4965``."""
    unread: tuple[Unread, ...] = ()
    notes: tuple[str, ...] = ()
    """Whole sentences on what a reader should know, e.g. that the symbol is the file's name."""
