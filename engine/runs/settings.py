"""What sets a run's configuration apart: the preset it is nearest to, and the keys that differ from it.

Kept in the manifest when a run is made, so that it says what was chosen then, whatever the defaults are
later; worked out from ``config.toml`` for runs of versions that did not keep it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from engine.files import read_toml
from engine.runs.store import Run

if TYPE_CHECKING:
    from engine.config import Config

FIELD = "settings"
"""Of the manifest."""


@dataclass(frozen=True, slots=True)
class Settings:
    preset: str = ""
    """Empty: nearest to the defaults."""
    changes: tuple[tuple[str, str], ...] = ()
    """Dotted key and value, as one writes it after ``--set``; the configuration is preset + changes."""

    @property
    def short(self) -> str:
        """``demo seed=2 hidden=32``: only the last part of each key."""
        words = [f"{key.rpartition('.')[2]}={value}" for key, value in self.changes]
        return " ".join([self.preset, *words] if self.preset else words)


def settings_of(run: Run, manifest: Mapping[str, Any]) -> Settings:
    kept = manifest.get(FIELD)
    if isinstance(kept, dict) and isinstance(kept.get("changes"), dict):
        return _settings(str(kept.get("preset") or ""), kept["changes"])
    path = run.path("config.toml")
    return nearest(flat(read_toml(path))) if path.is_file() else Settings()


def to_json(config: "Config") -> dict[str, Any]:
    """The manifest's field."""
    preset, changes = _nearest(flat(config.model_dump(mode="json", exclude_none=True)))
    return {"preset": preset or None, "changes": changes}


def nearest(values: Mapping[str, Any]) -> Settings:
    """The shortest way to say a flat configuration: defaults or a preset, then single keys."""
    return _settings(*_nearest(values))


def _nearest(values: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    best = ("", _differences(values, _defaults("")))
    for preset in _presets():
        found = _differences(values, _defaults(preset))
        if len(found) + 1 < len(best[1]):
            best = (preset, found)
    return best


def flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Dotted key -> value; the phases of training by their names, other lists as they are."""
    found: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{key}.")
        elif key == "phases" and isinstance(value, list):
            for number, phase in enumerate(value):
                name = phase.get("name", number) if isinstance(phase, Mapping) else number
                rest = phase if isinstance(phase, Mapping) else {"value": phase}
                found |= flat(rest, f"{prefix}{key}.{name}.")
        else:
            found[prefix + key] = value
    return found


def written(value: Any) -> str:
    """As it is written after ``--set KEY=``."""
    return value if isinstance(value, str) else json.dumps(value)


@lru_cache(maxsize=32)
def _defaults(preset: str) -> dict[str, Any]:
    from engine.commands.presets import PRESETS
    from engine.config import Config
    from engine.config.file import override

    config = override(Config(), PRESETS[preset], origin=preset) if preset else Config()
    return flat(config.model_dump(mode="json", exclude_none=True))


def _presets() -> tuple[str, ...]:
    from engine.commands.presets import PRESETS

    return tuple(PRESETS)


def _differences(values: Mapping[str, Any], plain: Mapping[str, Any]) -> dict[str, Any]:
    """Keys with another value; one that the values lack is of a later version, and no difference.

    Phases that differ in nothing but their epochs are one key, as on the command line.
    """
    found = {key: value for key, value in values.items() if plain.get(key) != value}
    phases = [key for key in found if key.startswith("training.phases.")]
    if phases and all(key.endswith(".epochs") for key in phases):
        epochs = [
            value
            for key, value in values.items()
            if key.startswith("training.phases.") and key.endswith(".epochs")
        ]
        found = {key: value for key, value in found.items() if key not in phases}
        found["training.epochs"] = epochs
    return found


def _settings(preset: str, changes: Mapping[str, Any]) -> Settings:
    return Settings(preset, tuple((key, written(value)) for key, value in changes.items()))
