"""A person's own keys: ``keys.toml`` of the user or of the workspace, later ones over earlier ones."""

import difflib
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from atft_tui.keys import CHART, EVERYWHERE, SCREENS, TABLE
from engine.errors import ConfigError
from engine.files import read_toml

FILE = "keys.toml"
_SCOPES = {"everywhere": EVERYWHERE, "table": TABLE, "chart": CHART, **SCREENS}
_KNOWN = {key.id: key for keys in _SCOPES.values() for key in keys if key.id}


def files(workspace: Path, name: str = FILE) -> tuple[Path, ...]:
    """``$XDG_CONFIG_HOME/atft-tui/NAME``, then that of the workspace; any may be missing."""
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return (Path(home) / "atft-tui" / name, workspace / name)


def read_keymap(workspace: Path) -> Mapping[str, str]:
    """Name of a key in `atft_tui.keys` -> the keys that do it now, comma-separated as Textual writes them.

    ConfigError for a name that there is none of, a value that is no text, and a key that would do two
    things on one place.
    """
    found: dict[str, str] = {}
    for path in files(workspace):
        for name, keys in (read_toml(path) if path.is_file() else {}).items():
            if name not in _KNOWN:
                near = difflib.get_close_matches(name, map(str, _KNOWN), 1)
                hint = f"did you mean {near[0]}?" if near else "docs/keys.md lists the names"
                raise ConfigError(f"{path}: no key is called {name!r}", hint=hint)
            if not isinstance(keys, str) or not keys.strip():
                raise ConfigError(f'{path}: {name} is not a text such as "ctrl+n"')
            found[name] = keys
    for place, own in SCREENS.items():
        told = Counter(
            word.strip()
            for key in (*own, *EVERYWHERE)
            for word in found.get(key.id or "", key.key).split(",")
        )
        twice = [word for word, count in told.items() if count > 1]
        if twice:
            raise ConfigError(f"{FILE}: {twice[0]} would do two things on {place}")
    return found
