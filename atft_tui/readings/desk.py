"""Everything that the signals screen shows, read part by part: one that cannot be read hides no other."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from atft_tui.readings.answers import Answers, read_answers
from atft_tui.readings.card import Card, read_attempt, read_card
from atft_tui.readings.champion import Champion, read_champion
from atft_tui.readings.schedule import Schedule, read_schedule
from atft_tui.readings.seals import Seal, seals
from atft_tui.readings.shadow import Shadow, read_shadow
from atft_tui.readings.signal import Signal, earlier, read_signal
from engine.errors import EngineError
from engine.runs import lock

_SHOWN = 500
"""Newest sealed directories that can be gone through."""
T = TypeVar("T")
_FAULTS = (EngineError, OSError, ValueError, KeyError, TypeError)
"""What a missing, torn or strange file raises."""


@dataclass(frozen=True, slots=True)
class Part(Generic[T]):
    """A value, or None: because there is none yet, or because of the trouble."""

    value: T | None
    trouble: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    seals: tuple[Seal, ...]
    """Oldest session first, then by revision."""
    attempt: Card | None
    """Of a session that nothing is sealed of; later than every seal."""
    signal: Signal | None
    """The one that is shown; None while an attempt is, or before the first."""
    cards: tuple[Card, ...]
    """Of every seal, in their order; empty until the stocks are read too."""
    before: Seal | None
    """What it is compared with."""
    busy: bool
    """Somebody holds the signals' lock: a signal, a ledger or a promotion is being made."""
    shadow: Part[Shadow]
    schedule: Part[Schedule]
    champion: Part[Champion]
    answers: Part[Answers]
    trouble: str = ""
    """Of the attempt's file."""

    @property
    def card(self) -> Card | None:
        return self.signal.card if self.signal is not None else self.attempt

    @property
    def is_empty(self) -> bool:
        return not self.seals and self.attempt is None


def read_desk(workspace: Path, chosen: str | None, now: dt.datetime, *, rows: bool) -> Desk:
    """``chosen``: name of a sealed directory; None or one that is gone = the newest session.

    ``rows``: with the stocks; without them it is fast enough for a first picture.
    """
    sealed = seals(workspace, _SHOWN)
    attempt = part(lambda: read_attempt(workspace))
    newest = sealed[-1].session if sealed else ""
    tried = attempt.value if attempt.value and attempt.value.session > newest else None
    seal = next((one for one in sealed if one.name == chosen), None)
    if seal is None and tried is None and sealed:
        seal = sealed[-1]
    before = earlier(sealed, seal) if seal is not None else None
    signal = None
    if seal is not None:
        plain = Signal(seal=seal, card=read_card(seal))
        signal = read_signal(seal, before) if rows else plain
    return Desk(
        seals=sealed,
        attempt=tried,
        signal=signal,
        cards=tuple(map(read_card, sealed)) if rows else (),
        before=before,
        busy=lock.is_held(workspace / "signals" / ".lock"),
        shadow=part(lambda: read_shadow(workspace)) if rows else Part(None),
        schedule=part(lambda: read_schedule(workspace, now)),
        champion=part(lambda: read_champion(workspace)),
        answers=part(lambda: read_answers(workspace)),
        trouble=attempt.trouble,
    )


def part(read: Callable[[], T | None]) -> Part[T]:
    try:
        return Part(read())
    except _FAULTS as error:
        return Part(None, str(error) or type(error).__name__)
