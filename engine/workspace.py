"""Where the workspace is. Light: the screen asks before anything else is loaded."""

import os
import tomllib
from pathlib import Path

from engine.errors import ConfigError

DEFAULT = "workspace"
CONFIG = Path("config.toml")


def resolve_workspace(option: str | None) -> Path:
    """--workspace, else ATFT_WORKSPACE, else workspace.path of ./config.toml, else ./workspace."""
    chosen = option or os.environ.get("ATFT_WORKSPACE") or _configured() or DEFAULT
    return Path(chosen).expanduser().absolute()


def _configured() -> str | None:
    """``workspace.path`` of ./config.toml. Everything else in the file is judged when it is used."""
    try:
        table = tomllib.loads(CONFIG.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{CONFIG}: not readable as TOML ({error})") from error
    section = table.get("workspace", {})
    path = section.get("path") if isinstance(section, dict) else section
    if path is not None and not isinstance(path, str):
        raise ConfigError(f"{CONFIG}: workspace.path is not a text")
    return path
