"""What the Data screen says in words: the headline, the titles of its boxes, what a finding means."""

from collections.abc import Sequence

from rich.text import Text

from atft_tui import format as fmt
from atft_tui.glyphs import GLYPHS
from atft_tui.readings.data import DataReading, SnapshotRow
from atft_tui.sizes import WIDE
from atft_tui.styles import BAD, DIM, GOOD, STRONG, WARN
from engine.records.figure import SURE
from engine.records.quality import MARKET, CheckedQuality, DataFinding, Hit

_VERDICTS = {
    "ok": (GLYPHS.done, GOOD),
    "degraded": ("!", WARN),
    "refused": (GLYPHS.failed, BAD),
}
_SOURCES = ("files", "synthetic", "jquants", "yahoo")


def headline(value: DataReading, width: int) -> Text:
    """Verdicts first, then what they are about; a file that cannot be read comes before all."""
    wide = width >= WIDE
    text = Text(" Data " if wide else "", style=STRONG, no_wrap=True, overflow="ellipsis")
    if value.trouble:
        more = f" (+{len(value.trouble) - 1})" if len(value.trouble) > 1 else ""
        text.append(f" {fmt.clean(value.trouble[0])}{more}", style=BAD)
        return text
    current = value.current
    if current is None:
        text.append(" nothing is stored yet: i ingests market data")
        return text
    text.append(" ")
    text.append_text(_quality_words(value, current.id))
    text.append_text(_audit_words(value, current.id))
    if value.quality is not None and value.quality.incomplete:
        text.append(f"{fmt.clean(value.quality.incomplete)}  ", style=BAD)
    source = fmt.clean(current.manifest.source)
    text.append(f"{source[:40] if wide else source.split('(')[0][:12]} ", style=STRONG)
    days = current.manifest.days
    first, last = fmt.clean(days[0]), fmt.clean(days[-1])
    text.append(f"{first if wide else first[:7]}..{last}")
    if value.quality is not None and value.quality.snapshot == current.id:
        text.append(f" {value.quality.symbols:,} stocks")
    if wide:
        text.append(f" {len(days):,} sessions")
        text.append(f"  snapshot {fmt.clean(current.id)[:8]}", style=DIM)
    return text


def _quality_words(value: DataReading, current: str) -> Text:
    quality = value.quality
    if quality is None:
        return Text("quality not checked: c  ", style=WARN)
    sign, style = _VERDICTS.get(quality.verdict, ("?", WARN))
    if quality.snapshot != current:
        return Text(f"? quality {fmt.clean(quality.verdict)} of older data: c  ", style=WARN)
    return Text(f"{sign} quality {fmt.clean(quality.verdict)}  ", style=style)


def _audit_words(value: DataReading, current: str) -> Text:
    audit = value.audit
    if audit is None:
        return Text("not audited: a  ", style=WARN)
    age = _age_words(value.audit_hours)
    if not audit.passed:
        words = (
            f"{GLYPHS.failed} audit {fmt.clean(audit.verdict)}, {len(audit.leaks)} leaks, {age}  "
        )
        return Text(words, style=BAD)
    if audit.snapshot != current:
        return Text(f"? audit passed {age}, on older data: a  ", style=WARN)
    deep = "deep " if audit.deep else ""
    return Text(f"{GLYPHS.done} {deep}audit passed {age}  ", style=GOOD)


def _age_words(hours: int | None) -> str:
    if hours is None:
        return "at an unknown time"
    if hours == 0:
        return "just now"
    return f"{hours}h ago" if hours < 48 else f"{hours // 24}d ago"


def titles(value: DataReading) -> dict[str, str]:
    """What each box holds and how much of it, by box."""
    members = sum(row.member is True for row in value.stocks)
    universe = f", {members:,} in the universe" if members else ""
    measured = [row for row in value.features if row.rank_ic is not None]
    sure = sum(
        row.rank_ic_se is not None and abs(row.rank_ic or 0.0) > SURE * row.rank_ic_se
        for row in measured
    )
    alone = (
        f": RankIC of {sure} of {len(measured)} beyond {SURE} SE ({0.05 * len(measured):.0f} by chance)"
        if measured
        else ""
    )
    shown = len(value.snapshots)
    of = f" of {value.n_snapshots}" if value.n_snapshots > shown else ""
    current = value.current
    old = (
        ", of older data"
        if value.stocks
        and current is not None
        and (value.quality is None or value.quality.snapshot != current.id)
        else ""
    )
    return {
        "findings": _findings_title(value.quality),
        "stocks": f"{len(value.stocks):,} stocks{universe}{old}"
        if value.stocks
        else "stocks: c (check) lists them",
        "features": f"{len(value.features)} features{alone}"
        if value.features
        else "features: f lists them",
        "snapshots": f"{shown}{of} snapshots",
    }


def _findings_title(quality: CheckedQuality | None) -> str:
    if quality is None:
        return "quality findings: c (check) looks for them"
    kinds = len(quality.findings)
    errors = sum(finding.level == "error" for finding in quality.findings)
    dropped = quality.rows_in - quality.rows_out
    return f"findings: {kinds} kinds ({errors} errors), {dropped:,} rows dropped"


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
    text = Text(f"{fmt.clean(row.id)}  {fmt.clean(row.change)}\n")
    held = row.manifest
    bars = "bars not counted" if held.bars is None else f"{held.bars:,} bars"
    text.append(
        f"{len(held.days):,} sessions {fmt.clean(held.days[0])}..{fmt.clean(held.days[-1])}, {bars}, "
        f"{fmt.memory(held.size / 2**20)}, {fmt.clean(held.source)}",
        style=DIM,
    )
    return text


def ingest_like(value: DataReading) -> dict[str, str]:
    """The form starts with the source that was used last; file paths have to be given again."""
    current = value.current
    known = "" if current is None else current.manifest.source.lower().replace("-", "")
    source = next((name for name in _SOURCES if known.startswith(name)), "")
    return {"source": source} if source else {}
