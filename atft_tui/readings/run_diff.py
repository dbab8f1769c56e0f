"""What differs between the settings of runs: their resolved configurations, key by key."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from engine.files import read_toml
from engine.records.run import written
from engine.runs.settings import flat

ABSENT = "(absent)"
"""A key that the version which made the run did not know."""


@dataclass(frozen=True, slots=True)
class Difference:
    key: str
    values: tuple[str, ...]
    """One for each run, as written after ``--set``."""


@dataclass(frozen=True, slots=True)
class ConfigDiff:
    runs: tuple[str, ...]
    rows: tuple[Difference, ...]
    same: int
    """How many keys have the same value in all of them."""


def config_diff(workspace: Path, run_ids: Sequence[str]) -> ConfigDiff:
    """Only keys that are not the same everywhere. A configuration never changes: each is read once."""
    read = [_settings(workspace / "runs" / run_id / "config.toml") for run_id in run_ids]
    keys = sorted({key for values in read for key in values})
    rows = []
    for key in keys:
        values = tuple(one.get(key, ABSENT) for one in read)
        if len(set(values)) > 1:
            rows.append(Difference(key, values))
    return ConfigDiff(tuple(run_ids), tuple(rows), len(keys) - len(rows))


@lru_cache(maxsize=64)
def _settings(path: Path) -> dict[str, str]:
    return {key: written(value) for key, value in flat(read_toml(path)).items()}
