"""What a `signals` job has come to: a sealed signal, or why there is none yet."""

import datetime as dt
import json
from pathlib import Path

from engine.schedule.jobs import Ended
from engine.signals.seal import SealStore

TRADE, GATE = 0, 6
_SIGNALS = "signals"
"""Directory of sealed signals in the workspace."""


def is_sealed(ended: Ended) -> bool:
    """Sealed with a card, whatever it says. A card without a seal is of data that are not complete."""
    return ended.exit_code in (TRADE, GATE) and bool(ended.answer.get("seal"))


def why(ended: Ended) -> str:
    """One sentence on why there is no signal."""
    if "verdict" not in ended.answer:
        return ended.problem
    lights = [light for light in ended.answer["lights"] if light["verdict"] != "TRADE"]
    return "; ".join(f"{light['name']}: {light['reason']}" for light in lights)


def find_sealed(workspace: Path, session: dt.date) -> Ended | None:
    """The newest sealed signal of a session as its job would answer; its card's hash is checked."""
    sealed = SealStore(workspace / _SIGNALS).of(session.isoformat())
    if not sealed:
        return None
    newest = sealed[-1]
    card = json.loads(newest.read("card.json"))
    verdict = str(card["verdict"])
    answer = {
        "session": session.isoformat(),
        "verdict": verdict,
        "lights": card["lights"],
        "directory": str(newest.directory),
        "seal": newest.seal,
    }
    return Ended(exit_code=TRADE if verdict == "TRADE" else GATE, answer=answer)
