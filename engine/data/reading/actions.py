"""The user's table of corporate actions: its names, its words for kinds, and ratios such as 7:1."""

import re

import polars as pl

from engine.data.labels import readable
from engine.data.reading.columns import Cells
from engine.data.reading.names import BARS, normal
from engine.data.reading.tables import Wanted
from engine.data.tables import ACTION_SCHEMA, KINDS_OF_ACTION
from engine.errors import DataError

WORDS = {
    "split": "split stocksplit splits forwardsplit reversesplit consolidation sharesplit shareconsolidation"
    " 株式分割 分割 株式併合 併合 拆股 并股",
    "dividend": "dividend dividends cashdividend div specialdividend distribution 配当 配当金 分红 派息",
    "spinoff": "spinoff demerger splitoff spinout",
    "rename": "rename renamed tickerchange symbolchange codechange namechange",
    "merger": "merger merged acquisition acquired takeover cashmerger buyout 合併",
    "delisting": "delisting delisted bankruptcy liquidation 上場廃止 退市",
}
KINDS = {word: kind for kind, words in WORDS.items() for word in words.split()}
BACKWARD = frozenset(
    ["reversesplit", "consolidation", "shareconsolidation", "株式併合", "併合", "并股"]
)
"""Words of splits that make fewer shares: 15 after them is 1 for 15."""
RATIO = re.compile(r"^(\d+(?:\.\d+)?)\s*(?::|/|-?\s*for\s*-?)\s*(\d+(?:\.\d+)?)$", re.IGNORECASE)
NEED_VALUE = ("split", "dividend", "spinoff")


def _finish(cells: Cells, frame: pl.DataFrame) -> pl.DataFrame:
    rows = [
        _one(cells, row, *values)
        for row, values in enumerate(frame.select("kind", "value", "other").iter_rows())
    ]
    kinds = pl.DataFrame(rows, schema={"kind": pl.String, "value": pl.Float64}, orient="row")
    return frame.with_columns(kinds["kind"], kinds["value"]).sort(
        "date", "symbol", maintain_order=True
    )


def _one(
    cells: Cells, row: int, word: str, text: str | None, other: str | None
) -> tuple[str, float | None]:
    kind = KINDS.get(normal(word))
    if kind is None:
        raise DataError(
            f"{cells.where(row)}, column `kind`: {readable(word)!r} is no kind of action",
            hint=f"one of {', '.join(KINDS_OF_ACTION)}",
        )
    value = _value(cells, row, text)
    if kind == "split" and normal(word) in BACKWARD and value is not None and value > 1:
        value = 1 / value
    if kind in NEED_VALUE and (value is None or value <= 0):
        raise DataError(
            f"{cells.where(row)}: a {kind} needs a value above 0",
            hint="new shares per old share (7 or 7:1) for a split, cash a share for the others",
        )
    if kind == "rename" and not other:
        raise DataError(
            f"{cells.where(row)}: a rename needs the new code", hint="in the column `other`"
        )
    return kind, value


def _value(cells: Cells, row: int, text: str | None) -> float | None:
    """7, ``7:1``, ``7-for-1``, ``1:15``, 0.5; None where nothing stands."""
    if text is None or text in ("-", "--"):
        return None
    ratio = RATIO.match(text)
    try:
        if ratio and float(ratio[2]):
            return float(ratio[1]) / float(ratio[2])
        return float(text.lstrip("$€£¥").replace(",", ""))
    except ValueError:
        raise DataError(
            f"{cells.where(row)}, column `value`: {readable(text)!r} is neither a number nor a ratio",
            hint="7, 7:1, 7-for-1 or 0.5",
        ) from None


def _with_all(cells: Cells, frame: pl.DataFrame) -> pl.DataFrame:
    absent = [
        pl.lit(None, pl.String).alias(name) for name in ("value", "other") if name not in frame
    ]
    return _finish(cells, frame.with_columns(absent))


ACTIONS = Wanted(
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
    finish=_with_all,
)
