"""Fills in a broker's file: which order each belongs to, and every row that cannot be meant.

Any table with a code, shares and a price: a broker's report of executions, its columns found by their names
or named by the user. Shares are signed, or a column says buy or sell.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from engine.data.reading.dialect import SEPARATORS
from engine.data.reading.finding import decoded
from engine.data.reading.names import BARS, listed, match, normal
from engine.data.reading.numbers import BadValue, NumberStyle, number_style, to_numbers
from engine.errors import EnvironmentProblem, UsageError
from engine.plain_text import readable
from engine.records.orders import Order, Side
from engine.records.shadow import OrderFill
from engine.signals.account import match_codes
from engine.signals.position_rows import SYNONYMS, is_total, records_of, without_unit

_WORDS: Mapping[str, tuple[str, ...]] = {
    "symbol": (*SYNONYMS["code"], *BARS["symbol"]),
    **{
        ours: tuple(theirs.split())
        for ours, theirs in {
            "shares": "filledqty filledquantity executedquantity executedqty fillquantity quantity qty"
            " shares 約定数量 約定株数 出来数量 数量 株数 成交数量",
            "price": "filledavgprice fillprice executionprice tradeprice tprice avgprice averageprice"
            " avgfillprice price 約定単価 約定価格 平均約定単価 単価 成交价格",
            "side": "side buysell bs action 売買 売買区分 取引 取引区分 買卖 买卖",
            "date": "tradedate date datetime filledat executiontime transactiontime time 約定日 約定日時",
            "commission": "ibcommission commission commfee commissions fees fee 手数料 手数料諸経費等",
            "detail": "datadiscriminator levelofdetail",
        }.items()
    },
}
_NEEDED = ("symbol", "shares", "price")
_DATE = re.compile(r"(\d{4})[-/.年]?(\d{1,2})[-/.月]?(\d{1,2})(?!\d)")
_FARTHEST = 0.5
"""A fill this far from the sealed close is of another unit, another stock, or across a split."""
_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class _FillRow:
    """One fill as the file tells it."""

    line: int
    code: str
    side: Side
    shares: float
    """Positive."""
    price: float
    commission: float
    """What was paid, quote currency."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FillFile:
    """What a file says of one day."""

    rows: tuple[_FillRow, ...]
    bad: tuple[str, ...]
    """``line 7: price 'x' is no number``."""
    notes: tuple[str, ...] = ()


def read_fill_file(path: Path, columns: Mapping[str, str], day: str) -> FillFile:
    """The fills of a day (ISO date); without a column of dates all rows are of it.

    ``columns``: our column (code, shares, price, side, date, commission) -> the file's, by the user.
    UsageError where a table with a code, shares and a price is not found.
    """
    try:
        text = decoded(path.read_bytes(), name=str(path))[0].decode("utf-8")
    except OSError as error:
        raise EnvironmentProblem(f"{path}: cannot be read ({error.strerror})") from error
    said = {"symbol" if ours == "code" else ours: theirs for ours, theirs in columns.items()}
    if strange := sorted(said.keys() - _WORDS.keys()):
        raise UsageError(
            f"--columns: {readable(strange[0])} is none of ours",
            hint="ours are code, shares, price, side, date and commission",
        )
    tables = [_table(text, separator, said) for separator in SEPARATORS]
    best = max(tables, key=len)
    if not best:
        raise UsageError(
            f"{path}: no table with a code, shares and a price",
            hint='name its columns with --columns "code=THEIRS,shares=THEIRS,price=THEIRS"',
        )
    return _read(best, day)


_Cells = tuple[int, dict[str, str]]
"""Line, and our column -> its text."""


def _table(text: str, separator: str, said: Mapping[str, str]) -> list[_Cells]:
    """Rows below the first line of names that has all that is needed; sums are left out."""
    names: list[str] = []
    place: dict[str, int] = {}
    found: list[_Cells] = []
    for line, cells in records_of(text, separator):
        head = match(cells, _WORDS, said, "fills")
        if all(ours in head for ours in (*_NEEDED, *said)):
            names, place = cells, {ours: cells.index(c.theirs) for ours, c in head.items()}
        elif place and any(cells) and not any(map(is_total, cells[:3])):
            short = [*cells, *[""] * (len(names) - len(cells))]
            found.append((line, {ours: short[at] for ours, at in place.items()}))
    kinds = {normal(row.get("detail", "")) for _, row in found}
    if "order" in kinds:  # its own fills follow, and would count twice
        found = [(line, row) for line, row in found if normal(row["detail"]) == "order"]
    return found


