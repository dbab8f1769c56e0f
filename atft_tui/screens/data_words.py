"""What the Data screen says: its headline, the titles of its boxes, columns and details of its tables."""

from collections.abc import Sequence

from rich.text import Text

from atft_tui import format as fmt
from atft_tui.glyphs import GLYPHS
from atft_tui.readings.data import DataReading, SnapshotRow, StockRow
from atft_tui.styles import BAD, DIM, GOOD, PLAIN, STRONG, WARN, WIDE, noted, status
from atft_tui.widgets.column import TableColumn, numbers
from engine.records.features import FeatureRow, FeatureSource
from engine.records.figure import SURE
from engine.records.quality import MARKET, DataFinding, Hit

_SOURCES = ("files", "synthetic", "jquants", "yahoo")


def headline(value: DataReading, width: int) -> Text:
    """Verdicts first, then what they are about; a file that cannot be read comes before all."""
    wide = width >= WIDE
    text = Text(" Data " if wide else "", style=STRONG, no_wrap=True, overflow="ellipsis")
    if value.trouble:
        more = f" (+{len(value.trouble) - 1})" if len(value.trouble) > 1 else ""
        return text.append(f" {fmt.clean(value.trouble[0])}{more}", style=BAD)
    current, quality = value.current, value.quality
    if current is None:
        return text.append(" nothing is stored yet: i ingests market data")
    text.append(" ").append_text(_quality_words(value, current.id))
    text.append_text(_audit_words(value, current.id))
    if quality is not None and quality.incomplete:
        text.append(f"{fmt.clean(quality.incomplete)}  ", style=BAD)
    source, days = fmt.clean(current.manifest.source), current.manifest.days
    text.append(f"{source[:40] if wide else source.split('(')[0][:12]} ", style=STRONG)
    first, last = fmt.clean(days[0]), fmt.clean(days[-1])
    text.append(f"{first if wide else first[:7]}..{last}")
    if quality is not None and quality.snapshot == current.id:
        text.append(f" {fmt.counted(quality.symbols, 'stock')}")
    if wide:
        text.append(f" {fmt.counted(len(days), 'session')}")
        text.append(f"  snapshot {fmt.clean(current.id)[:8]}", style=DIM)
    return text


def _quality_words(value: DataReading, current: str) -> Text:
    quality = value.quality
    if quality is None:
        return Text("quality not checked: c  ", style=WARN)
    verdict, found = fmt.clean(quality.verdict), status(quality.verdict)
    if quality.snapshot != current:
        return Text(f"? quality {verdict} of older data: c  ", style=WARN)
    return Text(f"{found.mark} quality {verdict}  ", style=found.style)


def _audit_words(value: DataReading, current: str) -> Text:
    audit = value.audit
    if audit is None:
        return Text("not audited: a  ", style=WARN)
    age = _age_words(value.audit_hours)
    if not audit.passed:
        told = f"audit {fmt.clean(audit.verdict)}, {len(audit.leaks)} leaks, {age}  "
        return Text(f"{GLYPHS.failed} {told}", style=BAD)
    if audit.snapshot != current:
        return Text(f"? audit passed {age}, on older data: a  ", style=WARN)
    return Text(f"{GLYPHS.done} {'deep ' * audit.deep}audit passed {age}  ", style=GOOD)


def _age_words(hours: int | None) -> str:
    if hours is None:
        return "at an unknown time"
    if hours == 0:
        return "just now"
    return f"{hours}h ago" if hours < 48 else f"{hours // 24}d ago"


def titles(value: DataReading) -> dict[str, str]:
    """What each box holds and how much of it, by box."""
    shown, current, quality = len(value.snapshots), value.current, value.quality
    of = f" of {value.n_snapshots}" if value.n_snapshots > shown else ""
    stocks, features = "stocks: c (check) lists them", "features: f lists them"
    if value.stocks:
        members = sum(row.member is True for row in value.stocks)
        universe = f", {members:,} in the universe" if members else ""
        old = current is not None and (quality is None or quality.snapshot != current.id)
        stocks = f"{fmt.counted(len(value.stocks), 'stock')}{universe}{', of older data' * old}"
    if value.features:
        measured = [row for row in value.features if row.rank_ic is not None]
        sure = sum(
            row.rank_ic_se is not None and abs(row.rank_ic or 0.0) > SURE * row.rank_ic_se
            for row in measured
        )
        chance = f"{0.05 * len(measured):.0f} by chance"
        alone = f": RankIC of {sure} of {len(measured)} beyond {SURE} SE ({chance})"
        features = f"{fmt.counted(len(value.features), 'feature')}{alone if measured else ''}"
    findings = "quality findings: c (check) looks for them"
    if quality is not None:
        errors = sum(finding.level == "error" for finding in quality.findings)
        dropped = f"{fmt.counted(quality.rows_in - quality.rows_out, 'row')} dropped"
        kinds = fmt.counted(len(quality.findings), "kind")
        findings = f"findings: {kinds} ({fmt.counted(errors, 'error')}), {dropped}"
    return {
        "findings": findings,
        "stocks": stocks,
        "features": features,
        "snapshots": f"{shown}{of} {'snapshot' if (shown, of) == (1, '') else 'snapshots'}",
    }


