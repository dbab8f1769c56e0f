"""Sealed orders as files that brokers take.

Interactive Brokers (a basket of Trader Workstation), SBI, Rakuten and any other CSV: a template says columns
and words. One of the workspace, ``brokers/NAME.toml``, goes before ours, which is written there on first use.
Alpaca: the bodies of ``POST /v2/orders``, as https://docs.alpaca.markets/docs/working-with-orders tells them
(looked at 2026-11-30). Where each format of ours was found, or that it was not, stands in its template.
"""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from engine.errors import ConfigError, UsageError
from engine.files import inside, read_toml, strict_text, write_text
from engine.records.orders import Order

ALPACA, _TEMPLATES = "alpaca", ("ibkr", "sbi", "rakuten")
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,30}")
_CODE = re.compile(r"[A-Za-z0-9][\w./ ^-]*")
"""What a code looks like: no formula of a spreadsheet, no quote and no separator."""
_FIELD = re.compile(r"\{(\w+)\}")
_Kind = Literal["buy", "sell", "short", "cover"]


class Template(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``brokers/NAME.toml``: what a broker's file of orders looks like."""

    columns: tuple[tuple[str, str], ...]
    """Name and content of each column; ``{field}`` is put in."""
    encoding: str = "utf-8"
    separator: str = ","
    header: bool = True
    """Whether the names are the first line."""
    lot: int = 1
    """Every order must be a multiple of it."""
    split: bool = False
    """Whether an order that turns a position is two: one that closes, one that opens."""
    buy: str = "BUY"
    sell: str = "SELL"
    short: str = ""
    """Word for a sale that opens a short position; empty: as ``sell``."""
    cover: str = ""
    """Word for a purchase that closes one; empty: as ``buy``."""
    code_from: str = ""
    code_to: str = ""
    """Regular expression in our code, and what stands for it in theirs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """One order as a broker gets it."""

    order: Order
    kind: _Kind
    shares: int
    lots: int


def _parts_of(orders: Sequence[Order], *, split: bool) -> Iterator[_Part]:
    """The orders in their sequence; ``split``: one that turns a position as two, the closing one first."""
    for order in orders:
        lot = order.shares // order.lots if order.lots else 1
        buys = order.side == "buy"
        against = order.held < 0 if buys else order.held > 0
        closing = int(abs(order.held)) // lot * lot if against else 0
        closing = min(order.shares, closing)
        kinds: tuple[_Kind, _Kind] = ("cover", "buy") if buys else ("sell", "short")
        shares = [closing, order.shares - closing]
        if not split and all(shares):
            kinds, shares = ("buy", "buy") if buys else ("sell", "sell"), [order.shares, 0]
        for kind, n in zip(kinds, shares, strict=True):
            if n:
                yield _Part(order=order, kind=kind, shares=n, lots=n // lot)


def _broker_names(workspace: Path) -> list[str]:
    """Ours and those of the workspace's templates, sorted."""
    own = (path.stem for path in (workspace / "brokers").glob("*.toml"))
    return sorted({ALPACA, *_TEMPLATES, *own})


def find_template(workspace: Path, name: str) -> tuple[Template, Path, bool]:
    """The workspace's template, its file, and whether it was written just now.

    UsageError for a name that nobody has, ConfigError for a file that is none.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"--to {name!r:.40} is no name of a broker", hint=_known(workspace))
    path = inside(workspace / "brokers", f"{name}.toml")
    made = not path.is_file()
    if made:
        if name not in _TEMPLATES:
            raise UsageError(f"no template {path}", hint=_known(workspace))
        ours = resources.files("engine.signals") / "templates" / f"{name}.toml"
        write_text(path, ours.read_text(encoding="utf-8"), listed=False)
    try:
        return msgspec.convert(read_toml(path), Template), path, made
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {error}") from error


def csv_orders(
    template: Template, place: str, orders: Sequence[Order], tag: str, currency: str = ""
) -> bytes:
    """The file of a broker. ConfigError for a template that cannot be, UsageError for an order that the
    broker would not take; both name it. ``place``: what the template is called in messages. ``tag``:
    session and revision. ``currency``: of the store, empty if it is not known.
    """
    rows = []
    for number, part in enumerate(_parts_of(orders, split=template.split), 1):
        if part.shares % template.lot:
            raise UsageError(
                f"{part.order.symbol}: {part.shares} shares are no multiple of {template.lot}",
                hint=f"lot in {place}",
            )
        fields = _fields(template, part, number, tag) | ({"currency": currency} if currency else {})
        rows.append([_put(content, fields, place) for _, content in template.columns])
    buffer = io.StringIO()
    try:
        writer = csv.writer(buffer, delimiter=template.separator, lineterminator="\r\n")
        if template.header:
            writer.writerow([name for name, _ in template.columns])
        writer.writerows(rows)
        return buffer.getvalue().encode(template.encoding)
    except (LookupError, TypeError, ValueError) as error:  # UnicodeEncodeError is a ValueError
        raise ConfigError(f"{place}: {error}") from error


def alpaca_orders(orders: Sequence[Order], tag: str) -> bytes:
    """A list of bodies for ``POST /v2/orders``: limit orders of the day, whole shares.

    ``client_order_id`` is made of session, revision and place: Alpaca refuses the same one twice, so that
    a list that is sent again trades nothing again. A position is closed before the other side is opened.
    """
    bodies = [
        {
            "symbol": _checked(part.order.symbol),
            "qty": str(part.shares),
            "side": part.order.side,
            "type": "limit",
            "time_in_force": "day",
            "limit_price": _number(part.order.limit),
            "client_order_id": f"{tag}-{number}",
        }
        for number, part in enumerate(_parts_of(orders, split=True), 1)
    ]
    return (strict_text(bodies, sort_keys=False) + "\n").encode()


def _fields(template: Template, part: _Part, number: int, tag: str) -> dict[str, str]:
    order = part.order
    words = {
        "buy": template.buy,
        "sell": template.sell,
        "short": template.short or template.sell,
        "cover": template.cover or template.buy,
    }
    code = _checked(order.symbol)
    if template.code_from:
        try:
            code = re.sub(template.code_from, template.code_to, code)
        except (re.error, IndexError) as error:
            raise ConfigError(f"code_from, code_to: {error}") from error
    return {
        "code": code,
        "side": words[part.kind],
        "shares": str(part.shares),
        "lots": str(part.lots),
        "limit": _number(order.limit),
        "close": _number(order.close),
        "session": tag[:10],
        "number": str(number),
        "tag": tag,
    }


def _put(content: str, fields: dict[str, str], place: str) -> str:
    unknown = [name for name in _FIELD.findall(content) if name not in fields]
    if unknown:
        raise ConfigError(
            f"{place}: {{{unknown[0]}}} is not known; known are {', '.join(fields)}",
            hint="where it is the currency: data.currency says it, or write it into the template",
        )
    return _FIELD.sub(lambda found: fields[found[1]], content)


def _checked(code: str) -> str:
    if not _CODE.fullmatch(code):
        raise UsageError(f"{code!r:.40} is no code that a broker knows")
    return code


def _number(value: float) -> str:
    return f"{value:.10g}"


def _known(workspace: Path) -> str:
    return f"known are {', '.join(_broker_names(workspace))}; another one is brokers/NAME.toml"
