"""Features of one's own as Python: a function on arrays in ``features/NAME.py`` of the workspace."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import numpy as np

from engine.errors import ConfigError, UsageError
from engine.features.context import Array, Context
from engine.features.feature import AT_CLOSE, Feature
from engine.files import text_digest
from engine.records.features import CODE, FOLDER
from engine.workspace_code import UserModule

_PAGE = "docs/features.md"
_LONGEST = 5040
"""Sessions."""
_places: dict[tuple[str, str], Path] = {}
"""Name and hash -> the workspace that the code is loaded from once a feature is needed."""


def place_code(workspace: Path, own: Mapping[str, str]) -> None:
    """Remember where the Python features that a configuration names lie; nothing is run yet."""
    _places.update({(name, text): workspace for name, text in own.items() if text.startswith(CODE)})


def _load(name: str, text: str) -> UserModule:
    """The code of this very hash. ConfigError, with the file, where it is gone or another one."""
    workspace = _places.get((name, text))
    found = None if workspace is None else UserModule.load(workspace, "features", name)
    if found is None or CODE + found.sha256 != text:
        state = "is missing" if found is None else "is not that code any more"
        raise ConfigError(
            f"{(workspace or Path()) / FOLDER / name}.py {state}: the run was made with {text[:19]}",
            hint="bring the file back as it was, or begin a new run",
        )
    return found


def by_code(name: str, text: str, family: str) -> Feature:
    """The feature of a file: ``feature(x)``, from the arrays ``[N, S]`` of a `Context` to one array.

    Beside it stand UNIT (text) and LOOKBACK (sessions before the day that a value may depend on); TABLE and
    SCOPE where they are not bars and stock. UsageError, with the file, where one is wrong; ConfigError where
    the file is not the code of that hash any more.
    """
    code = _load(name, text)

    def said(key: str, default: str | None = None) -> str:
        value = getattr(code.module, key, default)
        if not isinstance(value, str):
            raise code.refused(f"{key} is missing or no text", page=_PAGE)
        return value

    lookback, function = (
        getattr(code.module, "LOOKBACK", None),
        getattr(code.module, "feature", None),
    )
    if not callable(function):
        raise code.refused("defines no function feature(x)", page=_PAGE)
    if not isinstance(lookback, int) or not 0 <= lookback <= _LONGEST:
        raise code.refused(f"LOOKBACK is no number of sessions up to {_LONGEST}", page=_PAGE)
    scope, table = said("SCOPE", "stock"), said("TABLE", "bars")
    if scope not in ("stock", "market"):
        raise code.refused(f"SCOPE is {scope!r}, not stock or market", page=_PAGE)
    known: Literal["stock", "market"] = "market" if scope == "market" else "stock"
    about = (code.module.__doc__ or f"the code of {code.file}").strip()
    return Feature(
        name=name,
        family=family,
        formula=about.partition("\n")[0],
        unit=said("UNIT"),
        lookback=lookback,
        compute=_called(code, function, market=known == "market"),
        scope=known,
        source=table,
        published=AT_CLOSE if table == "bars" else "as its table is published",
        depth=2,
        text=text_digest(text),
    )


def _called(
    code: UserModule, function: Callable[[Context], object], *, market: bool
) -> Callable[[Context], Array]:
    def compute(x: Context) -> Array:
        with code.calling("feature(x) failed"):
            value = np.asarray(function(x), dtype=np.float64)
        sessions = x.dense.dates_S.size
        shape = (sessions,) if market else (len(x.dense.symbols), sessions)
        if value.shape != shape:
            raise UsageError(
                f"{code.path}: feature(x) gives an array of {value.shape}, not {shape}",
                hint="one value a session" if market else "stocks times sessions, as x.close is",
            )
        return np.where(np.isfinite(value), value, np.nan)

    return compute