def drilled_title(value: DataReading, drilled: tuple[str, str]) -> str:
    """Title of the examples of a rule or of a day."""
    kind, name = drilled
    rows = examples_of(value, drilled)
    if kind == "day":
        return f"listed findings of {fmt.clean(name)}: {len(rows)} (esc back)"
    total = value.quality.count(name) if value.quality else len(rows)
    return f"{fmt.clean(name)}: {len(rows):,} of {total:,} shown (esc back)"


def examples_of(value: DataReading, drilled: tuple[str, str] | None) -> Sequence[Hit]:
    """Those of a rule or of a day."""
    if drilled is None:
        return ()
    kind, name = drilled
    return tuple(hit for hit in value.hits if name == (hit.date if kind == "day" else hit.rule))


def finding_detail(row: DataFinding | Hit | None, notes: Sequence[str]) -> Text:
    """What the row under the cursor means in full, and what is said of the data as a whole."""
    text = Text()
    if isinstance(row, DataFinding):
        listed = f" (enter: {len(row.examples):,} of them)" if row.examples else ""
        text.append(f"{fmt.clean(row.description)}\n")
        text.append(f"{fmt.clean(row.action)}{listed}\n", style=DIM)
    elif row is not None:
        text.append(f"{fmt.clean(row.text)}\n")
        where = "session" if row.symbol == MARKET else "stock"
        text.append(f"{fmt.clean(row.rule)} {fmt.clean(row.date)} (enter: the {where})\n", DIM)
    text.append("; ".join(f"note: {fmt.clean(note)}" for note in notes), style=WARN)
    return text


def snapshot_detail(row: SnapshotRow | None) -> Text:
    """Id, change, sessions, bars, size and source of the snapshot under the cursor."""
    if row is None:
        return Text()
    held = row.manifest
    bars = "bars not counted" if held.bars is None else fmt.counted(held.bars, "bar")
    told = (
        f"{fmt.counted(len(held.days), 'session')} "
        f"{fmt.clean(held.days[0])}..{fmt.clean(held.days[-1])}, {bars}, "
        f"{fmt.memory(held.size / 2**20)}, {fmt.clean(held.source)}"
    )
    return Text.assemble(f"{fmt.clean(row.id)}  {fmt.clean(row.change)}\n", (told, DIM))


def ingest_like(value: DataReading) -> dict[str, str]:
    """The form starts with the source that was used last; file paths have to be given again."""
    current = value.current
    known = "" if current is None else current.manifest.source.lower().replace("-", "")
    source = next((name for name in _SOURCES if known.startswith(name)), "")
    return {"source": source} if source else {}


_LEVELS = {"error": BAD, "warning": WARN, "info": DIM}


