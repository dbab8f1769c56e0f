"""What sets a run's configuration apart: the preset it is nearest to, and the keys that differ from it.

Kept in the manifest when a run is made, so that it says what was chosen then, whatever the defaults are
later; worked out from ``config.toml`` for runs of versions that did not keep it.
"""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.files import digest, read_toml
from engine.records.run import RunManifest, RunSettings

if TYPE_CHECKING:
    from engine.config import Config


def settings_of(directory: Path, manifest: RunManifest) -> RunSettings:
    """The settings of the run in this directory; none where neither manifest nor file tells them."""
    if manifest.settings is not None:
        return manifest.settings
    path = directory / "config.toml"
    return _nearest(flat(read_toml(path))) if path.is_file() else RunSettings()


def of_config(config: "Config") -> RunSettings:
    """What sets this configuration apart, for the manifest of a run that is made with it."""
    return _nearest(flat(config.model_dump(mode="json", exclude_none=True)))


def settings_digest(config: "Config") -> str:
    """Digest of everything that decides what a run finds; who does the work (`executor`) does not."""
    return digest(config.model_dump(mode="json", exclude={"executor"}))


def _nearest(values: Mapping[str, Any]) -> RunSettings:
    """The shortest way to say a flat configuration: defaults or a preset, then single keys."""
    best = RunSettings(None, _differences(values, _defaults("")))
    for preset in _presets():
        found = _differences(values, _defaults(preset))
        if len(found) + 1 < len(best.changes):
            best = RunSettings(preset, found)
    return best


def flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, object]:
    """Dotted key -> value; the phases of training by their names, other lists as they are."""
    found: dict[str, object] = {}
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


@lru_cache(maxsize=32)
def _defaults(preset: str) -> dict[str, object]:
    from engine.config import Config
    from engine.config.file import PRESETS, override

    config = override(Config(), PRESETS[preset], origin=preset) if preset else Config()
    return flat(config.model_dump(mode="json", exclude_none=True))


def _presets() -> tuple[str, ...]:
    from engine.config.file import PRESETS

    return tuple(PRESETS)


def _differences(values: Mapping[str, Any], plain: Mapping[str, Any]) -> dict[str, object]:
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
