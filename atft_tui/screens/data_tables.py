"""Columns of the Data screen's tables, and the lines beside them."""

from collections.abc import Callable
from typing import TypeVar

from rich.text import Text

from atft_tui import format as fmt
from atft_tui.glyphs import GLYPHS
from atft_tui.readings.data import SnapshotRow, StockRow
from atft_tui.styles import BAD, DIM, GOOD, PLAIN, STRONG, WARN
from atft_tui.widgets.column import TableColumn
from engine.records.features import FeatureRow, FeatureSource
from engine.records.figure import SURE, Figure
from engine.records.quality import MARKET, DataFinding, Hit

_R = TypeVar("_R")
_LEVELS = {"error": BAD, "warning": WARN, "info": DIM}


def _level_text(level: str) -> Text:
    return Text(fmt.clean(level), style=_LEVELS.get(level, PLAIN))


def _money(value: float | None) -> str:
    """``3.2M``: a median turnover to two figures; a dash where it is not known."""
    if value is None:
        return fmt.DASH
    for unit, size in (("T", 1e12), ("B", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:.1f}{unit}"
    return f"{value:.0f}"


def _member_text(row: StockRow) -> Text:
    if row.member is None:
        return Text(fmt.DASH, style=DIM)
    return Text("yes", style=GOOD) if row.member else Text("no", style=DIM)


def _coverage_text(row: FeatureRow) -> Text:
    if row.coverage is None:
        return Text(fmt.DASH, style=DIM)
    low = row.coverage < 0.5
    return Text(f"{row.coverage:.1%}", style=WARN if low else PLAIN)


def _rank_ic_text(row: FeatureRow) -> Text:
    """Mean ± standard error; within 1.96 of them of zero it is dim and starts with ``~``."""
    if row.rank_ic is None or row.rank_ic_se is None:
        return Text(fmt.DASH, style=DIM)
    sure = abs(row.rank_ic) > SURE * row.rank_ic_se
    figure = Figure(row.rank_ic, row.rank_ic_se).text()
    return Text(f"{' ' if sure else '~'}{figure}", style=PLAIN if sure else DIM)


def _snapshot_text(row: SnapshotRow) -> Text:
    sign = GLYPHS.running if row.current else " "
    return Text(f"{sign} {fmt.clean(row.id)[:8]}", style=STRONG if row.current else PLAIN)


def _feature_state(row: FeatureRow) -> Text:
    return Text(f"off: {fmt.clean(row.off)}", style=DIM) if row.off else Text("on")


def _count(
    name: str, count: Callable[[_R], int], width: int, *, wide_only: bool = False
) -> TableColumn[_R]:
    """A column of whole numbers, on the right."""
    return TableColumn(
        name=name,
        cell=lambda row: f"{count(row):,}",
        value=count,
        width=width,
        right=True,
        wide_only=wide_only,
    )


FINDINGS: tuple[TableColumn[DataFinding], ...] = (
    TableColumn(name="rule", cell=lambda row: row.rule, width=17),
    TableColumn(name="severity", cell=lambda row: _level_text(row.level), width=8),
    _count("count", lambda row: row.count, 7),
    TableColumn(name="what was done", cell=lambda row: row.action),
)
EXAMPLES: tuple[TableColumn[Hit], ...] = (
    TableColumn(
        name="code",
        cell=lambda row: "(all)" if row.symbol == MARKET else row.symbol,
        value=lambda row: row.symbol,
        width=8,
    ),
    TableColumn(name="day", cell=lambda row: row.date, width=10),
    TableColumn(name="rule", cell=lambda row: row.rule, width=14, wide_only=True),
    TableColumn(name="values", cell=lambda row: row.text),
)
STOCKS: tuple[TableColumn[StockRow], ...] = (
    TableColumn(name="code", cell=lambda row: row.symbol, width=8),
    TableColumn(name="name", cell=lambda row: row.name),
    _count("bars", lambda row: row.kept, 6),
    TableColumn(name="univ.", cell=_member_text, width=5),
    TableColumn(
        name="turnover",
        cell=lambda row: _money(row.turnover),
        value=lambda row: row.turnover,
        width=8,
        right=True,
    ),
    TableColumn(name="sector", cell=lambda row: row.sector, width=16, wide_only=True),
    TableColumn(name="first", cell=lambda row: row.first, width=10, wide_only=True),
    TableColumn(name="last", cell=lambda row: row.last, width=10, wide_only=True),
    TableColumn(
        name="found",
        cell=lambda row: f"{row.findings:,}" if row.findings else "",
        value=lambda row: row.findings,
        width=5,
        right=True,
        wide_only=True,
    ),
)
FEATURES: tuple[TableColumn[FeatureRow], ...] = (
    TableColumn(name="feature", cell=lambda row: row.name, width=22),
    TableColumn(name="family", cell=lambda row: row.family, width=13, wide_only=True),
    _count("back", lambda row: row.lookback, 4),
    TableColumn(name="table", cell=lambda row: row.source, width=9, wide_only=True),
    TableColumn(
        name="cover", cell=_coverage_text, value=lambda row: row.coverage, width=6, right=True
    ),
    TableColumn(name="RankIC alone", cell=_rank_ic_text, value=lambda row: row.rank_ic, width=17),
    TableColumn(name="state", cell=_feature_state),
)
SNAPSHOTS: tuple[TableColumn[SnapshotRow], ...] = (
    TableColumn(name="id", cell=_snapshot_text, value=lambda row: row.id, width=10),
    TableColumn(name="made UTC", cell=lambda row: row.made[:16].replace("T", " "), width=16),
    TableColumn(name="last", cell=lambda row: row.manifest.days[-1], width=10, wide_only=True),
    _count("sess.", lambda row: len(row.manifest.days), 5, wide_only=True),
    TableColumn(
        name="bars",
        cell=lambda row: fmt.DASH if row.manifest.bars is None else fmt.count(row.manifest.bars),
        value=lambda row: row.manifest.bars,
        width=6,
        right=True,
    ),
    TableColumn(name="changed", cell=lambda row: row.change),
)


def feature_detail(row: FeatureRow | None, source: FeatureSource) -> Text:
    """Formula, unit and rules of the feature under the cursor, and what its figures rest on."""
    text = Text()
    if row is None:
        return text
    text.append(fmt.clean(row.formula), style=STRONG)
    if row.off:
        text.append(f"  off: {fmt.clean(row.off)}", style=WARN)
    scope = "ranked within the day" if row.scope == "stock" else "one value a day"
    more = [row.unit, f"back {row.lookback} sessions", scope, row.published, f"family {row.family}"]
    text.append(f"\n{fmt.clean(', '.join(more))}\n", style=DIM)
    text.append(_source_line(source), style=DIM)
    return text


def _source_line(source: FeatureSource) -> str:
    built, worth, parts = source.built, source.worth, []
    if built.features:
        parts.append(f"cover: {built.sessions:,} sessions{'' if source.fits else ' of older data'}")
    if worth is not None:
        every = "" if worth.stride == 1 else f", every {worth.stride}. day"
        parts.append(
            f"RankIC h={worth.horizon}: training days {worth.first}..{worth.last}{every}"
            f" of {fmt.clean(source.run)}"
        )
    return "; ".join(parts) or "coverage comes with a feature set, RankIC with a training run"
