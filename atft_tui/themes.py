"""A person's own colours: ``themes.toml`` of the user or of the workspace."""

import difflib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from textual.color import Color, ColorParseError
from textual.theme import Theme

from atft_tui.keymap import files
from atft_tui.styles import THEMES
from engine.errors import ConfigError
from engine.files import read_toml

FILE = "themes.toml"
_ROLES = (
    "primary", "secondary", "accent", "foreground", "background", "surface", "panel", "success", "warning",
    "error",
)  # fmt: skip


def read_themes(workspace: Path) -> tuple[Theme, ...]:
    """The themes of the user's file and of the workspace's, of one name the later.

    A table for each: ``base`` names the theme that it changes (the dark one where it is not said), the other
    keys are roles with a colour. ConfigError for a base, a role or a colour that there is not.
    """
    found = {}
    for path in files(workspace, FILE):
        for name, table in (read_toml(path) if path.is_file() else {}).items():
            found[name] = _theme(f"{path}: {name}", name, table)
    return tuple(found.values())


def _theme(where: str, name: str, table: object) -> Theme:
    if not isinstance(table, Mapping):
        raise ConfigError(f"{where} is no table of colours")
    told = dict(table)
    chosen = told.pop("base", THEMES[0].name)
    base = next((theme for theme in THEMES if theme.name == chosen), None)
    if base is None:
        names = ", ".join(theme.name for theme in THEMES)
        raise ConfigError(f"{where}: no theme is called {chosen!r}", hint=f"there are {names}")
    for role, colour in told.items():
        if role not in _ROLES:
            near = difflib.get_close_matches(role, _ROLES, 1) or _ROLES
            raise ConfigError(f"{where}: no role is called {role!r}", hint=f"try {', '.join(near)}")
        try:
            Color.parse(colour if isinstance(colour, str) else "")
        except ColorParseError as error:
            raise ConfigError(f'{where}: {role} is no colour such as "#d8a657"') from error
    return replace(base, name=name, **told)
