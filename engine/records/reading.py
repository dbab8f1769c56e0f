"""How the tables of a source were read: the plan that is shown, stored and overridden, and what the tables
say of themselves.
"""

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from engine.plain_text import clean

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
    """The column as the file spells it; ``(file name)`` where a symbol or a date comes from there."""
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
    """E.g. ``earlier prices times factor``, ``an adjusted close, taken as a ratio to the close``."""
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
    """The file, or of several files the folder that the user named."""
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
    """What the prices of a row are; for bars only."""
    factor: Factor | None = None
    first: str = ""
    """The first row as read, for the eye: ``2015-01-12 AAPL o 112.6 h 112.63 l 108.8 c 109.25 v 4965``."""
    unread: tuple[Unread, ...] = ()
    notes: tuple[str, ...] = ()
    """Whole sentences on what a reader should know, e.g. that the symbol is the file's name."""


_LAYOUTS: dict[Layout, str] = {
    "long": "a row a bar",
    "file_per_symbol": "a file a code",
    "file_per_day": "a file a session",
    "wide": "a column a code",
    "stacked": "field and code in lines above each other",
}
_SCALES: dict[PriceScale, str] = {
    "raw": "as quoted",
    "raw_and_factor": "as quoted, beside a factor",
    "raw_and_adjusted_close": "as quoted",
    "adjusted": "adjusted by the vendor throughout",
}
_MANY = 8
"""Names or files in a line before the rest is counted."""


def plan_lines(plan: ReadingPlan) -> list[str]:
    """The plan in a few lines without control characters, for the command line and the screen."""
    taken = [_column(column) for column in plan.columns]
    layout = f", {_LAYOUTS[plan.layout]}" if plan.price_scale is not None else ""
    lines = [
        f"{plan.table}: {_files(plan)}{layout}{_writing(plan)}",
        f"  columns: {', '.join(taken)}",
    ]
    if plan.left:
        lines.append(f"  left: {_some(plan.left)}")
    if plan.dates is not None:
        zone = f", day in {plan.dates.zone}" if plan.dates.zone else ""
        why = f", {plan.dates.why}" if plan.dates.why else ""
        lines.append(f"  dates: {plan.dates.format}{zone} (by {plan.dates.decided_by}{why})")
    if plan.price_scale is not None:
        factor = f"; {_factor(plan.factor)}" if plan.factor is not None else ""
        lines.append(f"  prices: {_SCALES[plan.price_scale]}{factor}")
    if plan.first:
        lines.append(f"  first row: {plan.first}")
    if plan.unread:
        shown = _some([f"{one.file} ({one.reason})" for one in plan.unread])
        lines.append(
            f"  NOT READ, {len(plan.unread)} file{'s' if len(plan.unread) > 1 else ''}: {shown}"
        )
    lines += [f"  note: {note}" for note in plan.notes]
    return [clean(line) for line in lines]


def _column(column: Column) -> str:
    times = f" x {column.times:g}" if column.times != 1 else ""
    said = " (option)" if column.decided_by == "option" else ""
    return f"{column.ours} <- {column.theirs or '(no name)'}{times}{said}"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MANY} more" if len(names) > _MANY else ""
    return ", ".join(name or "(no name)" for name in names[:_MANY]) + more


def _files(plan: ReadingPlan) -> str:
    return plan.path if plan.files == 1 else f"{plan.files:,} files of {plan.path}"


def _writing(plan: ReadingPlan) -> str:
    if not plan.encoding:
        return ""
    separator = {"\t": "tab"}.get(plan.separator, plan.separator)
    thousands = f", thousands `{plan.thousands}`" if plan.thousands else ""
    return f", {plan.encoding}, separator `{separator}`, decimal `{plan.decimal}`{thousands}"


def _factor(factor: Factor) -> str:
    return (
        f"{factor.column} is {factor.convention} (by {factor.decided_by}): {factor.events:,} "
        f"adjustments, {factor.dividends:,} dividends"
    )


