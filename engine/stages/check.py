"""`check`: the quality verdict of the current snapshot, and a picture of its coverage."""

from typing import Any

import numpy as np
import polars as pl

from engine.data.calendar import sessions_between, sessions_per_year
from engine.data.findings import QualityReport
from engine.data.load import RefusedDataError, clean_panel
from engine.data.sectors import sector_notes
from engine.data.sessions import thin_sessions
from engine.data.stocks import stock_table
from engine.data.store import PanelStore
from engine.files import write_json, write_parquet
from engine.runs.events import StageStarted
from engine.stages.context import Outcome, StageContext
from engine.stages.text import table

_SHOWN = 3
_BLOCKS = "▁▂▃▄▅▆▇█"
_PICTURE_WIDTH = 60


def check(context: StageContext) -> Outcome:
    """Examine the data, write ``data/quality.json`` and ``data/stocks.parquet`` (one row per code), and
    list every finding with examples.

    Sessions that were cleaned before are not looked at again, but every file's hash is. Data that the
    gates refuse are shown in full too; it is training that stops.
    """
    context.sink.emit(StageStarted(stage="quality"))
    snapshot = PanelStore(context.workspace / "data").snapshot()
    snapshot.verify()
    panel = None
    try:
        panel = clean_panel(context.workspace, context.config)
        report = panel.report
    except RefusedDataError as refusal:
        report = refusal.report
    stocks = stock_table(snapshot, panel)
    write_parquet(context.workspace / "data" / "stocks.parquet", stocks)
    summary = report.to_json()
    min_coverage = context.config.quality.min_coverage
    del summary["days"], summary["names"]
    coverage = _coverage(report, snapshot.exchange, min_coverage)
    coverage["tables"] = snapshot.optional_tables()
    traded = stocks.filter(pl.col("rows") > 0)
    summary["notes"] = [*report.notes, *sector_notes(traded, traded["symbol"])]
    summary |= {
        "snapshot": snapshot.id,
        "exchange": snapshot.exchange,
        "sessions_per_year": sessions_per_year(snapshot.exchange),
        "coverage": coverage,
    }
    write_json(context.workspace / "data" / "quality.json", summary)
    return Outcome(json=summary, text=_text(report, summary))


def _coverage(report: QualityReport, exchange: str, min_coverage: float) -> dict[str, Any]:
    """Stocks per session, and all sessions without any bar, without a kept one, and with too few.

    Unlike the examples of a finding these lists are complete; days that the exchange calendar does not
    know are listed as far as the finding does.
    """
    days, names = list(report.days), list(report.names)
    kept = [count for count in names if count] or [0]
    expected = sessions_between(exchange, report.first, report.last)

    def listed(rule: str) -> list[str]:
        finding = report.finding(rule)
        return [date for _, date, _ in finding.examples] if finding else []

    return {
        "names_min": min(kept),
        "names_median": float(np.median(kept)),
        "names_max": max(kept),
        "missing_sessions": sorted({str(day) for day in expected} - set(days)),
        "excluded_sessions": [day for day, count in zip(days, names, strict=True) if not count],
        "unknown_sessions": listed("unknown_session"),
        "thin_sessions": [days[t] for t in thin_sessions(names, min_coverage)],
        "per_session": {"dates": days, "names": names},
    }


def _text(report: QualityReport, summary: dict[str, Any]) -> str:
    coverage = summary["coverage"]
    rows = [[f.rule, f.level, f"{f.count:,}", f.action, f.description] for f in report.findings]
    lines = [
        f"verdict: {report.verdict}   {report.rows_in:,} rows in, {report.rows_out:,} kept, "
        f"{report.symbols:,} symbols, {report.sessions:,} sessions, {report.first} to {report.last}",
        "",
        table(rows, header=["rule", "level", "count", "action", "what"]) if rows else "no findings",
        "",
    ]
    for finding in report.findings:
        lines += [f"{finding.rule}:"] if finding.examples else []
        lines += [f"  {s} {date}  {text}" for s, date, text in finding.examples[:_SHOWN]]
    exchange = summary["exchange"]
    low, middle, high = (coverage[f"names_{k}"] for k in ("min", "median", "max"))
    last = report.incomplete or "complete"
    lines += [
        "",
        f"stocks per session: min {low:,}  median {middle:,.0f}  max {high:,}",
        f"  {report.first} {_picture(report.names)} {report.last}",
        f"last session: {last}{'' if report.allows_signals else '; no signal from it'}",
        *_sessions(f"sessions of {exchange} without a bar", report, "missing_session"),
        *_sessions(f"days with bars that are no sessions of {exchange}", report, "unknown_session"),
    ]
    tables = coverage["tables"]
    if tables:
        rows = [[name, f"{t['rows']:,}", t["first"], t["last"]] for name, t in tables.items()]
        lines += ["", table(rows, header=["table", "rows", "first available", "last"])]
    lines += [f"note: {note}" for note in summary["notes"]]
    return "\n".join(lines)


def _sessions(what: str, report: QualityReport, rule: str) -> list[str]:
    finding = report.finding(rule)
    if finding is None:
        return [f"{what}: 0"]
    dates = ", ".join(date for _, date, _ in finding.examples[:_SHOWN])
    return [f"{what}: {finding.count} ({dates}{', ...' if finding.count > _SHOWN else ''})"]


def _picture(names: tuple[int, ...]) -> str:
    """Stocks per session as a strip of blocks, oldest left."""
    parts = np.array_split(np.asarray(names), min(_PICTURE_WIDTH, len(names)))
    means = np.array([part.mean() for part in parts])
    level = np.round(means / max(means.max(), 1) * (len(_BLOCKS) - 1)).astype(int)
    return "".join(_BLOCKS[i] for i in level)
