"""Every key of the configuration as a row, and what a set of settings changes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from atft_tui.readings.files import FILES
from engine.workspace import CONFIG, config_files

_DATA_TABLES = ("data", "quality", "universe", "labels", "features", "graph", "split")
"""What is built from data under these is kept by a digest of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRow:
    """One key of the configuration."""

    key: str
    value: str
    """The value as TOML."""
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
        """Whether it has another value than its default."""
        return self.value != self.default

    @property
    def is_of_data(self) -> bool:
        """Whether what is built from the data depends on it."""
        return self.key.split(".")[0] in _DATA_TABLES


@dataclass(frozen=True, slots=True)
class PresetRow:
    """What a preset would change here."""

    name: str
    changes: tuple[tuple[str, str, str], ...]
    """(key, value now, value with the preset)."""


@dataclass(frozen=True, slots=True)
class ConfigNews:
    """The whole configuration of a workspace."""

    rows: tuple[KeyRow, ...]
    presets: tuple[PresetRow, ...]
    path: Path
    """The workspace's file, which edits go to."""


def read_config(workspace: Path) -> ConfigNews:
    """Every key and preset, resolved anew when a file changed; ConfigError while a file is wrong."""
    files = config_files(workspace)
    return FILES.together(f"config {workspace}", files, partial(_read, workspace))


def _read(workspace: Path) -> ConfigNews:
    from engine.config import Config
    from engine.config.file import PRESETS, resolve
    from engine.config.keys import PHASES, describe, texts

    files, path = config_files(workspace), workspace / CONFIG
    found = resolve(files)
    values, defaults = texts(found.config), texts(Config())

    def row(key: str, value: str) -> KeyRow:
        source = PHASES if key.startswith(f"{PHASES}.") else key
        origin, here = _origin(found.origins.get(source, "default"), path)
        told = describe(key)
        return KeyRow(
            key=key, value=value, default=defaults.get(key, value), origin=origin,
            limits=told.limits, unit=told.unit, about=told.about, in_workspace=here,
        )  # fmt: skip

    def preset(name: str) -> PresetRow:
        then = texts(resolve(files, preset=name).config)
        changed = (key for key in then if then[key] != values.get(key))
        return PresetRow(name, tuple((key, values.get(key, ""), then[key]) for key in changed))

    rows = tuple(row(key, value) for key, value in values.items())
    return ConfigNews(rows, tuple(map(preset, PRESETS)), path)


def _origin(origin: str, workspace_file: Path) -> tuple[str, bool]:
    """Short, and whether it is the workspace's file."""
    path, colon, line = origin.rpartition(":")
    if colon and Path(path) == workspace_file:
        return f"workspace:{line}", True
    return origin, False


@dataclass(frozen=True, slots=True)
class ChangedSetting:
    """A key whose value is not its default."""

    key: str
    default: str
    value: str
    origin: str


def changes(
    workspace: Path, preset: str | None, overrides: Sequence[str]
) -> tuple[ChangedSetting, ...]:
    """Keys with another value than the default, in the order of config.toml. ConfigError if senseless."""
    from engine.config import Config
    from engine.config.file import resolve
    from engine.config.keys import texts

    resolved = resolve(config_files(workspace), preset=preset, overrides=overrides)
    before, after = texts(Config()), texts(resolved.config)
    return tuple(
        ChangedSetting(
            key=key,
            default=_short(before.get(key, "")),
            value=_short(value),
            origin=resolved.origins.get(key, _set_by(key, resolved.origins)),
        )
        for key, value in after.items()
        if value != before.get(key)
    )


def _set_by(key: str, origins: Mapping[str, str]) -> str:
    """Where a key of a phase was set by a shorter one: `training.epochs` sets those of all phases."""
    from engine.config.keys import EPOCHS, PHASES

    if not key.startswith(f"{PHASES}."):
        return ""
    return (key.endswith(".epochs") and origins.get(EPOCHS)) or origins.get(PHASES, "")


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"