class Join(Struct, frozen=True, kw_only=True):
    """How a table that is joined to the bars matches them."""

    table: str
    key: Literal["symbol", "date", "sector"]
    keys: int
    """Different keys of the table."""
    matched: int
    """Those of them that the bars have."""
    example: str = ""
    """A key without a match, as the table spells it."""
    nearest: str = ""
    """A key of the bars that it may stand for."""
    cause: str = ""
    """What the two spellings differ by, where one rule explains it."""


class Problem(Struct, frozen=True, kw_only=True):
    """A sign of a misreading."""

    what: str
    """One sentence with its figures and the likely cause."""
    mend: str = ""
    """What to do about it: the option that helps."""
    refused: bool = True
    """False: said, and stored all the same."""


class Evidence(Struct, frozen=True, kw_only=True):
    """Shares are fractions of 1; None = nothing to measure it by."""

    rows: int
    symbols: int
    first: str
    last: str
    """ISO dates of the first and the last session."""
    on_sessions: float | None = None
    """Share of the rows on sessions of the exchange; days that its calendar does not reach are left out."""
    shifted: int = 0
    """Days by which all dates would have to move to be sessions; 0 = no such shift."""
    swapped: bool = False
    """Whether day and month in each other's place would make them sessions."""
    outside_range: float | None = None
    """Share of rows with an open or close outside low..high."""
    value_ratio: float | None = None
    """Median of traded value / (close x volume)."""
    value_spread: float | None = None
    """Median absolute deviation of the log of it."""
    stocks_off: int = 0
    """Stocks whose traded value is a power of ten off throughout."""
    overnight_mean: float | None = None
    """Mean log return from close to open, a day; beyond +-30 % nothing is counted."""
    overnight_spread: float | None = None
    intraday_mean: float | None = None
    """The same from open to close."""
    intraday_spread: float | None = None
    zero_rows: int = 0
    """Rows without any price: 0 or missing throughout."""
    negative: float = 0.0
    """Share of rows with a price below 0."""
    no_close: float = 0.0
    """Share of rows whose close is missing or <= 0."""
    no_volume: float = 0.0
    """Share of rows whose volume is missing or <= 0."""
    duplicates: int = 0
    """Rows that were given again and gave way."""
    joins: tuple[Join, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def refused(self) -> tuple[Problem, ...]:
        """Problems for which nothing is stored."""
        return tuple(problem for problem in self.problems if problem.refused)

    @property
    def verdict(self) -> Literal["ok", "warned", "refused"]:
        """What becomes of the tables: refused if any problem is, else warned if there is one."""
        if self.refused:
            return "refused"
        return "warned" if self.problems else "ok"

    def lines(self) -> list[str]:
        """For the eye: figures, then what is wrong."""
        figures = [
            _figure(self.on_sessions, "{:.1%} of rows on sessions"),
            _figure(self.outside_range, "{:.2%} of rows with open or close outside low..high"),
            _figure(self.overnight_mean, "overnight {:+z.2%} a day"),
            _figure(self.intraday_mean, "intraday {:+z.2%}"),
            "no traded value of its own to tell by whether volumes are shares or lots"
            if self.value_ratio is None
            else f"traded value {self.value_ratio:.3g} x close x volume",
            f"{self.zero_rows:,} rows without a price" if self.zero_rows else "",
            f"{self.duplicates:,} rows given again, left out" if self.duplicates else "",
        ]
        out = [f"evidence: {self.verdict}; " + ", ".join(f for f in figures if f)]
        out += [
            f"{join.table}: {join.matched:,} of {join.keys:,} {join.key}s match"
            + (f" (not {join.example})" if join.example else "")
            for join in self.joins
        ]
        for problem in self.problems:
            word = "refused" if problem.refused else "warning"
            out.append(f"{word}: {problem.what}" + (f"; {problem.mend}" if problem.mend else ""))
        return out


def _figure(value: float | None, text: str) -> str:
    return "" if value is None else text.format(value)
