"""Which model trades, since when, and who was it before: ``models/champion.json``."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.files import from_json

_REIGNS = ("promoted", "rolled back")


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRow:
    name: str
    passed: bool
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One promotion, rollback or refusal."""

    number: int
    at: str
    """UTC, ISO 8601."""
    action: str
    model: str
    run: str
    reason: str
    gate: tuple[GateRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Champion:
    model: str
    """Empty while none was promoted."""
    before: str
    """Where a rollback would go; empty if nowhere."""
    since: str
    networks: int
    last_session: str
    """Of its training data."""
    score_horizon: int
    rank_ic: float
    """Of its test days."""
    rank_ic_se: float
    null_band: float
    test_days: int
    history: tuple[Event, ...]
    """Newest first."""


_known: dict[Path, tuple[tuple[int, int], Champion]] = {}


def read_champion(workspace: Path) -> Champion | None:
    """None before the first promotion; the very same value while the list is unchanged."""
    path = workspace / "models" / "champion.json"
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    stamp = stat.st_mtime_ns, stat.st_ino
    known = _known.get(path)
    if known is None or known[0] != stamp:
        known = _known[path] = stamp, _read(path)
    return known[1]


def _read(path: Path) -> Champion:
    history = [_event(entry) for entry in from_json(path.read_bytes())["history"]]
    line = succession(history)
    model = line[-1] if line else ""
    since = next((e.at for e in reversed(history) if e.model == model and e.action in _REIGNS), "")
    facts = _facts(path.parent / model / "model.json") if model else {}
    test = facts.get("test") or {}
    return Champion(
        model=model,
        before=line[-2] if len(line) > 1 else "",
        since=since,
        networks=len(facts.get("blocks", ())),
        last_session=str(facts.get("last_session", "")),
        score_horizon=int(facts.get("score_horizon", 0)),
        rank_ic=_number(test.get("rank_ic")),
        rank_ic_se=_number(test.get("rank_ic_se")),
        null_band=_number(test.get("null_band")),
        test_days=int(test.get("n_dates", 0)),
        history=tuple(reversed(history)),
    )


def succession(history: list[Event]) -> list[str]:
    """Models that a rollback would go back through, the champion last."""
    line: list[str] = []
    for event in history:
        if event.action == "rolled back" and len(line) > 1:
            line.pop()
        elif event.action == "promoted" and (not line or line[-1] != event.model):
            line.append(event.model)
    return line


def _event(entry: Mapping[str, Any]) -> Event:
    return Event(
        number=int(entry["n"]),
        at=str(entry["at"]),
        action=str(entry["action"]),
        model=str(entry["model"]),
        run=str(entry.get("run", "")),
        reason=str(entry.get("reason", "")),
        gate=tuple(
            GateRow(name=str(r["name"]), passed=bool(r["passed"]), detail=str(r["detail"]))
            for r in entry.get("gate", ())
        ),
    )


def _facts(path: Path) -> dict[str, Any]:
    """What the package says of its model; nothing if the package is gone, which ``verify`` tells of."""
    try:
        found = from_json(path.read_bytes())
    except FileNotFoundError:
        return {}
    return found if isinstance(found, dict) else {}


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)
