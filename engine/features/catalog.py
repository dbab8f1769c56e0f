"""Every feature by name: family, formula, unit, look-back, table, and the function that computes it.

Formulas write c, o, h, l, v, a for close, open, high, low, volume and turnover ("amount"), r for the
daily return, m for the market's, and name[-k] for k sessions earlier.
"""

from collections.abc import Collection, Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any

from engine.config import Config, FeatureConfig
from engine.data.tables import SECTORS, WAY_OUT
from engine.errors import ConfigError, DataError
from engine.features.families import (
    bars,
    earnings,
    flow,
    graph,
    margin,
    options,
    peers,
    short,
    statements,
    technical,
)
from engine.features.feature import Feature
from engine.files import write_json

CATALOG: tuple[Feature, ...] = (
    *bars.FEATURES, *technical.FEATURES, *peers.FEATURES, *options.FEATURES, *flow.FEATURES,
    *margin.FEATURES, *short.FEATURES, *statements.FEATURES, *earnings.FEATURES, *graph.FEATURES,
    *bars.INTERACTION, *bars.VALIDITY,
)  # fmt: skip
FAMILIES = tuple(dict.fromkeys(feature.family for feature in CATALOG))
_ALWAYS = ("bars",)
"""Tables that every source has."""
_FILE = "catalog.json"
_TOLD = tuple(f.name for f in fields(Feature) if f.name not in ("compute", "depth", "own"))
"""What is said of a feature; the rest is how it is computed."""


def select(
    families: Iterable[str],
    *,
    breadth: str = "full",
    columns: Collection[str] = (),
    present: Collection[str] = (),
) -> tuple[Feature, ...]:
    """Features that are asked for and can be computed, in catalog order.

    ``families``: names, or ``all``; a family that is named needs its table, under ``all`` a family without
    its table is left out. ``breadth``: core keeps the core columns, named keeps none. ``columns``:
    these besides, by name; they need their table too. ``present``: optional tables at hand, ``graph`` and
    ``sectors`` too. Unknown families and columns are a ConfigError, missing tables a DataError.
    """
    wanted = set(families)
    every = wanted == {"all"}
    unknown = [] if every else sorted(wanted - set(FAMILIES))
    if unknown:
        raise ConfigError(
            f"features.families: unknown {', '.join(unknown)}",
            hint=f"known: all, or {', '.join(FAMILIES)}",
        )
    asked = _asked(wanted, breadth, columns)
    if not asked:
        raise ConfigError(
            "features: no column", hint="name a family, or with breadth = named columns"
        )
    chosen = tuple(f for f in asked if f.source in _ALWAYS or f.source in present)
    lacking = {f.family: f.source for f in asked if f.name in columns or not every}
    missing = {k: v for k, v in lacking.items() if v not in _ALWAYS and v not in present}
    if missing:
        family, table = next(iter(missing.items()))
        raise DataError(
            f"features.families: {family} needs the table `{table}`, which the data do not have",
            hint=f"{_way_out(table)}, or leave the family out",
        )
    return chosen


def _way_out(table: str) -> str:
    """What brings a missing table into the data."""
    return WAY_OUT if table == SECTORS else f"ingest it (`atft-tui ingest --{table} FILE`)"


def _asked(families: Iterable[str], breadth: str, columns: Collection[str]) -> list[Feature]:
    """Features in catalog order, whatever tables are at hand."""
    named, wanted = {find(name).name for name in columns}, set(families)

    def is_asked(feature: Feature) -> bool:
        in_breadth = breadth == "full" or (breadth == "core" and feature.core)
        return in_breadth and (wanted == {"all"} or feature.family in wanted)

    return [feature for feature in CATALOG if feature.name in named or is_asked(feature)]


def wants_graph(config: FeatureConfig) -> bool:
    """Whether a column of the configuration is computed from graphs."""
    asked = _asked(config.families, config.breadth, config.columns)
    return any(feature.source == "graph" for feature in asked)


def find(name: str) -> Feature:
    """The feature of that name. An unknown one is a ConfigError that names near ones."""
    from difflib import get_close_matches

    for feature in CATALOG:
        if feature.name == name:
            return feature
    near = get_close_matches(name, [feature.name for feature in CATALOG], n=3)
    raise ConfigError(
        f"no feature is named {name!r}",
        hint=f"did you mean {', '.join(near)}?" if near else "`atft-tui features list` shows all",
    )


def told(feature: Feature) -> dict[str, Any]:
    """What a row of the file says of a feature, by the names of its fields."""
    return {name: getattr(feature, name) for name in _TOLD}


def off(feature: Feature, config: Config, present: Collection[str] | None) -> str | None:
    """Why a feature would not be computed; ``present``: optional tables with rows, None before any data."""
    if "all" not in config.features.families and feature.family not in config.features.families:
        return "not in features.families"
    if config.features.breadth == "core" and not feature.core:
        return "features.breadth is core"
    if feature.source == "graph":
        return "graph.kind is none" if config.graph.kind == "none" else None
    if present is None or feature.source in _ALWAYS or feature.source in present:
        return None
    return f"needs the table `{feature.source}`"


def write_catalog(directory: Path, config: Config, present: Collection[str] | None) -> None:
    """Write the file; ``directory`` is ``WORKSPACE/features``."""
    rows = [told(feature) | {"off": off(feature, config, present)} for feature in CATALOG]
    write_json(directory / _FILE, {"features": rows})
