"""The features of a workspace's own, as the configuration of a run holds them: file name -> text.

A file has one expression, whose feature has the name of the file, or a set: names and expressions, in both of
which ``{w}`` stands for each window.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine.config import FeatureConfig
from engine.errors import ConfigError
from engine.features.context import Context
from engine.features.expressed import expressed, named_parts, with_parts
from engine.features.expression import Node, parse
from engine.features.feature import Feature
from engine.features.own_code import by_code
from engine.features.plan import Plan
from engine.files import parse_toml, text_digest
from engine.records.features import CODE, FOLDER

OWN = "own"
"""Family of features whose file has only one."""
_PAGE = "docs/features.md"
_Scope = Literal["stock", "market"]


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``features/NAME.toml``."""

    expression: str = ""
    features: dict[str, str] = {}
    """Of a set: name after that of the file -> expression."""
    parts: dict[str, str] = {}
    """Names that the expressions, and later parts, may use -> what stands for each."""
    windows: tuple[int, ...] | str = ()
    """Sessions, or the first and the last of a range, as ``0..59``."""
    description: str = ""
    scope: _Scope = "stock"


def own_features(config: FeatureConfig) -> tuple[Feature, ...]:
    """Every accepted own feature of the configuration, sorted by file."""
    return tuple(
        f for name, text in sorted(config.own.items()) if text for f in of_file(name, text)
    )


def refused(config: FeatureConfig) -> tuple[str, ...]:
    """Files of the workspace that the audit has not accepted as they stood when the run began."""
    return tuple(sorted(name for name, text in config.own.items() if not text))


@lru_cache(maxsize=256)
def of_file(name: str, text: str) -> tuple[Feature, ...]:
    """The features of one file, from its text or the hash of its code (`engine.features.own_code`).

    ConfigError naming the file and the place.
    """
    if text.startswith(CODE):
        return (by_code(name, text, OWN),)
    where = f"{FOLDER / name}.toml"
    try:
        file = msgspec.convert(parse_toml(text, Path(where)), _File, strict=True)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{where}: {error}", hint=f"{_PAGE} shows a file") from error
    if bool(file.expression) == bool(file.features):
        raise ConfigError(
            f"{where}: needs either `expression` or [features]", hint=f"{_PAGE} shows both"
        )
    texts = {name: file.expression} if file.expression else _set(name, file, where)
    named = named_parts(file.parts, f"{where}: ")
    roots = {key: parse(one, f"{where}: {key}", named) for key, one in texts.items()}
    plan = Plan(tuple(roots.values()))
    family, digest = (OWN if file.expression else name), text_digest(text)

    def together(
        names: Sequence[str], x: Context, out_FNT: NDArray[np.float32], feature: int, stock: int
    ) -> None:
        plan.fill([roots[name] for name in names], x, out_FNT, feature, stock)

    for key, root in roots.items():
        _check_scope(f"{where}: {key}", root, file.scope)
    return tuple(
        expressed(
            root,
            plan,
            name=key,
            family=family,
            formula=with_parts(texts[key], file.parts),
            text=digest,
            together=together,
        )
        for key, root in roots.items()
    )


def _set(name: str, file: _File, where: str) -> dict[str, str]:
    """Names and expressions of a set, a window at a time."""
    texts: dict[str, str] = {}
    for key, text in file.features.items():
        windows = _windows(file.windows, where) if "{w}" in key else (0,)
        for w in windows:
            full = f"{name}_{key.replace('{w}', str(w))}"
            if not full.isidentifier() or full in texts:
                raise ConfigError(f"{where}: {key}: no name, or one that is there already")
            texts[full] = text.replace("{w}", str(w))
    return texts


def _windows(given: tuple[int, ...] | str, where: str) -> tuple[int, ...]:
    if isinstance(given, tuple):
        found = given
    else:
        ends = re.fullmatch(r"(\d{1,4})\.\.(\d{1,4})", given)
        found = tuple(range(int(ends[1]), int(ends[2]) + 1)) if ends else ()
    if not found:
        raise ConfigError(f'{where}: windows: a list of sessions, or a range as "5..60"')
    return found


def _check_scope(where: str, root: Node, scope: _Scope) -> None:
    """ConfigError unless the file says whether its features are the same for all stocks."""
    if root.market != (scope == "market"):
        told = "is the same for all stocks" if root.market else "differs from stock to stock"
        other = "market" if root.market else "stock"
        raise ConfigError(f"{where} {told}, scope is {scope}", hint=f'write scope = "{other}"')
