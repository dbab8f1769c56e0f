"""What the Data screen shows: immutable values, read off the main thread."""

from dataclasses import dataclass
from typing import Literal

from atft_tui.readings.reading import Read

MARKET = "*"
"""Stands for the code in findings about a whole session."""
Mark = Literal["", "missing", "excluded", "thin", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotRow:
    id: str
    current: bool
    made: str
    """UTC, ISO 8601: when its manifest was finished."""
    source: str
    market: str
    sessions: int
    first: str
    last: str
    rows: int | None
    """Bars; None where an older version did not count them."""
    size: int
    """Bytes of all files, those shared with other snapshots included."""
    change: str
    """Against the snapshot made before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One place where a rule hit."""

    rule: str
    level: str
    symbol: str
    date: str
    text: str
    """The offending values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingRow:
    rule: str
    level: str
    count: int
    action: str
    """What was done about it."""
    description: str
    examples: tuple[Example, ...]
    """The first of them; ``count`` says how many there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    snapshot: str
    verdict: str
    findings: tuple[FindingRow, ...]
    notes: tuple[str, ...]
    rows_in: int
    rows_out: int
    symbols: int
    incomplete: str
    """E.g. "data incomplete 2,812/3,950"; empty when the last session is complete."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """Stocks with a kept bar per session, missing sessions among them, in order of time."""

    dates: tuple[str, ...] = ()
    names: tuple[int, ...] = ()
    members: tuple[int | None, ...] = ()
    """Stocks in the universe; None where no universe was built."""
    marks: tuple[Mark, ...] = ()
    unlisted: int = 0
    """Sessions without a bar that the file counts but does not list."""

    def count(self, mark: Mark) -> int:
        return self.marks.count(mark)


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    verdict: str
    passed: bool
    snapshot: str
    when: str
    checks: int
    leaks: int
    deep: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StockRow:
    symbol: str
    name: str
    sector: str
    first: str
    last: str
    """Empty without a bar."""
    rows: int
    kept: int
    turnover: float | None
    """Median of the last 20 sessions, in currency."""
    member: bool | None
    """In the universe at the last session; None while there is no universe."""
    findings: int
    """Listed examples; the files do not keep all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureRow:
    name: str
    family: str
    formula: str
    unit: str
    lookback: int
    scope: str
    source: str
    published: str
    core: bool
    off: str
    """Why it is not computed; empty if it is."""
    coverage: float | None = None
    """Share of the universe's stock-days with a value."""
    rank_ic: float | None = None
    rank_ic_se: float | None = None
    n_dates: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureSource:
    """Where the figures of the features come from."""

    fingerprint: str = ""
    columns: int = 0
    sessions: int = 0
    fits: bool = False
    """Built from the current snapshot."""
    run: str = ""
    """The run that measured the RankIC."""
    horizon: int = 0
    first: str = ""
    last: str = ""
    stride: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphSeriesRow:
    """Graphs of one set of rules; one value per rebuild date in each series."""

    fingerprint: str
    fits: bool
    kind: str
    rules: str
    dates: tuple[str, ...]
    series: tuple[tuple[str, tuple[float, ...]], ...]
    """Name of a statistic and its values; NaN where undefined. Empty where they were not recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataReading:
    trouble: tuple[str, ...] = ()
    """What could not be read; everything else is shown."""
    snapshots: tuple[SnapshotRow, ...] = ()
    """Newest first."""
    n_snapshots: int = 0
    quality: Quality | None = None
    audit: Audit | None = None
    audit_hours: int | None = None
    coverage: Coverage = Coverage()
    stocks: tuple[StockRow, ...] = ()
    stocks_snapshot: str = ""
    features: tuple[FeatureRow, ...] = ()
    feature_source: FeatureSource = FeatureSource()
    graph: GraphSeriesRow | None = None
    read: Read | None = None
    """How the files of the current snapshot were read; None without one."""
    panel: str = ""
    """Directory of the cleaned bars of the current snapshot."""

    @property
    def current(self) -> SnapshotRow | None:
        return next((row for row in self.snapshots if row.current), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class StockBars:
    """One code's closes, in order of time."""

    symbol: str
    dates: tuple[str, ...]
    close: tuple[float, ...]
    """NaN where missing."""
    cleaned: bool
    """After the quality gates, adjusted for splits; else as it came."""
    events: tuple[tuple[int, str], ...] = ()
    """Position among the dates, and what happened to the shares: split, break, dividend, action, proceeds."""
