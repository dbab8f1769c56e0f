"""Every feature by name: family, formula, unit, look-back, table, and the function that computes it.

What bars say is written in the language of `docs/features.md` (`engine.features.families.written`). The
tables' own families are functions: their statistics run over the rows of the table, not over sessions.
"""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any

from engine.config import Config, FeatureConfig
from engine.data.tables import SECTORS, WAY_OUT
from engine.errors import ConfigError, DataError
from engine.features.expressed import written
from engine.features.families import earnings, flow, graph, margin, options, short, statements
from engine.features.families.written import FAMILIES
from engine.features.feature import Feature
from engine.features.own import own_features, refused
from engine.files import text_digest, write_json

_WRITTEN = written(FAMILIES)
_LAST = ("interaction", "validity")
CATALOG: tuple[Feature, ...] = (
    *(f for f in _WRITTEN if f.family not in _LAST),
    *options.FEATURES, *flow.FEATURES, *margin.FEATURES, *short.FEATURES, *statements.FEATURES,
    *earnings.FEATURES, *graph.FEATURES,
    *(f for f in _WRITTEN if f.family in _LAST),
)  # fmt: skip
_FILE = "catalog.json"
_HOW = ("compute", "together", "depth", "own", "text")
_TOLD = tuple(f.name for f in fields(Feature) if f.name not in _HOW)
"""What is said of a feature; the rest is how it is computed."""


def catalog_of(config: FeatureConfig) -> tuple[Feature, ...]:
    """The catalog, and after it the accepted features of the workspace's own.

    ConfigError where one of them has the name of another feature.
    """
    own = own_features(config)
    for name, count in Counter(feature.name for feature in (*CATALOG, *own)).items():
        if count > 1:
            raise ConfigError(
                f"two features are named {name}", hint="rename the file in WORKSPACE/features"
            )
    return (*CATALOG, *own)


def families_of(catalog: Iterable[Feature]) -> tuple[str, ...]:
    """The names of the families, in order."""
    return tuple(dict.fromkeys(feature.family for feature in catalog))


def select(config: FeatureConfig, present: Collection[str] = ()) -> tuple[Feature, ...]:
    """Features that are asked for and can be computed, in catalog order.

    A family that is named needs its table, under ``all`` one without its table is left out; so does a column
    that is named. ``present``: optional tables at hand, ``graph`` and ``sectors`` too. Unknown families and
    columns, and own features that are not accepted, are a ConfigError, missing tables a DataError.
    """
    wanted, columns = set(config.families), config.columns
    every = "all" in wanted
    known = families_of(catalog_of(config))
    unknown = sorted(wanted - {"all", *known})
    if unknown:
        raise ConfigError(
            f"features.families: unknown {', '.join(unknown)}",
            hint=_refusal(unknown, config) or f"known: all, or {', '.join(known)}",
        )
    if every and config.breadth == "full" and (names := refused(config)):
        raise ConfigError(
            f"features: {', '.join(names)} of the workspace is not accepted as it stands",
            hint=f"`atft-tui features check {names[0]}`, or take its file out of the folder",
        )
    asked = asked_for(config)
    if not asked:
        raise ConfigError(
            "features: no column", hint="name a family, or with breadth = named columns"
        )
    chosen = tuple(f for f in asked if set(f.tables) <= set(present))
    lacking = [f for f in asked if f.name in columns or not every]
    missing = [(f.family, t) for f in lacking for t in f.tables if t not in present]
    if missing:
        family, table = missing[0]
        raise DataError(
            f"features.families: {family} needs the table `{table}`, which the data do not have",
            hint=f"{_way_out(table)}, or leave the family out",
        )
    return chosen


def _way_out(table: str) -> str:
    """What brings a missing table into the data."""
    return WAY_OUT if table == SECTORS else f"ingest it (`atft-tui ingest --{table} FILE`)"


def asked_for(config: FeatureConfig) -> list[Feature]:
    """Features in catalog order, whatever tables are at hand.

    The core columns are the catalog's; own ones are among them where their family or they are named.
    """
    named, wanted = {find(name, config).name for name in config.columns}, set(config.families)

    def is_asked(feature: Feature) -> bool:
        if feature.name in named or (feature.text and feature.family in wanted):
            return True
        in_breadth = config.breadth == "full" or (config.breadth == "core" and feature.core)
        return in_breadth and ("all" in wanted or feature.family in wanted)

    return [feature for feature in catalog_of(config) if is_asked(feature)]


def own_texts(config: FeatureConfig) -> dict[str, str]:
    """File -> digest of its text, of the own features that the configuration uses.

    Windows over one series are computed together, so a value's last bits are those of the whole file.
    """
    used = {feature.text for feature in asked_for(config) if feature.text}
    return {
        name: text_digest(text) for name, text in config.own.items() if text_digest(text) in used
    }


def wants_graph(config: FeatureConfig) -> bool:
    """Whether a column of the configuration is computed from graphs."""
    return any(feature.source == "graph" for feature in asked_for(config))


def find(name: str, config: FeatureConfig | None = None) -> Feature:
    """The feature of that name. An unknown one is a ConfigError that names near ones."""
    from difflib import get_close_matches

    config = config or FeatureConfig()
    catalog = {feature.name: feature for feature in catalog_of(config)}
    if name in catalog:
        return catalog[name]
    near = get_close_matches(name, catalog, n=3)
    raise ConfigError(
        f"no feature is named {name!r}",
        hint=_refusal([name], config)
        or (f"did you mean {', '.join(near)}?" if near else "`atft-tui features list` shows all"),
    )


def _refusal(names: Iterable[str], config: FeatureConfig) -> str:
    """What to do where a name is that of an own feature that is not accepted, or of one in such a set."""
    files = [f for f in refused(config) if any(n == f or n.startswith(f"{f}_") for n in names)]
    return f"{files[0]} is not accepted: `atft-tui features check {files[0]}`" if files else ""


def told(feature: Feature) -> dict[str, Any]:
    """What a row of the file says of a feature, by the names of its fields."""
    return {name: getattr(feature, name) for name in _TOLD}


def off(feature: Feature, config: Config, present: Collection[str] | None) -> str | None:
    """Why a feature would not be computed; ``present``: optional tables with rows, None before any data."""
    families, breadth = config.features.families, config.features.breadth
    named = feature.name in config.features.columns or (feature.text and feature.family in families)
    if not named and "all" not in families and feature.family not in families:
        return "not in features.families"
    if not named and breadth != "full" and (breadth == "named" or not feature.core):
        return f"features.breadth is {breadth}"
    if feature.source == "graph":
        return "graph.kind is none" if config.graph.kind == "none" else None
    missing = [] if present is None else [t for t in feature.tables if t not in present]
    return f"needs the table `{missing[0]}`" if missing else None


def write_catalog(directory: Path, config: Config, present: Collection[str] | None) -> None:
    """Write the file; ``directory`` is ``WORKSPACE/features``."""
    catalog = catalog_of(config.features)
    rows = [told(feature) | {"off": off(feature, config, present)} for feature in catalog]
    write_json(directory / _FILE, {"features": rows})
