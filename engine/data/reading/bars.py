"""Price tables: their files looked at, planned and read as bars in our units."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl
from msgspec.structs import replace as replace_fields

from engine.config import ReadingConfig
from engine.data.merge import BarOrigin
from engine.data.reading.columns import (
    FILE,
    MANY,
    Cells,
    nothing_in,
    passed_over,
    plan_of,
    shape,
    sheets_of,
    together,
)
from engine.data.reading.dates import Exchange
from engine.data.reading.finding import NotATable
from engine.data.reading.layouts import to_part
from engine.data.reading.names import ALL_BARS, beside, known_forms, listed
from engine.data.reading.numbers import BadValue, NumberStyle
from engine.data.reading.parts import LongSheet, one_currency, one_series
from engine.data.reading.scale import Scaled, midpoints, to_quoted
from engine.data.reading.sheets import LINE, Look
from engine.data.reading.tables import days_of
from engine.data.reading.wide import joined
from engine.data.tables import BAR_SCHEMA, complete
from engine.errors import DataError
from engine.plain_text import readable
from engine.records.reading import Dates, Factor, ReadingPlan, Unread

_MOSTLY = 0.2
"""Share of rows of repeated days from which a file is no longer one of a single code."""
_HALF = 0.5
_LOOKED_AT = 100_000
"""Rows that tell whether bars are of days or of times within them."""
_KEYS = ("date", "symbol")
_SHOWN = (("open", "o"), ("high", "h"), ("low", "l"), ("close", "c"), ("volume", "v"))


def read_bars(
    path: Path,
    columns: Mapping[str, str],
    exchange: Exchange,
    settings: ReadingConfig,
    *,
    after: dt.date | None,
) -> tuple[pl.DataFrame, BarOrigin, tuple[ReadingPlan, ...]]:
    """Bars by date and symbol, rows of the same in the order of the files; nothing is removed as repeated.

    ``after``: the last stored session when the bars are to be appended.
    """
    columns = {{"adjustment_factor": "factor"}.get(ours, ours): v for ours, v in columns.items()}
    known = known_forms(ALL_BARS, columns)
    look = Look(settings=settings, columns=columns, exchange=exchange, known=known, after=after)
    parts, unread = _parts(path, look)
    files = tuple(part.sheet.name for part in parts)
    frames = [(i, part.frame, part.columns) for i, part in enumerate(parts)]
    groups = together(frames, files, lambda frame: shape(frame["date"]))
    parts = [replace(part, frame=part.frame.clear()) for part in parts]
    del frames
    tables, plans = [], []
    for cells, members in groups:
        group = [parts[i] for i in members]
        bars, plan = _of_group(path, cells, group, look)
        tables.append(bars)
        plans.append(plan)
    del groups, cells
    plans[0] = replace_fields(plans[0], unread=tuple(unread))
    bars = pl.concat(tables).sort(*_KEYS, FILE, LINE)
    origin = BarOrigin(files=files, file=bars[FILE], line=bars[LINE])
    return bars.drop(FILE, LINE), origin, tuple(plans)


def _parts(path: Path, look: Look) -> tuple[list[LongSheet], list[Unread]]:
    """The sheets that hold prices, in long form, and what was passed over."""
    sheets, unread = sheets_of(path, look)
    parts: list[LongSheet] = []
    hint = ""
    names = beside(sheet.within.name for sheet in sheets)
    named = path.is_file() and len(sheets) == 1
    for sheet in sheets:
        try:
            part = to_part(sheet, look, named=named, names=names)
            parts.append(part)
        except NotATable as error:
            unread.append(passed_over(sheet, error))
            hint = error.hint
    if not parts:
        raise nothing_in(path, unread, hint)
    return joined(parts), unread


def _of_group(
    path: Path, cells: Cells, group: Sequence[LongSheet], look: Look
) -> tuple[pl.DataFrame, ReadingPlan]:
    dates, how = days_of(cells, "date", look)
    numeric = [name for name in ALL_BARS if name in cells.columns and name not in _KEYS]
    style = cells.style(numeric, look.settings.decimal)
    written = cells.frame["date"]
    cells.put("date", cells.filled("date", dates))
    cells.put("symbol", cells.filled("symbol", cells.texts("symbol")))
    _refuse_within_days(cells, written)
    for name in numeric:
        cells.put(name, cells.numbers(name, style))
    rows = cells.frame
    layout = group[0].layout
    if layout in ("wide", "stacked"):
        rows = rows.filter(pl.any_horizontal(pl.col(numeric).is_not_null()))
    if layout == "file_per_symbol":
        _refuse_many_codes(cells, rows)
    keep, notes = one_series(rows)
    rows = rows if keep is None else rows.filter(keep)
    notes += one_currency(rows)
    rows, marks = midpoints(rows)
    notes += marks
    cells.frame = rows
    try:
        scaled = to_quoted(rows.select(*_KEYS, *numeric), look.settings, vintage=rows[FILE])
    except BadValue as bad:
        told = next(
            (n for n in ("factor", "split", "adj_close", "close") if n in cells.columns), ""
        )
        raise cells.refusal(bad, told) from None
    bars = scaled.bars
    if "turnover" not in bars.columns:
        bars = bars.with_columns((pl.col("close") * pl.col("volume")).alias("turnover"))
    bars = complete(bars, BAR_SCHEMA)
    plan = _plan(path, cells, group, how, style, scaled, _shown(bars), notes)
    return bars.with_columns(rows[FILE], rows[LINE]), plan


def _plan(
    path: Path,
    cells: Cells,
    group: Sequence[LongSheet],
    dates: Dates,
    style: NumberStyle,
    scaled: Scaled,
    first: str,
    notes: Sequence[str],
) -> ReadingPlan:
    return replace_fields(
        plan_of("bars", path, [part.sheet for part in group], style),
        layout=group[0].layout,
        columns=tuple(cells.columns[name] for name in ALL_BARS if name in cells.columns),
        left=group[0].left,
        dates=dates,
        price_scale=scaled.price_scale,
        factor=_in_their_words(scaled.factor, cells),
        first=first,
        notes=(*_told(group), *notes, *scaled.notes),
    )


def _refuse_within_days(cells: Cells, written: pl.Series) -> None:
    """Most days of a stock have several bars, each with a time of its own: minutes or hours.

    ``written``: the dates as the file has them, a row each.
    """
    rows = cells.frame.select(*_KEYS, FILE, written=written).head(_LOOKED_AT)
    if rows["written"].n_unique() <= rows["date"].n_unique():
        return
    days = rows.group_by(FILE, *_KEYS, maintain_order=True).agg(pl.col("written").n_unique())
    if (days["written"] > 1).mean() <= _HALF:  # type: ignore[operator]
        return
    first = days.row(int(days["written"].arg_max() or 0), named=True)
    raise DataError(
        f"{cells.where(0)}: {readable(first['symbol'])} has {first['written']} bars on {first['date']}, each "
        "at another time: these are bars within the day",
        hint="bring bars of a session: the first open, highest high, lowest low, last close, sum of volumes",
    )


def _refuse_many_codes(cells: Cells, rows: pl.DataFrame) -> None:
    """A file without a column of codes whose days repeat holds more than one code."""
    repeated = rows.select(pl.struct("date", FILE).is_duplicated()).to_series()
    if repeated.mean() > _MOSTLY:  # type: ignore[operator]
        row = int(repeated.arg_max() or 0)
        raise DataError(
            f"{cells.where(row)}: no column for `symbol`, and {rows['date'][row]} comes more than once: "
            "the file holds several codes",
            hint="map the column of the codes: --columns 'symbol=THEIR_NAME'",
        )


def _in_their_words(factor: Factor | None, cells: Cells) -> Factor | None:
    if factor is None or factor.column not in cells.columns:
        return factor
    return replace_fields(factor, column=cells.columns[factor.column].theirs)


def _shown(bars: pl.DataFrame) -> str:
    """The first row as read, for the eye."""
    row = bars.row(0, named=True)
    values = " ".join(
        f"{short} {row[name]:.{15 if name == 'volume' else 9}g}"  # 9: all that 32 bits hold.
        for name, short in _SHOWN
        if row[name] is not None
    )
    return f"{row['date']} {readable(row['symbol'])} {values}"


def _told(group: Sequence[LongSheet]) -> list[str]:
    """What is to say about the files; of files that say much the same the first ones."""
    notes = [note for part in group for note in (*part.sheet.notes, *part.notes)]
    named = [part for part in group if part.layout == "file_per_symbol"]
    if named:
        codes = listed([part.code for part in named], 5)
        notes.insert(0, f"The code is the name of the file: {codes}.")
    if group[0].layout == "file_per_day":
        notes.insert(0, "The day is in the name of the file.")
    distinct = list(dict.fromkeys(notes))
    more = [f"{len(distinct) - MANY} more such remarks."] if len(distinct) > MANY else []
    return distinct[:MANY] + more
