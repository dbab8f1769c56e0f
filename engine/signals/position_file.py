"""What a broker's file says: lines of stocks with their sign, the cash, and everything that was left out."""

import math
import re
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import polars as pl

from engine.data.reading.names import listed, normal
from engine.data.reading.numbers import (
    CURRENCIES,
    BadValue,
    NumberStyle,
    number_style,
    to_numbers,
)
from engine.errors import UsageError
from engine.plain_text import readable
from engine.records.orders import CASH
from engine.signals.position_rows import (
    SYNONYMS,
    PositionHead,
    PositionRow,
    PositionTable,
    is_total,
    read_rows,
    without_unit,
)

_CURRENCY = re.compile(rf"(?:{CURRENCIES})")
_CASH = re.compile(
    r"(settled|total|free|available)?cash(cash|and|balance|equivalents?|sweep|investments?|funds?"
    r"|moneymarket)*|moneymarket\w*|pendingactivity|現金|现金|お?預り金"
)
_OTHERS = re.compile(
    r"option|future|warrant|bond|fixedincome|fund|crypto|commodit|^(opt|fop|fut|war|cfd|fx|forex)$"
    r"|オプション|先物|債|新株予約権|投資信託|投信|外貨|基金|债|期货|期权"
)
"""Classes of what is no stock; a class that is not known is taken for one of stocks."""
_STOCKS = re.compile(r"stock|equit|stk|share|etf|adr|reit|株")
_SIDES = {
    **dict.fromkeys(
        ("long", "l", "buy", "b", "bought", "買", "買建", "買い", "買い建て", "买", "多"), 1.0
    ),
    **dict.fromkeys(
        ("short", "s", "sell", "sold", "売", "売建", "売り", "売り建て", "卖", "空"), -1.0
    ),
}
_SURE = frozenset({"long", "short", "買建", "売建", "買い建て", "売り建て"})
"""Words that say the side whatever their column is called; B and S may be grades."""
_TRADED = _SURE | {"buy", "sell", "bought", "sold"}
"""Words that say it in a column called after the trade that opened the position; elsewhere advice."""
_TRADES = frozenset({"type", "action", "positiontype", "tradetype", "transactiontype"})
MOST = {"shares": 1e12, "cash": 1e15}
"""What no account holds: more shares than any company has, more money than there is."""
_NUMBER = re.compile(r"[^\w]*\d[\d.,'\u2019 \u00a0]*[^\w]*")
_DAY = re.compile(r"\d{1,4}[./]\d{1,2}[./]\d{1,4}")
_GROUPS = re.compile(r"[+-]?\d{1,3}(\.\d{3})+")
_JAPANESE_NAME = re.compile(r"^([0-9][0-9A-Z]{3,4})\s+(?=.*[^\x00-\x7f])")
_NEGATIVE = re.compile(r"[^\d]*[-\u2212(][^\d]*\d.*")


def _kind_of(row: PositionRow, *, known: Container[str], currency: str, explicit: bool) -> str:
    """stock, cash, or a clause on why the row is left out.

    ``known``: codes of stocks, so that CASH or USD can be one. ``currency``: of the store. ``explicit``: a
    row `CASH` stands for the cash, and counts alone.
    """
    code, kind, name = (row.cells.get(part, "") for part in ("code", "kind", "name"))
    if code == CASH:
        return "cash"
    if is_total(row.first) or is_total(code):
        return "totals left out"
    form = normal(kind)
    money = _CASH.fullmatch(form) is not None or "moneymarket" in form + normal(name)
    if not money and code not in known and not _STOCKS.search(form):
        named = _CASH.fullmatch(normal(code or name)) is not None
        money = (named and not explicit) or _is_money(code, form, currency)
    if money and not explicit:
        return "cash"
    if money or (_OTHERS.search(form) and "etf" not in form):
        return f"left out: {readable(code or name or row.first)} ({readable(kind) or 'cash'})"
    return "stock"


def _is_money(code: str, form: str, currency: str) -> bool:
    """A currency for a code; without a class it must be that of the store, where that is known."""
    if not _CURRENCY.fullmatch(code):
        return False
    return code == currency or not currency or form in ("forex", "fx", "currency", "cash")


