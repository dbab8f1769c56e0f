"""Tables beside the prices: securities, index, optional tables, corporate actions."""

import dataclasses
import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
from msgspec.structs import replace

from engine.config import ReadingConfig
from engine.data.reading.columns import (
    Cells,
    nothing_in,
    passed_over,
    plan_of,
    shape,
    sheets_of,
    together,
)
from engine.data.reading.dates import Exchange, read_dates
from engine.data.reading.finding import NotATable
from engine.data.reading.names import BARS, known_forms, listed, mapped, match, normal
from engine.data.reading.numbers import BadValue, NumberStyle, number_style, to_ratios
from engine.data.reading.sheets import LINE, Look, Sheet
from engine.data.tables import ACTION_SCHEMA, KINDS_OF_ACTION, Schema
from engine.errors import DataError
from engine.plain_text import readable
from engine.records.reading import Column, Dates, ReadingPlan

_AHEAD = dt.timedelta(days=366 * 60)
"""How far a day that is told beforehand may lie ahead: bonds and options run for decades."""
_WORDS = {
    "split": "split stocksplit splits forwardsplit reversesplit consolidation sharesplit shareconsolidation"
    " 株式分割 分割 株式併合 併合 拆股 并股",
    "dividend": "dividend dividends cashdividend div specialdividend distribution 配当 配当金 分红 派息",
    "spinoff": "spinoff demerger splitoff spinout",
    "rename": "rename renamed tickerchange symbolchange codechange namechange",
    "merger": "merger merged acquisition acquired takeover cashmerger buyout 合併",
    "delisting": "delisting delisted bankruptcy liquidation 上場廃止 退市",
}
_KINDS = {word: kind for kind, words in _WORDS.items() for word in words.split()}
_BACKWARD = ("reversesplit", "consolidation", "shareconsolidation", "株式併合", "併合", "并股")
"""Words of splits that make fewer shares: 15 after them is 1 for 15."""
_NEED_VALUE = ("split", "dividend", "spinoff")
_ONCE = ("split", "merger", "delisting")
"""Kinds of which a stock has one a day; dividends of a day add up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedTable:
    """What is looked for in the files of one table."""

    table: str
    schema: Schema
    synonyms: Mapping[str, tuple[str, ...]]
    optional: frozenset[str] = frozenset()
    keys: frozenset[str] = frozenset({"symbol", "date"})
    """Columns that must not be empty in any row."""
    ahead: frozenset[str] = frozenset()
    """Days that may lie in the future."""
    instead: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Column -> other columns, any of which does instead."""
    lenient: bool = False
    """A mapping without the table's name is tried first, but not insisted on."""
    finish: Callable[[Cells, pl.DataFrame], pl.DataFrame] = lambda cells, frame: frame
    """What is done to the typed rows; the cells tell where a row comes from."""


def read_table(
    path: Path,
    wanted: WantedTable,
    columns: Mapping[str, str],
    exchange: Exchange,
    settings: ReadingConfig,
) -> tuple[pl.DataFrame, tuple[ReadingPlan, ...]]:
    """The rows of a file or of a folder's files, and how they were read.

    The settings are made for the price table: they are used where a table cannot be read without them.
    """
    known = known_forms(wanted.synonyms, columns)
    look = Look(settings=ReadingConfig(), columns=columns, exchange=exchange, known=known)
    try:
        return _read(path, wanted, look)
    except DataError:
        if settings == ReadingConfig():
            raise
    return _read(path, wanted, dataclasses.replace(look, settings=settings, seen={}))


