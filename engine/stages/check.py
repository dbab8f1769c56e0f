"""`check`: the verdict on the snapshot, and a picture of its coverage; `data export`: its adjusted bars."""

from pathlib import Path

import numpy as np
import polars as pl
from msgspec import structs

from engine.data.calendar import sessions_between, sessions_per_year
from engine.data.load import RefusedDataError, StoredPanel, clean_panel
from engine.data.sessions import thin_sessions
from engine.data.store import PanelStore, Snapshot
from engine.data.tables import SECURITY_SCHEMA, sector_notes
from engine.errors import UsageError
from engine.files import atomic_path, write_parquet
from engine.records import record
from engine.records.quality import (
    QUALITY,
    CheckedQuality,
    QualityReport,
    SessionCoverage,
    flag_names,
)
from engine.runs.events import StageStarted
from engine.stages.context import Outcome, StageContext
from engine.stages.text import table

_SHOWN = 3
_BLOCKS = "▁▂▃▄▅▆▇█"
_PICTURE_WIDTH = 60
_TURNOVER_SESSIONS = 20
"""Sessions that the median turnover is taken over."""
_PRICES = ("open", "high", "low", "close")
_ENDINGS = (".parquet", ".csv")


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
    stocks = _stock_table(snapshot, panel)
    write_parquet(context.workspace / "data" / "stocks.parquet", stocks)
    traded = stocks.filter(pl.col("rows") > 0)
    checked = structs.replace(
        report.checked(snapshot.id),
        notes=(*report.notes, *sector_notes(traded, traded["symbol"])),
        exchange=snapshot.exchange,
        sessions_per_year=sessions_per_year(snapshot.exchange),
        coverage=structs.replace(
            _whole_coverage(report, snapshot.exchange, context.config.quality.min_coverage),
            tables=snapshot.optional_tables(),
        ),
    )
    record.write(context.workspace / QUALITY, checked)
    return Outcome(json=record.as_json(checked), text=_text(checked))


def _whole_coverage(report: QualityReport, exchange: str, min_coverage: float) -> SessionCoverage:
    """The report's coverage with all missing and thin sessions, not just those that a finding lists."""
    expected = {str(day) for day in sessions_between(exchange, report.first, report.last)}
    return structs.replace(
        report.coverage,
        missing_sessions=tuple(sorted(expected - set(report.days))),
        thin_sessions=tuple(report.days[t] for t in thin_sessions(report.names, min_coverage)),
    )


def _text(checked: CheckedQuality) -> str:
    coverage, exchange = checked.coverage, checked.exchange
    rows = [[f.rule, f.level, f"{f.count:,}", f.action, f.description] for f in checked.findings]
    lines = [
        f"verdict: {checked.verdict}   {checked.rows_in:,} rows in, {checked.rows_out:,} kept, "
        f"{checked.symbols:,} symbols, {checked.sessions:,} sessions, {checked.first} to {checked.last}",
        "",
        table(rows, header=["rule", "level", "count", "action", "what"]) if rows else "no findings",
        "",
    ]
    for finding in checked.findings:
        lines += [f"{finding.rule}:"] if finding.examples else []
        lines += [f"  {s} {date}  {text}" for s, date, text in finding.examples[:_SHOWN]]
    last = checked.incomplete or "complete"
    lines += [
        "",
        f"stocks per session: min {coverage.names_min:,}  median {coverage.names_median:,.0f}  "
        f"max {coverage.names_max:,}",
        f"  {checked.first} {_picture(coverage.per_session.names)} {checked.last}",
        f"last session: {last}{'' if checked.allows_signals else '; no signal from it'}",
        _sessions(f"sessions of {exchange} without a bar", checked, "missing_session"),
        _sessions(f"days with bars that are no sessions of {exchange}", checked, "unknown_session"),
    ]
    if coverage.tables:
        rows = [[name, f"{t.rows:,}", t.first, t.last] for name, t in coverage.tables.items()]
        lines += ["", table(rows, header=["table", "rows", "first available", "last"])]
    after = (
        "mend what the findings name and read it again"
        if checked.verdict == "refused"
        else "`atft-tui audit`"
    )
    return "\n".join([*lines, *(f"note: {note}" for note in checked.notes), f"next: {after}"])