def _with_sides(rows: Sequence[PositionRow]) -> list[PositionRow]:
    """Where no column is named as the side, one that says long or short wherever it is filled is it.

    So is a column such as Type or Action that says buy or sell.
    """
    columns: dict[int, int | None] = {}
    out = []
    for row in rows:
        if "side" not in row.head.columns:
            if id(row.head) not in columns:
                columns[id(row.head)] = _side_column(row.head, rows)
            at = columns[id(row.head)]
            if at is not None:
                side = row.every[at] if at < len(row.every) else ""
                out.append(replace(row, cells={**row.cells, "side": side}))
                continue
        out.append(row)
    return out


def _side_column(head: PositionHead, rows: Sequence[PositionRow]) -> int | None:
    mapped = {column.theirs for column in head.columns.values()}
    for at, name in enumerate(head.names):
        said = {normal(row.every[at]) for row in rows if row.head is head and at < len(row.every)}
        words = _TRADED if normal(name) in _TRADES else _SURE
        if name not in mapped and said - {""} and said - {""} <= words:
            return at
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldLine:
    """One line of one stock."""

    code: str
    """As the file spells it."""
    shares: float
    """Negative = short."""
    line: int
    account: str
    currency: str


@dataclass(slots=True, kw_only=True)
class PositionFile:
    name: str
    lines: list[HeldLine] = field(default_factory=list)
    cash: float | None = None
    """Quote currency; None = the file does not say."""
    notes: list[str] = field(default_factory=list)
    """Whole clauses on what was passed over."""


