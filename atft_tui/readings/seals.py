"""Sealed signals and the champion, as the screens show them."""

from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Literal

from atft_tui.readings.files import FILES
from engine.errors import IntegrityError
from engine.records import record
from engine.records.card import Card
from engine.records.champion import CHAMPION_FILE, ChampionHistory, ModelFacts
from engine.records.seal import ATTEMPT, Seal, read_seal, seal_places

_CardStanding = Literal["sealed", "unsealed", "torn", "broken"]
"""``unsealed``: an attempt whose data were not complete. Otherwise as `engine.records.seal.Standing`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownCard:
    """A card and its standing. A card whose seal does not hold is not there: ``trouble`` says why."""

    name: str
    """Name of the sealed directory: ``2016-12-30`` or ``2016-12-30-r1``."""
    session: str
    standing: _CardStanding
    card: Card | None
    trouble: str = ""
    revision: int = 0
    reason: str = ""
    """Why it was revised."""
    digest: str = ""
    """SHA-256 of the manifest, as sealed."""
    key: str = ""
    """What it is of: session, data, model and settings in one text."""

    @property
    def word(self) -> str:
        """TRADE, HOLD or STOP; NOT VALID for a seal that does not hold."""
        return self.card.verdict if self.card else "NOT VALID"


def seals(workspace: Path, limit: int) -> tuple[Seal, ...]:
    """The newest sealed directories, oldest session first, then by revision."""
    places = seal_places(workspace / ATTEMPT.parent)[-limit:]
    return tuple(read_seal(place.directory) for place in places)


@lru_cache(maxsize=1024)
def read_card(seal: Seal) -> ShownCard:
    """The card of a sealed directory; the very same value while no file of the directory changes."""
    card, standing, trouble = None, seal.standing, seal.trouble
    if standing == "sealed":
        try:
            card = seal.card()
        except IntegrityError as error:
            standing, trouble = "broken", error.message
    return ShownCard(
        name=seal.name,
        session=seal.session,
        standing=standing,
        card=card,
        trouble=trouble,
        revision=seal.revision,
        reason=seal.trusted.reason if seal.trusted else "",
        digest=seal.digest,
        key=seal.trusted.key_text if seal.trusted else "",
    )


def read_attempt(workspace: Path) -> ShownCard | None:
    """The last attempt that sealed nothing; None if there was none. RecordError for a torn file."""
    card = record.read_if_there(workspace / ATTEMPT, Card)
    if card is None:
        return None
    return ShownCard(name=card.session, session=card.session, standing="unsealed", card=card)


@dataclass(frozen=True, slots=True, kw_only=True)
class Champion:
    """Who trades, who did before, and what is known of the model."""

    history: ChampionHistory
    facts: ModelFacts | None
    """None where the package is gone, which ``verify`` tells of."""


def read_champion(workspace: Path) -> Champion | None:
    """None before the first promotion. RecordError for a file that cannot be read."""
    path = workspace / CHAMPION_FILE
    history = FILES.record_if_there(path, ChampionHistory)
    if history is None:
        return None
    path = path.parent / (history.champion or "none") / "model.json"
    facts = FILES.record_if_there(path, ModelFacts)
    champion = partial(Champion, history=history, facts=facts)
    return FILES.derive(f"champion {workspace}", (history, facts), champion)
