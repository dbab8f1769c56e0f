"""What a set of settings changes, and what the preflight said of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.workspace import config_files


@dataclass(frozen=True, slots=True)
class Change:
    """A key whose value is not its default."""

    key: str
    default: str
    value: str
    origin: str
    about: str


@dataclass(frozen=True, slots=True)
class Check:
    """A row of the preflight."""

    name: str
    verdict: str
    """ok, warn, stop."""
    value: str
    hint: str


def changes(workspace: Path, preset: str | None, overrides: Sequence[str]) -> tuple[Change, ...]:
    """Keys with another value than the default, in the order of config.toml. ConfigError if senseless."""
    from engine.config import Config
    from engine.config.file import resolve
    from engine.config.keys import describe, flatten

    resolved = resolve(config_files(workspace), preset=preset, overrides=overrides)
    before, after = flatten(Config()), flatten(resolved.config)
    return tuple(
        Change(
            key=key,
            default=_short(before.get(key)),
            value=_short(value),
            origin=resolved.origins.get(key, _origin(key, resolved.origins)),
            about=describe(key).about,
        )
        for key, value in after.items()
        if value != before.get(key)
    )


def checks(answer: Mapping[str, Any]) -> tuple[Check, ...]:
    """Rows of `preflight --json`; of an answer without rows, its error as a red one."""
    rows = answer.get("rows")
    if isinstance(rows, list):
        return tuple(
            Check(*(str(row.get(name, "")) for name in ("name", "verdict", "value", "hint")))
            for row in rows
            if isinstance(row, dict)
        )
    error = str(answer.get("error", "it ended without an answer"))
    return (Check("preflight", "stop", error, str(answer.get("hint", ""))),)


def _origin(key: str, origins: Mapping[str, str]) -> str:
    """Of a key that a shorter one sets (`training.epochs` sets those of the phases)."""
    table = key.split(".")[0]
    return next((origin for name, origin in origins.items() if name.split(".")[0] == table), "")


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else text[:39] + "…"
