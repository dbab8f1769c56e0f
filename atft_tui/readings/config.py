"""Every key of the configuration as a row: value, where it comes from, what it means, what it may be."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from atft_tui.readings.cached import Stamp, stamp_of
from engine.workspace import CONFIG, config_files

_DATA_TABLES = ("data", "quality", "universe", "labels", "features", "graph", "split")
"""What is built from data under these is kept by a digest of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRow:
    key: str
    value: str
    """As TOML."""
    default: str
    origin: str
    """default, config.toml:12 (of the current directory) or workspace:12."""
    limits: str
    unit: str
    about: str
    in_workspace: bool
    """Set in the workspace's file: can be taken back."""

    @property
    def is_changed(self) -> bool:
        return self.value != self.default

    @property
    def is_of_data(self) -> bool:
        return self.key.split(".")[0] in _DATA_TABLES


@dataclass(frozen=True, slots=True)
class PresetRow:
    name: str
    changes: tuple[tuple[str, str, str], ...]
    """(key, value now, value with the preset)."""


@dataclass(frozen=True, slots=True)
class ConfigNews:
    rows: tuple[KeyRow, ...]
    presets: tuple[PresetRow, ...]
    path: Path
    """The workspace's file, which edits go to."""


class ConfigReader:
    """Resolves the configuration anew when one of its files changed."""

    def __init__(self, workspace: Path) -> None:
        self.workspace = workspace
        self._stamps: tuple[Stamp, ...] | None = None
        self._news: ConfigNews | None = None

    def read(self) -> ConfigNews:
        """ConfigError while a file is wrong."""
        stamps = tuple(stamp_of(path) for path in config_files(self.workspace))
        if self._news is None or stamps != self._stamps:
            self._news = _read(self.workspace)
            self._stamps = stamps
        return self._news


def _read(workspace: Path) -> ConfigNews:
    from engine.config.edit import PHASES
    from engine.config.file import describe, resolve, unit

    found = resolve(config_files(workspace))
    values, defaults = _flat(found.config), _defaults()
    path = workspace / CONFIG
    rows = []
    for key, value in values.items():
        is_phase = key.startswith(f"{PHASES}.")
        source = PHASES if is_phase else key
        origin, here = _origin(found.origins.get(source, "default"), path)
        about, limits = _describe_phase(key) if is_phase else describe(key)
        rows.append(
            KeyRow(
                key=key,
                value=value,
                default=defaults.get(key, value),
                origin=origin,
                limits=limits,
                unit="" if is_phase else unit(key),
                about=about,
                in_workspace=here,
            )
        )
    return ConfigNews(tuple(rows), _presets(values, config_files(workspace)), path)


def _origin(origin: str, workspace_file: Path) -> tuple[str, bool]:
    """Short, and whether it is the workspace's file."""
    path, colon, line = origin.rpartition(":")
    if colon and Path(path) == workspace_file:
        return f"workspace:{line}", True
    return origin, False


def _flat(config: Any) -> dict[str, str]:
    """Keys with their value as TOML; the phases are opened by their names."""
    from engine.config.edit import PHASES
    from engine.config.file import flatten, toml_text

    values = {}
    for key, value in flatten(config).items():
        if key != PHASES:
            values[key] = toml_text(value)
            continue
        for phase in value:
            for name, part in phase.model_dump(mode="json").items():
                if name != "name":
                    values[f"{PHASES}.{phase.name}.{name}"] = toml_text(part)
    return values


@cache
def _defaults() -> Mapping[str, str]:
    from engine.config import Config

    return _flat(Config())


def _describe_phase(key: str) -> tuple[str, str]:
    """Documentation and range of ``training.phases.NAME.KEY``."""
    from engine.config import PhaseConfig
    from engine.config.file import describe_field

    name = re.sub(r"^.*\.", "", key)
    return describe_field(PhaseConfig.model_fields[name])


def _presets(values: Mapping[str, str], files: tuple[Path, ...]) -> tuple[PresetRow, ...]:
    """What each preset would change here."""
    from engine.commands.presets import PRESETS
    from engine.config.file import resolve

    rows = []
    for name in PRESETS:
        then = _flat(resolve(files, preset=name).config)
        changes = tuple(
            (key, values.get(key, ""), then[key]) for key in then if then[key] != values.get(key)
        )
        rows.append(PresetRow(name, changes))
    return tuple(rows)
