"""The champion as the screens show it: its history, and what its package says of itself."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from atft_tui.readings.cached import FILES
from engine.records.champion import CHAMPION_FILE, ChampionHistory, ModelFacts


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
