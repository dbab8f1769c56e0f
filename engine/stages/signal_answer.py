"""What `signals` says of a sealed directory: read from it, so that it is the same every time."""

import csv
import io
import json
from typing import Any

from engine.errors import GateError
from engine.signals.seal import Sealed
from engine.stages.context import Outcome


def answer(sealed: Sealed) -> Outcome:
    """Exit code 0 for TRADE, else 6."""
    card = json.loads(sealed.read("card.json"))
    orders, refused = (_rows(sealed.read(f"{name}.csv")) for name in ("orders", "refused"))
    verdict = card["verdict"]
    summary = {
        "session": sealed.session,
        "key": sealed.manifest["key_text"],
        "revision": sealed.revision,
        "verdict": verdict,
        "lights": card["lights"],
        "directory": str(sealed.directory),
        "seal": sealed.seal,
        "orders": orders,
        "refused": refused,
        "figures": card["orders"],
    }
    text = sealed.read("card.md").decode() + f"\nsealed in {sealed.directory}\nseal {sealed.seal}"
    code = 0 if verdict == "TRADE" else GateError.exit_code
    return Outcome(json=summary, text=text, exit_code=code)


def _rows(content: bytes) -> list[dict[str, Any]]:
    """Rows of a sealed CSV; numbers as numbers."""
    texts = {"code", "side", "reason", "rule"}
    return [
        {k: v if k in texts else _value(v) for k, v in row.items()}
        for row in csv.DictReader(io.StringIO(content.decode()))
    ]


def _value(text: str) -> float | int | None:
    if not text:
        return None
    return int(text) if text.lstrip("-").isdigit() else float(text)