def _money(value: float) -> str:
    """``3.2M``: a median turnover to two figures."""
    for unit, size in (("T", 1e12), ("B", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:.1f}{unit}"
    return f"{value:.0f}"


def _code(row: Hit) -> str:
    return "(all)" if row.symbol == MARKET else row.symbol


def _member_text(row: StockRow) -> Text:
    if row.member is None:
        return Text(fmt.DASH, style=DIM)
    return Text("yes", style=GOOD) if row.member else Text("no", style=DIM)


def _coverage_text(row: FeatureRow) -> Text:
    if row.coverage is None:
        return Text(fmt.DASH, style=DIM)
    return Text(f"{row.coverage:.1%}", style=WARN if row.coverage < 0.5 else PLAIN)


def _rank_ic_text(row: FeatureRow) -> Text:
    """Mean ± standard error; within 1.96 of them of zero it is dim and starts with ``~``."""
    if row.rank_ic is None or row.rank_ic_se is None:
        return Text(fmt.DASH, style=DIM)
    noise = not abs(row.rank_ic) > SURE * row.rank_ic_se
    return Text(*noted(fmt.rank_ic(row.rank_ic, row.rank_ic_se), noise=noise, sure=PLAIN, lead=" "))


def _snapshot_text(row: SnapshotRow) -> Text:
    sign = GLYPHS.running if row.current else " "
    return Text(f"{sign} {fmt.clean(row.id)[:8]}", style=STRONG if row.current else PLAIN)


def _feature_state(row: FeatureRow) -> Text:
    return Text(f"off: {fmt.clean(row.off)}", style=DIM) if row.off else Text("on")


FINDINGS: tuple[TableColumn[DataFinding], ...] = (
    TableColumn("rule", lambda row: row.rule, 17),
    TableColumn(
        "severity", lambda row: Text(fmt.clean(row.level), _LEVELS.get(row.level, PLAIN)), 8
    ),
    numbers("count", lambda row: row.count, 7),
    TableColumn("what was done", lambda row: row.action),
)
EXAMPLES: tuple[TableColumn[Hit], ...] = (
    TableColumn("code", _code, 8, value=lambda row: row.symbol),
    TableColumn("day", lambda row: row.date, 10),
    TableColumn("rule", lambda row: row.rule, 14, wide_only=True),
    TableColumn("values", lambda row: row.text),
)
STOCKS: tuple[TableColumn[StockRow], ...] = (
    TableColumn("code", lambda row: row.symbol, 8),
    TableColumn("name", lambda row: row.name),
    numbers("bars", lambda row: row.kept, 6),
    TableColumn("univ.", _member_text, 5),
    numbers("turnover", lambda row: row.turnover, 8, _money),
    TableColumn("sector", lambda row: row.sector, 16, wide_only=True),
    TableColumn("first", lambda row: row.first, 10, wide_only=True),
    TableColumn("last", lambda row: row.last, 10, wide_only=True),
    numbers("found", lambda row: row.findings, 5, lambda n: f"{n:,}" if n else "", wide_only=True),
)
FEATURES: tuple[TableColumn[FeatureRow], ...] = (
    TableColumn("feature", lambda row: row.name, 22),
    TableColumn("family", lambda row: row.family, 13, wide_only=True),
    numbers("back", lambda row: row.lookback, 4),
    TableColumn("table", lambda row: row.source, 9, wide_only=True),
    TableColumn("cover", _coverage_text, 6, value=lambda row: row.coverage, right=True),
    TableColumn("RankIC alone", _rank_ic_text, 17, value=lambda row: row.rank_ic),
    TableColumn("state", _feature_state),
)
SNAPSHOTS: tuple[TableColumn[SnapshotRow], ...] = (
    TableColumn("id", _snapshot_text, 10, value=lambda row: row.id),
    TableColumn("made UTC", lambda row: row.made[:16].replace("T", " "), 16),
    TableColumn("last", lambda row: row.manifest.days[-1], 10, wide_only=True),
    numbers("sess.", lambda row: len(row.manifest.days), 5, wide_only=True),
    numbers("bars", lambda row: row.manifest.bars, 6, fmt.count),
    TableColumn("changed", lambda row: row.change),
)


def feature_detail(row: FeatureRow | None, source: FeatureSource) -> Text:
    """Formula, unit and rules of the feature under the cursor, and what its figures rest on."""
    if row is None:
        return Text()
    off = f"  off: {fmt.clean(row.off)}" if row.off else ""
    scope = "ranked within the day" if row.scope == "stock" else "one value a day"
    more = [
        row.unit,
        f"back {fmt.counted(row.lookback, 'session')}",
        scope,
        row.published,
        f"family {row.family}",
    ]
    told = f"\n{fmt.clean(', '.join(more))}\n{_source_line(source)}"
    return Text.assemble((fmt.clean(row.formula), STRONG), (off, WARN), (told, DIM))


def _source_line(source: FeatureSource) -> str:
    built, worth, parts = source.built, source.worth, []
    if built.features:
        parts.append(
            f"cover: {fmt.counted(built.sessions, 'session')}{'' if source.fits else ' of older data'}"
        )
    if worth is not None:
        every = "" if worth.stride == 1 else f", every {worth.stride}. day"
        days = f"training days {worth.first}..{worth.last}{every} of {fmt.clean(source.run)}"
        parts.append(f"RankIC h={worth.horizon}: {days}")
    return "; ".join(parts) or "coverage comes with a feature set, RankIC with a training run"