def _read(table: Sequence[_Cells], day: str) -> FillFile:
    numbers = [row.get(name, "") for _, row in table for name in ("shares", "price", "commission")]
    style = number_style([pl.Series(list(map(without_unit, numbers)), dtype=pl.String)])
    rows: list[_FillRow] = []
    bad: list[str] = []
    others = 0
    for line, cells in table:
        try:
            if cells.get("date") and _day(cells["date"]) != day:
                others += 1
            elif row := _row(line, cells, style):
                rows.append(row)
        except BadValue as error:
            bad.append(f"line {line}: {error.why}")
    notes = (f"{others} rows are not of {day} and were left out",) if others else ()
    return FillFile(rows=tuple(rows), bad=tuple(bad), notes=notes)


def _row(line: int, cells: Mapping[str, str], style: NumberStyle) -> _FillRow | None:
    """None for a row of no shares, such as an order that was cancelled. BadValue says what is wrong."""
    shares = _number(cells, "shares", style)
    if not shares:
        return None
    if not cells["symbol"]:
        raise BadValue("has no code")
    price = _number(cells, "price", style)
    if not price > 0:
        raise BadValue(f"price {readable(cells['price'])!r} is not above 0")
    return _FillRow(
        line=line,
        code=cells["symbol"],
        side=_side(cells.get("side", ""), shares),
        shares=abs(shares),
        price=price,
        commission=abs(_number(cells, "commission", style)) if cells.get("commission") else 0.0,
    )


def _number(cells: Mapping[str, str], name: str, style: NumberStyle) -> float:
    text = without_unit(cells[name])
    value = None
    try:
        value = to_numbers(pl.Series([text], dtype=pl.String), style)[0]
    except BadValue as error:
        raise BadValue(f"{name} {readable(cells[name])!r} {error.why}") from error
    if value is None or not math.isfinite(value):
        raise BadValue(f"{name} {readable(cells[name])!r} is no number")
    return float(value)


def _side(word: str, shares: float) -> Side:
    form = normal(word)
    buys = form in ("b", "bot", "bought", "buy", "cover") or "買" in form or "买" in form
    sells = (
        form in ("s", "sld", "sold", "sell", "short", "sellshort") or "売" in form or "卖" in form
    )
    if buys != sells:
        if buys and shares < 0:
            raise BadValue("buys a negative number of shares")
        return "buy" if buys else "sell"
    if form:
        raise BadValue(f"side {readable(word)!r} is neither buy nor sell")
    return "buy" if shares > 0 else "sell"


def _day(text: str) -> str:
    found = _DATE.search(text)
    if found is None:
        raise BadValue(
            f"date {readable(text)!r} is not written with the year first", hint="leave it out"
        )
    return f"{found[1]}-{int(found[2]):02d}-{int(found[3]):02d}"


def assigned(
    orders: Sequence[Order], file: FillFile, path: Path, market: str
) -> tuple[list[OrderFill], list[str]]:
    """Each order with its fills, and notes. UsageError names every row that cannot be meant.

    ``market``: exchange of the codes, for those that are spelt otherwise.
    """
    known = {order.symbol: order for order in orders}
    codes = match_codes(dict.fromkeys(row.code for row in file.rows), known, market=market)
    bad, mine, extra = list(file.bad), dict[str, list[_FillRow]](), list[str]()
    for row in file.rows:
        code = codes.found.get(row.code)
        if code is None:
            extra.append(row.code)
            continue
        order, name = known[code], f"line {row.line}: {readable(row.code)}"
        if row.side != order.side:
            bad.append(f"{name}: a {row.side}, the order is a {order.side}")
        elif abs(row.price / order.close - 1.0) > _FARTHEST:
            bad.append(f"{name}: {row.price:g} is far from the sealed close {order.close:g}")
        mine.setdefault(code, []).append(row)
    for code, rows in mine.items():
        total = math.fsum(row.shares for row in rows)
        if total > known[code].shares * (1 + 1e-9):
            lines = ", ".join(str(row.line) for row in rows)
            bad.append(f"line {lines}: {total:g} of {code} filled, {known[code].shares} ordered")
    if bad:
        more = f" and {len(bad) - _SHOWN} more" if len(bad) > _SHOWN else ""
        raise UsageError(
            f"{path}: {'; '.join(bad[:_SHOWN])}{more}",
            hint="correct these rows, or name other columns with --columns; nothing was stored",
        )
    notes = [*file.notes]
    if extra:
        notes.append(
            f"fills of no order of this signal left out: {listed(dict.fromkeys(extra), 5)}"
        )
    return [_filled(order, mine.get(order.symbol, ())) for order in orders], notes


def _filled(order: Order, rows: Iterable[_FillRow]) -> OrderFill:
    rows = list(rows)
    shares = math.fsum(row.shares for row in rows)
    paid = math.fsum(row.shares * row.price for row in rows)
    return OrderFill(
        code=order.symbol,
        side=order.side,
        ordered=order.shares,
        filled=shares,
        price=paid / shares if shares else math.nan,
        close=order.close,
        commission=math.fsum(row.commission for row in rows),
        fills=len(rows),
    )
