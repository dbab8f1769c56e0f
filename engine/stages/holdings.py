"""The positions that `signals` is given: read, matched to the store, and a card where a line has no price."""

import math
from collections.abc import Mapping
from pathlib import Path

from engine.config import Config
from engine.data.load import clean_panel
from engine.data.store import Snapshot
from engine.errors import UsageError
from engine.records.card import Card
from engine.records.signal_evidence import DayEvidence, PositionEvidence
from engine.runs.events import Noted
from engine.signals.account import Account, account_of
from engine.signals.card import data_lights, position_lights
from engine.signals.position_file import MOST, read_position_file
from engine.stages.context import StageContext
from engine.stages.signal_inputs import seal_exchange


def read_account(
    context: StageContext,
    snapshot: Snapshot,
    positions: str | None,
    columns: Mapping[str, str],
    cash: float | None,
) -> Account | None:
    """The file's lines in the codes of the stocks that have a bar by the session; what was done is said."""
    if positions is None and cash is not None:
        raise UsageError("--cash needs --positions", hint="an account without a file holds nothing")
    if positions is None:
        return None
    path = Path(positions)
    if cash is not None and not (math.isfinite(cash) and abs(cash) <= MOST["cash"]):
        raise UsageError(f"--cash {cash:g} is no amount of cash")
    panel = clean_panel(context.workspace, context.config, snapshot.id)
    known = panel.symbols
    file = read_position_file(
        path, columns=columns, currency=panel.currency, known=frozenset(known)
    )
    account = account_of(
        file, known=known, market=snapshot.exchange, currency=panel.currency, cash=cash
    )
    for note in account.notes:
        context.sink.emit(Noted(message=f"{path.name}: {note}"))
    return account


def position_evidence(account: Account, unpriced: Mapping[str, str]) -> PositionEvidence:
    """What the card looks at; no path is in it. ``unpriced``: `Gatherer.unpriced`."""
    return PositionEvidence(
        lines=account.lines, notes=account.notes, missing={**account.missing, **unpriced}
    )


def stopped_by_positions(evidence: DayEvidence, snapshot: Snapshot, config: Config) -> Card | None:
    """The card of data and positions if a held line has no price; None if all have one."""
    lights = position_lights(evidence)
    if all(light.verdict == "TRADE" for light in lights):
        return None
    session, exchange = snapshot.days[-1], seal_exchange(snapshot)
    return Card.of(session, exchange, [*data_lights(evidence, config.signals), *lights])
