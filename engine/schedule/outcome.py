"""What a `signals` job has come to: a sealed signal, or why there is none yet."""

import datetime as dt
from pathlib import Path

from engine.files import read_json
from engine.schedule.jobs import Ended

TRADE, GATE = 0, 6


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
    """The newest sealed signal of a session as its job would answer, after its card was checked."""
    places = sorted((workspace / "signals").glob(f"{session}*"))
    if not places:
        return None
    directory = places[-1]
    card = read_json(directory / "card.json")
    verdict = card["verdict"]
    answer = {
        "session": str(session),
        "verdict": verdict,
        "lights": card["lights"],
        "directory": str(directory),
        "seal": (directory / "SEAL").read_text().strip(),
    }
    return Ended(exit_code=TRADE if verdict == "TRADE" else GATE, answer=answer)
