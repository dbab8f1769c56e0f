"""`fills`: what became of sealed orders in the account, read back for the shadow ledger."""

import datetime as dt
import math
from pathlib import Path
from typing import cast, get_args

from engine.config import Market
from engine.data.calendar import exchange_of, sessions_between
from engine.errors import UsageError
from engine.records import record
from engine.records.figure import DASH
from engine.records.orders import Order, rows_of
from engine.records.shadow import SessionFills, fills_path
from engine.signals.fills import assigned, read_fill_file
from engine.signals.seal import SealStore, verify_seal
from engine.stages.context import Outcome, StageContext, waiting_lock
from engine.stages.ingest_sources import parse_columns
from engine.stages.text import table

_AHEAD = dt.timedelta(days=30)
"""The next session is never farther away."""


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
