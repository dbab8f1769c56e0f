"""What a `signals` job has come to: a sealed signal, or why there is none yet."""

import datetime as dt
from pathlib import Path

from engine.records import record
from engine.records.card import Light, why_not
from engine.records.seal import read_seal, seal_places
from engine.schedule.jobs import Ended

_TRADE, GATE = 0, 6
_SIGNALS = "signals"
"""Directory of sealed signals in the workspace."""


def is_sealed(ended: Ended) -> bool:
    """Sealed with a card, whatever it says. A card without a seal is of data that are not complete."""
    return ended.exit_code in (_TRADE, GATE) and bool(ended.answer.get("seal"))


def why(ended: Ended) -> str:
    """One sentence on why there is no signal."""
    if "verdict" not in ended.answer:
        return ended.problem
    return why_not([record.convert(light, Light, "lights") for light in ended.answer["lights"]])


def find_sealed(workspace: Path, session: dt.date) -> Ended | None:
    """The newest sealed signal of a session as its job would answer; its card's hash is checked."""
    day = session.isoformat()
    places = [one for one in seal_places(workspace / _SIGNALS) if one.session == day]
    if not places:
        return None
    seal = read_seal(places[-1].directory)
    card = seal.card()
    answer = {
        "session": day,
        "verdict": card.verdict,
        "lights": [record.as_json(light) for light in card.lights],
        "directory": str(seal.directory),
        "seal": seal.digest,
    }
    return Ended(exit_code=card.exit_code, answer=answer)
