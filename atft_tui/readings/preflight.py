"""What a set of settings changes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.workspace import config_files


@dataclass(frozen=True, slots=True)
class ChangedSetting:
    """A key whose value is not its default."""

    key: str
    default: str
    value: str
    origin: str
    about: str


def changes(
    workspace: Path, preset: str | None, overrides: Sequence[str]
) -> tuple[ChangedSetting, ...]:
    """Keys with another value than the default, in the order of config.toml. ConfigError if senseless."""
    from engine.config import Config
    from engine.config.file import resolve
    from engine.config.keys import describe, flatten

    resolved = resolve(config_files(workspace), preset=preset, overrides=overrides)
    before, after = flatten(Config()), flatten(resolved.config)
    return tuple(
        ChangedSetting(
            key=key,
            default=_short(before.get(key)),
            value=_short(value),
            origin=resolved.origins.get(key, _origin(key, resolved.origins)),
            about=describe(key).about,
        )
        for key, value in after.items()
        if value != before.get(key)
    )


def _origin(key: str, origins: Mapping[str, str]) -> str:
    """Where a key was set, also by a shorter one (`training.epochs` sets those of the phases)."""
    table = key.split(".")[0]
    return next((origin for name, origin in origins.items() if name.split(".")[0] == table), "")


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else text[:39] + "…"
