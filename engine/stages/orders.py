"""`orders` and `fills`: the sealed orders of a session as a file that a broker takes, and what became of them
in the account, read back for the shadow ledger.
"""

import datetime as dt
import math
from pathlib import Path
from typing import cast, get_args

from engine.config import Market
from engine.data.calendar import EXCHANGES, currency_of, exchange_of, sessions_between
from engine.errors import GateError, UsageError
from engine.files import write_bytes
from engine.records import record
from engine.records.exported import Exported
from engine.records.figure import DASH
from engine.records.orders import Order, rows_of
from engine.records.seal import Seal
from engine.records.shadow import SessionFills, fills_path
from engine.signals.brokers import ALPACA, alpaca_orders, csv_orders, find_template
from engine.signals.fills import assigned, read_fill_file
from engine.signals.seal import SealStore, verify_seal
from engine.stages.context import Outcome, StageContext, waiting_lock
from engine.stages.ingest_sources import parse_columns
from engine.stages.text import table

_AHEAD = dt.timedelta(days=30)
"""The next session is never farther away."""


def orders(
    context: StageContext, *, session: str, to: str, output: str, force: bool = False
) -> Outcome:
    """Write the orders of a seal, after it was checked whole, inputs included.

    GateError for a card that says STOP unless ``force``: no file is written then.
    """
    seals = SealStore(context.workspace / "signals")
    seal = seals.open(session)
    verify_seal(seal, seals.pins)
    card = seal.card()
    if card.verdict == "STOP" and not force:
        why = "; ".join(light.reason for light in card.troubles if light.verdict == "STOP")
        raise GateError(
            f"{seal.name}: its card says STOP ({why}), so no orders are written",
            hint="look at `card.md` of the signal; --force writes them all the same",
        )
    found = rows_of(seal.read("orders.csv"), Order, f"{seal.directory}/orders.csv")
    notes = list(_notes(seals, seal, found))
    tag = f"{seal.session}-r{seal.revision}"
    if to == ALPACA:
        content = alpaca_orders(found, tag)
    else:
        template, path, made = find_template(context.workspace, to)
        content = csv_orders(template, str(path), found, tag, _currency(context, seal))
        if made:
            notes.append(f"{path} was written: hold its columns against those of your tool")
    write_bytes(Path(output), content, listed=False)
    told = Exported(
        target=to,
        place=output,
        files=(output,),
        counts={"orders": len(found)},
        notes=tuple(notes),
    )
    return Outcome(json={**record.as_json(told), "verdict": card.verdict}, text=told.text)


def _currency(context: StageContext, seal: Seal) -> str:
    """Of the prices of the seal's exchange; empty where nobody said it."""
    exchange, named = seal.key.exchange, context.config.data.currency
    own = (currency_of(market, "") for market, code in EXCHANGES.items() if code == exchange)
    return named or next(own, "")


def _notes(seals: SealStore, seal: Seal, found: list[Order]) -> list[str]:
    """What a person should know before the file is sent."""
    told = []
    card = seal.card()
    if card.verdict != "TRADE":
        why = "; ".join(light.reason for light in card.troubles)
        told.append(f"the card says {card.verdict}: {why}")
    newest = seals.newest()[-1]
    if (newest.session, newest.revision) != (seal.session, seal.revision):
        told.append(f"{newest.name} was sealed after it")
    if not found:
        told.append("nothing is to be traded")
    return told


def fills(context: StageContext, *, file: str, session: str, columns: str | None = None) -> Outcome:
    """Hold the fills of a file against the orders of a seal and keep them; what was kept before is replaced.

    UsageError names every row that cannot be meant, and nothing is kept then. `ledger` shows the fills as
    ``fills`` beside the simulated ones.
    """
    seals, path = SealStore(context.workspace / "signals"), Path(file)
    seal = seals.open(session)
    verify_seal(seal, seals.pins)
    orders = rows_of(seal.read("orders.csv"), Order, f"{seal.directory}/orders.csv")
    exchange = seal.key.exchange
    found = read_fill_file(path, parse_columns(columns), _next_session(exchange, seal.session))
    filled, notes = assigned(orders, found, path, exchange)
    told = SessionFills(
        session=seal.session,
        revision=seal.revision,
        seal=seal.digest,
        file=path.name,
        at=context.now().isoformat(timespec="seconds"),
        orders=tuple(filled),
        notes=tuple(notes),
    )
    with waiting_lock(context, seals.root):
        record.write(fills_path(seals.root, seal), told)
    answer = record.as_json(told) | {
        "slippage_bps": told.slippage,
        "missed": [order.code for order in told.missed],
    }
    return Outcome(json=answer, text=_text(told))


def _next_session(exchange: str, session: str) -> str:
    """The session on which orders decided at the close of this one are filled."""
    if exchange in get_args(Market):  # so seals of early versions name it
        exchange = exchange_of(cast(Market, exchange), "")
    day = dt.date.fromisoformat(session)
    later = sessions_between(exchange, day + dt.timedelta(days=1), day + _AHEAD)
    if not later.size:
        raise UsageError(f"the calendar of {exchange} knows no session after {session}")
    return str(later[0])


def _text(told: SessionFills) -> str:
    rows = [
        [
            order.code,
            order.side,
            f"{order.ordered:,}",
            f"{order.filled:,g}",
            DASH if math.isnan(order.price) else f"{order.price:g}",
            f"{order.close:g}",
            DASH if math.isnan(order.slippage) else f"{order.slippage:+.1f}",
        ]
        for order in told.orders
    ]
    header = ["code", "side", "ordered", "filled", "price", "sealed close", "slippage, bp"]
    mean = "none was filled" if math.isnan(told.slippage) else f"{told.slippage:+.1f} bp"
    lines = [
        table(rows, header=header) if rows else "the signal has no orders",
        "",
        f"slippage against the sealed close, weighted by value: {mean}; "
        f"{len(told.missed)} of {len(told.orders)} orders missed",
        *(f"note: {note}" for note in told.notes),
    ]
    return "\n".join(lines)
