"""What a row of a broker's file is: a stock, cash, a sum, or something that is left out; long or short."""

import re
from collections.abc import Container, Sequence
from dataclasses import replace

from engine.data.labels import readable
from engine.data.reading.names import normal
from engine.data.reading.numbers import CURRENCIES
from engine.records.orders import CASH
from engine.signals.position_rows import PositionHead, PositionRow, is_total

CURRENCY = re.compile(rf"(?:{CURRENCIES})")
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
SIDES = {
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


def kind_of(row: PositionRow, *, known: Container[str], currency: str, explicit: bool) -> str:
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
    if not CURRENCY.fullmatch(code):
        return False
    return code == currency or not currency or form in ("forex", "fx", "currency", "cash")


def with_sides(rows: Sequence[PositionRow]) -> list[PositionRow]:
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