def read_position_file(
    path: Path, *, columns: Mapping[str, str], currency: str, known: Container[str]
) -> PositionFile:
    """Lines and cash of a file. UsageError with file, line and value for what cannot be meant.

    ``columns``: our column -> the file's, by the user. ``currency``: of the store, may be empty; cash in
    another one is left out and said. ``known``: codes of stocks, so that CASH or USD can be one.
    """
    strange = sorted(columns.keys() - SYNONYMS.keys())
    if strange:
        raise UsageError(
            f"--position-columns: {', '.join(map(readable, strange))} is none of ours",
            hint=f"ours are {', '.join(SYNONYMS)}",
        )
    rows = read_rows(path, columns)
    return _Reading(path=path, rows=rows, currency=currency, known=known).read()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    path: Path
    rows: PositionTable
    currency: str
    known: Container[str]

    def read(self) -> PositionFile:
        found = PositionFile(name=str(self.path))
        said: Counter[str] = Counter()
        cash: list[tuple[PositionRow, float]] = []
        rows = _with_sides(self._without_lots(said))
        explicit = any(row.cells["code"] == CASH for row in rows)
        style = self._style(found)
        for row in rows:
            kind = _kind_of(row, known=self.known, currency=self.currency, explicit=explicit)
            if kind == "cash":
                cash.append((row, self._number(row, "cash", style)))
            elif kind == "stock":
                found.lines.append(self._line(row, style))
            else:
                said[kind] += 1
        found.cash = self._cash(cash, found.notes)
        found.notes += [f"{text} ({n} lines)" if n > 1 else text for text, n in said.items()]
        if self.rows.left:
            found.notes.append(f"passed over: {listed(self.rows.left, 5)}")
        return found

    def _without_lots(self, said: Counter[str]) -> list[PositionRow]:
        """Where a broker gives a summary of each stock and its lots, the summaries."""
        details = [normal(row.cells.get("detail", "")) for row in self.rows.rows]
        if "summary" not in details:
            return self.rows.rows
        kept = [
            row
            for row, detail in zip(self.rows.rows, details, strict=True)
            if detail in ("summary", "")
        ]
        if len(kept) < len(details):
            said["lots of what a summary counts already left out"] += len(details) - len(kept)
        return kept

    def _style(self, found: PositionFile) -> NumberStyle:
        """By all cells that look like numbers. In a file parted by ; 1.000 is a thousand."""
        cells = [cell for row in self.rows.rows for cell in row.every]
        numbers = [
            c for c in map(without_unit, cells) if _NUMBER.fullmatch(c) and not _DAY.search(c)
        ]
        style = number_style([pl.Series(numbers, dtype=pl.String)])
        dotted = [cell for cell in numbers if "." in cell]
        if self.rows.separator == ";" and dotted and all(map(_GROUPS.fullmatch, dotted)):
            if style.decimal == ".":
                found.notes.append(f"{dotted[0]} is read as a number of thousands")
            return NumberStyle(decimal=",", thousands=".")
        return style

    def _line(self, row: PositionRow, style: NumberStyle) -> HeldLine:
        shares = self._number(row, "shares", style)
        side = row.cells.get("side", "")
        if side:
            sign = _SIDES.get(normal(side))
            if sign is None:
                raise self._wrong(row, "side", side, "is neither long nor short")
            if sign > 0 > shares:
                why = f"is negative, its side {readable(side)!r} is not"
                raise self._wrong(row, "shares", row.cells["shares"], why)
            shares = sign * abs(shares)
        elif shares > 0 and _NEGATIVE.fullmatch(row.cells.get("value", "")):
            raise self._wrong(row, "value", row.cells["value"], "is negative, the shares are not")
        name = row.cells["code"] or row.cells.get("name", "")
        if not name:
            raise self._wrong(row, "code", "", "is empty")
        code = _JAPANESE_NAME.match(name)
        return HeldLine(
            code=code[1] if code else name,
            shares=shares,
            line=row.line,
            account=row.cells.get("account", ""),
            currency=row.cells.get("currency", ""),
        )

    def _number(self, row: PositionRow, what: str, style: NumberStyle) -> float:
        """Shares of a line, or the money of a line of cash, which may stand as its value alone."""
        column = "shares"
        text = without_unit(row.cells["shares"])
        if what == "cash" and not any(map(str.isdigit, text)) and row.cells.get("value"):
            column, text = "value", row.cells["value"]
        extra = row.every[len(row.head.names) :]
        if any(extra):
            raise UsageError(
                f"{self.path}:{row.line}: {len(row.every)} fields, the names are {len(row.head.names)}",
                hint="write numbers with thousands separators in quotes",
            )
        try:
            value = to_numbers(pl.Series([text], dtype=pl.String), style)[0]
        except BadValue as bad:
            raise self._wrong(row, column, row.cells[column], bad.why) from bad
        if value is None:
            raise self._wrong(row, column, row.cells[column], "is no number")
        value = float(value) * row.head.columns[column].times
        if not math.isfinite(value) or abs(value) > MOST[what]:
            raise self._wrong(row, column, row.cells[column], f"is more {what} than there is")
        return value

    def _cash(self, rows: Sequence[tuple[PositionRow, float]], notes: list[str]) -> float | None:
        """The sum of the lines of cash that are in the store's currency."""
        money: dict[str, float] = {}
        for row, amount in rows:
            form = row.cells["code"].upper()
            name = form if _CURRENCY.fullmatch(form) else row.cells.get("currency", "").upper()
            if normal(form) == "basecurrencysummary":
                name = "BASE"
            money[name] = money.get(name, 0.0) + amount
        if not money:
            return None
        base = money.pop("BASE", None)
        if base is not None and (not self.currency or not money):
            return base
        ours = {name for name in money if not name or not self.currency or name == self.currency}
        others = [f"{money[name]:,.2f} {name}" for name in sorted(money.keys() - ours)]
        if len({name for name in ours if name}) > 1:
            raise UsageError(
                f"{self.path}: cash in several currencies ({', '.join(sorted(money))})",
                hint="give the cash in the currency of the prices with --cash AMOUNT",
            )
        if others:
            notes.append(
                f"left out: cash in another currency than {self.currency}: {listed(others, 5)}"
            )
        if len(rows) > 1 + len(others):
            notes.append(f"{len(rows) - len(others)} lines of cash summed")
        return math.fsum(money[name] for name in ours) if ours or base is not None else None

    def _wrong(self, row: PositionRow, ours: str, value: str, why: str) -> UsageError:
        column = row.head.columns[ours].theirs
        return UsageError(
            f"{self.path}:{row.line}: {readable(row.cells['code'])}: {readable(column)} "
            f"{readable(value)!r} {why}",
            hint="correct the line, or name other columns with --position-columns",
        )