def _read(
    path: Path, wanted: WantedTable, look: Look
) -> tuple[pl.DataFrame, tuple[ReadingPlan, ...]]:
    sheets, unread = sheets_of(path, look)
    fitting: list[tuple[Sheet, dict[str, Column]]] = []
    for sheet in sheets:
        try:
            fitting.append((sheet, _found(sheet, wanted, look.columns, alone=len(sheets) == 1)))
        except NotATable as error:
            unread.append(passed_over(sheet, error))
    if not fitting:
        raise nothing_in(path, unread)
    frames = [
        (i, sheet.frame.select(LINE, *(pl.col(c.theirs).alias(n) for n, c in found.items())), found)
        for i, (sheet, found) in enumerate(fitting)
    ]
    days = [name for name, dtype in wanted.schema.items() if dtype == pl.Date]
    files = [sheet.name for sheet, _ in fitting]

    def alike(frame: pl.DataFrame) -> object:
        return tuple(shape(frame[name]) for name in days if name in frame.columns)

    parts: list[pl.DataFrame] = []
    plans: list[ReadingPlan] = []
    for cells, members in together(frames, files, alike):
        typed, dates, style = _typed(cells, wanted, look)
        parts.append(wanted.finish(cells, typed))
        sheet, found = fitting[members[0]]
        alike_sheets = [fitting[i][0] for i in members]
        plan = replace(
            plan_of(wanted.table, path, alike_sheets, style),
            columns=tuple(found.values()), left=_left(sheet, found), dates=dates,
            unread=() if plans else tuple(unread),
            notes=tuple(note for one in alike_sheets for note in one.notes),
        )  # fmt: skip
        plans.append(plan)
    return pl.concat(parts, how="diagonal"), tuple(plans)


def _left(sheet: Sheet, found: Mapping[str, Column]) -> tuple[str, ...]:
    taken = {column.theirs for column in found.values()}
    return tuple(name for name in sheet.names if name not in taken)


def _found(
    sheet: Sheet, wanted: WantedTable, columns: Mapping[str, str], *, alone: bool
) -> dict[str, Column]:
    """Our columns; a sheet without a single key is another table, one without some column is an error."""
    found = match(sheet.names, wanted.synonyms, columns, wanted.table, lenient=wanted.lenient)
    for ours in wanted.synonyms:
        if ours in found or any(other in found for other in wanted.instead.get(ours, ())):
            continue
        said = mapped(columns, wanted.table, ours, lenient=wanted.lenient)
        insisted = said is not None and said.insisted
        if not insisted and ours in wanted.optional:
            continue
        looked = said.theirs if said and insisted else ", ".join((ours, *wanted.synonyms[ours])[:6])
        kind = DataError if alone or len(found) >= 2 else NotATable
        raise kind(
            f"{sheet.name}: no column for `{ours}` (looked for {looked}; the file has {listed(sheet.names)})",
            hint=f"map it: --columns '{wanted.table}.{ours}=THEIR_NAME'",
        )
    return found


def _typed(
    cells: Cells, wanted: WantedTable, look: Look
) -> tuple[pl.DataFrame, Dates | None, NumberStyle]:
    there = [name for name in wanted.schema if name in cells.columns]
    numeric = [name for name in there if wanted.schema[name] == pl.Float64]
    style = cells.style(numeric, look.settings.decimal)
    out: list[pl.Series] = []
    dates: Dates | None = None
    for name in there:
        dtype = wanted.schema[name]
        if dtype == pl.Date:
            try:
                column, how = days_of(cells, name, look, ahead=name in wanted.ahead)
            except DataError as error:
                if "--date-format" not in error.hint:
                    raise
                beside = (
                    "that counts for the prices too: if theirs differ, write these as YYYY-MM-DD"
                )
                raise DataError(error.message, hint=f"{error.hint}; {beside}") from None
            dates = how if name == "date" or dates is None else dates
        elif dtype == pl.Float64:
            column = cells.numbers(name, style)
        elif dtype == pl.Boolean:
            column = cells.booleans(name)
        else:
            column = cells.texts(name)
        out.append(cells.filled(name, column) if name in wanted.keys else column)
    return (
        pl.DataFrame([column.rename(name) for column, name in zip(out, there, strict=True)]),
        dates,
        style,
    )


def days_of(cells: Cells, ours: str, look: Look, *, ahead: bool = False) -> tuple[pl.Series, Dates]:
    """A column as days; ``ahead`` lets them lie in the future."""
    column, exchange = cells.frame[ours], look.exchange
    if column.dtype == pl.String:
        column = column.str.strip_chars().replace({"": None})
    try:
        return read_dates(
            column,
            format=look.settings.date_format,
            zone=look.settings.timezone,
            exchange_zone=exchange.zone,
            sessions=exchange.sessions,
            after=look.after,
            now=exchange.now + _AHEAD if ahead else exchange.now,
        )
    except BadValue as bad:
        raise cells.refusal(bad, ours) from None


