"""Every key of the configuration as a row: value, where it comes from, what it means, what it may be."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from atft_tui.readings.cached import FILES
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
    rows = []
    for key, value in values.items():
        source = PHASES if key.startswith(f"{PHASES}.") else key
        origin, here = _origin(found.origins.get(source, "default"), path)
        help_of = describe(key)
        rows.append(
            KeyRow(
                key=key,
                value=value,
                default=defaults.get(key, value),
                origin=origin,
                limits=help_of.limits,
                unit=help_of.unit,
                about=help_of.about,
                in_workspace=here,
            )
        )
    presets = []
    for name in PRESETS:
        then = texts(resolve(files, preset=name).config)
        changed = (key for key in then if then[key] != values.get(key))
        changes = tuple((key, values.get(key, ""), then[key]) for key in changed)
        presets.append(PresetRow(name, changes))
    return ConfigNews(tuple(rows), tuple(presets), path)


def _origin(origin: str, workspace_file: Path) -> tuple[str, bool]:
    """Short, and whether it is the workspace's file."""
    path, colon, line = origin.rpartition(":")
    if colon and Path(path) == workspace_file:
        return f"workspace:{line}", True
    return origin, False
