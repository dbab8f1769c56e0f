"""``WORKSPACE/features/catalog.json``: every feature with what is said of it, for screens and scripts.

Why a feature is off depends on configuration and tables, so the file is written with each feature set
and by `features list`.
"""

from collections.abc import Collection
from dataclasses import fields
from pathlib import Path
from typing import Any

from engine.config import Config
from engine.features.catalog import ALWAYS, CATALOG
from engine.features.feature import Feature
from engine.files import write_json

_FILE = "catalog.json"
_TOLD = tuple(f.name for f in fields(Feature) if f.name not in ("compute", "depth", "own"))
"""What is said of a feature; the rest is how it is computed."""


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
    if present is None or feature.source in ALWAYS or feature.source in present:
        return None
    return f"needs the table `{feature.source}`"


def write_catalog(directory: Path, config: Config, present: Collection[str] | None) -> None:
    """Write the file; ``directory`` is ``WORKSPACE/features``."""
    rows = [told(feature) | {"off": off(feature, config, present)} for feature in CATALOG]
    write_json(directory / _FILE, {"features": rows})
