"""What the tables of a source say about themselves, before anything of them is stored."""

from typing import Literal

from msgspec import Struct


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
    no_close: float = 0.0
    """Share of rows whose close is missing or <= 0."""
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
            _figure(self.value_ratio, "traded value {:.3g} x close x volume"),
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