def _finish(cells: Cells, frame: pl.DataFrame) -> pl.DataFrame:
    absent = [name for name in ("value", "other") if name not in frame.columns]
    frame = frame.with_columns(pl.lit(None, pl.String).alias(name) for name in absent)
    text = frame["value"].replace(["-", "--"], None)
    try:
        values = to_ratios(text, number_style([text]))
    except BadValue as bad:
        raise cells.refusal(bad, "value") from None
    frame = frame.with_columns(values.alias("value"))
    columns = ("kind", "symbol", "value", "other")
    rows = [_one(cells, row, *cell) for row, cell in enumerate(frame.select(columns).iter_rows())]
    kinds = pl.DataFrame(rows, schema={"kind": pl.String, "value": pl.Float64}, orient="row")
    frame = frame.with_columns(kinds["kind"], kinds["value"])
    _no_contradictions(cells, frame)
    return frame.unique(maintain_order=True).sort("date", "symbol", maintain_order=True)


def _one(
    cells: Cells, row: int, word: str, symbol: str, value: float | None, other: str | None
) -> tuple[str, float | None]:
    """Our kind and the value of a row: of splits new shares for an old one, else money, null if not given."""
    kind = _KINDS.get(normal(word))
    if kind is None:
        raise DataError(
            f"{cells.where(row)}, column `kind`: {readable(word)!r} is no kind of action",
            hint=f"one of {', '.join(KINDS_OF_ACTION)}",
        )
    if kind == "split" and normal(word) in _BACKWARD and value is not None and value > 1:
        value = 1 / value
    if kind == "rename":
        if not other or other == symbol:
            raise DataError(
                f"{cells.where(row)}: a rename needs the new code, another than {symbol}",
                hint="in the column `other`",
            )
        return kind, value
    least = "above 0" if kind in _NEED_VALUE else "of 0 or more, or none"
    if (value or 0.0) < 0.0 or (kind in _NEED_VALUE and not value):
        raise DataError(
            f"{cells.where(row)}: a {kind} needs a value {least}",
            hint="new shares for an old one (7 or 7:1) for a split, cash a share for the others",
        )
    return kind, value


def _no_contradictions(cells: Cells, frame: pl.DataFrame) -> None:
    """Two splits of a stock on one day, or two endings, are one event told in two ways: which is right?"""
    key = ["date", "symbol", "kind"]
    once = frame.filter(pl.col("kind").is_in(_ONCE)).unique([*key, "value"])
    twice = once.filter(pl.struct(key).is_duplicated()).sort(*key, "value")
    if len(twice):
        day, symbol, kind = twice.select(key).row(0)
        same = (pl.col("date") == day) & (pl.col("symbol") == symbol) & (pl.col("kind") == kind)
        places = frame.with_row_index("row").filter(same)
        told = " and ".join(f"{value:g}" for value in twice.filter(same)["value"].fill_null(0.0))
        raise DataError(
            f"{' and '.join(cells.where(row) for row in places['row'])}: "
            f"{symbol} has two different {kind}s on {day}: {told}",
            hint="keep the right one",
        )


ACTIONS = WantedTable(
    table="actions",
    schema={**ACTION_SCHEMA, "value": pl.String},
    synonyms={
        "date": (
            "exdate",
            "exday",
            "effectivedate",
            "effective",
            *BARS["date"],
            "権利落ち日",
            "除权日",
        ),
        "symbol": BARS["symbol"],
        "kind": ("type", "action", "event", "actiontype", "eventtype", "種類", "类型"),
        "value": ("ratio", "amount", "factor", "splitratio", "cash", "price", "比率", "金額"),
        "other": (
            "newsymbol",
            "newticker",
            "newcode",
            "to",
            "target",
            "contraticker",
            "othersymbol",
        ),
    },
    optional=frozenset({"value", "other"}),
    keys=frozenset({"date", "symbol", "kind"}),
    ahead=frozenset({"date"}),
    finish=_finish,
)
