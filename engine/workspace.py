"""Where the workspace and its configuration are. Light: the screen asks before anything else is loaded."""

import os
from pathlib import Path

from engine.errors import ConfigError
from engine.files import read_toml

DEFAULT = "workspace"
CONFIG = Path("config.toml")


def resolve_workspace(option: str | None) -> Path:
    """--workspace, else ATFT_WORKSPACE, else workspace.path of ./config.toml, else ./workspace."""
    chosen = option or os.environ.get("ATFT_WORKSPACE") or _configured() or DEFAULT
    return Path(chosen).expanduser().absolute()


def config_files(workspace: Path) -> tuple[Path, ...]:
    """The files that configuration is read from, later ones over earlier ones; any may be missing."""
    return (CONFIG, workspace / CONFIG)


def _configured() -> str | None:
    """``workspace.path`` of ./config.toml. Everything else in the file is judged when it is used."""
    if not CONFIG.is_file():
        return None
    section = read_toml(CONFIG).get("workspace", {})
    path = section.get("path") if isinstance(section, dict) else section
    if path is not None and not isinstance(path, str):
        raise ConfigError(f"{CONFIG}: workspace.path is not a text")
    return path
