"""`check`: the quality verdict of the current snapshot, and a picture of its coverage."""

from typing import Any

import numpy as np
import polars as pl

from engine.config import Market
from engine.data.calendar import sessions_between
from engine.data.quality import QualityReport, examine
from engine.data.store import PanelStore
from engine.files import write_json
from engine.runs.events import StageStarted
from engine.stages.context import Outcome, StageContext
from engine.stages.text import table

SHOWN = 3
BLOCKS = "▁▂▃▄▅▆▇█"
PICTURE_WIDTH = 60


def check(context: StageContext) -> Outcome:
    """Examine the data, write ``data/quality.json``, and list every finding with examples."""
    context.sink.emit(StageStarted(stage="quality"))
    store = PanelStore(context.workspace / "data")
    raw = store.load_raw()
    clean, report = examine(raw, context.config.quality)
    coverage = _coverage(clean, raw.market, report)
    summary = report.to_json() | {"snapshot": store.current(), "coverage": coverage}
    write_json(context.workspace / "data" / "quality.json", summary)
    return Outcome(json=summary, text=_text(report, coverage, clean))


def _coverage(clean: pl.DataFrame, market: Market, report: QualityReport) -> dict[str, Any]:
    """Stocks per session, and sessions of the exchange calendar without any bar (and the reverse)."""
    per_day = clean.group_by("date").len().sort("date")
    present = per_day["date"].to_numpy().astype("datetime64[D]")
    expected = sessions_between(market, report.first, report.last)
    missing = np.setdiff1d(expected, present)
    extra = np.setdiff1d(present, expected)
    return {
        "names_min": int(per_day["len"].min() or 0),  # type: ignore[arg-type]
        "names_median": float(per_day["len"].median() or 0),  # type: ignore[arg-type]
        "names_max": int(per_day["len"].max() or 0),  # type: ignore[arg-type]
        "missing_sessions": [str(day) for day in missing],
        "unknown_sessions": [str(day) for day in extra],
    }


def _text(report: QualityReport, coverage: dict[str, Any], clean: pl.DataFrame) -> str:
    rows = [[f.rule, f.level, f"{f.count:,}", f.action, f.description] for f in report.findings]
    lines = [
        f"verdict: {report.verdict}   {report.rows_in:,} rows in, {report.rows_out:,} kept, "
        f"{report.symbols:,} symbols, {report.sessions:,} sessions, {report.first} to {report.last}",
        "",
        table(rows, header=["rule", "level", "count", "action", "what"]),
        "",
    ]
    for finding in report.findings:
        lines += [f"{finding.rule}:"] if finding.examples else []
        lines += [f"  {s} {date}  {text}" for s, date, text in finding.examples[:SHOWN]]
    low, middle, high = (coverage[f"names_{k}"] for k in ("min", "median", "max"))
    missing, extra = coverage["missing_sessions"], coverage["unknown_sessions"]
    lines += [
        "",
        f"stocks per session: min {low:,}  median {middle:,.0f}  max {high:,}",
        f"  {report.first} {_picture(clean)} {report.last}",
        f"exchange sessions without a bar: {len(missing)} {', '.join(missing[:SHOWN])}",
        f"days with bars that the exchange calendar does not know: {len(extra)} "
        + ", ".join(extra[:SHOWN]),
    ]
    lines += [f"note: {note}" for note in report.notes]
    return "\n".join(lines)


def _picture(clean: pl.DataFrame) -> str:
    """Stocks per session as a strip of blocks, oldest left."""
    counts = clean.group_by("date").len().sort("date")["len"].to_numpy()
    parts = np.array_split(counts, min(PICTURE_WIDTH, counts.size))
    means = np.array([part.mean() for part in parts])
    level = np.round(means / means.max() * (len(BLOCKS) - 1)).astype(int)
    return "".join(BLOCKS[i] for i in level)