def _sessions(what: str, checked: CheckedQuality, rule: str) -> str:
    """How many sessions a rule hit, and the first of them."""
    count, dates = checked.count(rule), checked.listed(rule)[:_SHOWN]
    return f"{what}: {count}" + (
        f" ({', '.join(dates)}{', ...' if count > _SHOWN else ''})" if count else ""
    )


def _picture(names: tuple[int, ...]) -> str:
    """Stocks per session as a strip of blocks, oldest left."""
    parts = np.array_split(np.asarray(names), min(_PICTURE_WIDTH, len(names)))
    means = np.array([part.mean() for part in parts])
    level = np.round(means / max(means.max(), 1) * (len(_BLOCKS) - 1)).astype(int)
    return "".join(_BLOCKS[i] for i in level)


def _stock_table(snapshot: Snapshot, panel: StoredPanel | None) -> pl.DataFrame:
    """Sorted by symbol: ``symbol, name, sector, industry, first, last, rows, kept, median_turnover``.

    ``rows`` counts bars as they came, ``kept`` those that the quality gates left. ``median_turnover``: of
    the kept bars of the last 20 sessions, in currency; null without one. ``panel`` is None for data that
    the gates refuse: nothing is kept then.
    """
    raw = (
        pl.scan_parquet([snapshot.directory / name for name in snapshot.months("bars")])
        .group_by("symbol")
        .agg(
            first=pl.col("date").min(),
            last=pl.col("date").max(),
            rows=pl.len().cast(pl.Int64),
        )
        .collect()
    )
    securities = snapshot.table("securities")
    if securities is None:
        securities = pl.DataFrame(schema=SECURITY_SCHEMA)
    known = securities.select("symbol", "name", "sector", "industry")
    table = known.join(raw, on="symbol", how="full", coalesce=True)
    return (
        table.join(_kept(panel), on="symbol", how="left")
        .with_columns(pl.col("rows", "kept").fill_null(0))
        .sort("symbol")
    )


def _kept(panel: StoredPanel | None) -> pl.DataFrame:
    if panel is None:
        schema = {"symbol": pl.String, "kept": pl.Int64, "median_turnover": pl.Float64}
        return pl.DataFrame(schema=schema)
    start = panel.dates_S[-_TURNOVER_SESSIONS:][0].item()
    recent = (
        panel.bars(str(start))
        .filter(pl.col("date") >= start)
        .group_by("symbol")
        .agg(median_turnover=pl.col("turnover").median())
    )
    kept = {"symbol": panel.symbols, "kept": panel.manifest.bars}
    counts = pl.DataFrame(kept, schema={"symbol": pl.String, "kept": pl.Int64})
    return counts.join(recent, on="symbol", how="left")


def data(context: StageContext, *, action: str, output: str) -> Outcome:
    """Write one row a kept bar, sorted by date and symbol.

    ``open, high, low, close`` on the continuous total-return scale; ``close_raw`` as quoted; ``volume`` in
    shares of the stock's first bar; ``factor`` = close / close_raw; ``dividend`` a share, as quoted;
    ``flags``: what `flag_names` says of the row, joined by ``|``.
    """
    path = Path(output)
    if path.suffix.lower() not in _ENDINGS:
        raise UsageError(f"--output {output}: the name must end in {' or '.join(_ENDINGS)}")
    context.sink.emit(StageStarted(stage="export"))
    frame = _exported(clean_panel(context.workspace, context.config))
    with atomic_path(path) as temporary:
        if path.suffix.lower() == ".csv":
            frame.write_csv(temporary)
        else:
            frame.write_parquet(temporary)
    told = {"file": str(path), "rows": len(frame), "symbols": frame["symbol"].n_unique()}
    return Outcome(json=told, text=f"{path}: {len(frame):,} bars of {told['symbols']:,} symbols")


def _exported(panel: StoredPanel) -> pl.DataFrame:
    """The rows that `data` writes."""
    frame = panel.bars()
    bits = frame["flags"].unique().sort()
    words = ["|".join(flag_names(flags)) for flags in bits]
    return frame.select(
        "date",
        "symbol",
        *_PRICES,
        "close_raw",
        "volume",
        (pl.col("close") / pl.col("close_raw")).alias("factor"),
        "dividend",
        pl.col("flags").replace_strict(bits, pl.Series(words, dtype=pl.String)),
    )
