"""The user's table of corporate actions: its names, its words for kinds, and ratios such as 7:1."""

import polars as pl

from engine.data.reading.columns import Cells
from engine.data.reading.names import BARS, normal
from engine.data.reading.numbers import BadValue, number_style, to_ratios
from engine.data.reading.tables import WantedTable
from engine.data.tables import ACTION_SCHEMA, KINDS_OF_ACTION
from engine.errors import DataError
from engine.plain_text import readable

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
