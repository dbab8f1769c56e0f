"""`orders`: the sealed orders of a session as a file that a broker takes."""

from pathlib import Path

from engine.data.calendar import EXCHANGES, currency_of
from engine.errors import GateError
from engine.files import write_bytes
from engine.records import record
from engine.records.exported import Exported
from engine.records.orders import Order, rows_of
from engine.records.seal import Seal
from engine.signals.brokers import ALPACA, alpaca_orders, csv_orders, find_template
from engine.signals.seal import SealStore, verify_seal
from engine.stages.context import Outcome, StageContext


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
