"""The graph series: by which rules it was made, and its statistics at every rebuild date."""

import math
from pathlib import Path

from atft_tui.readings.cached import FileCache
from atft_tui.readings.data_values import GraphSeriesRow
from engine.files import MANIFEST, read_json

_RULES = ("window", "half_life", "shrinkage", "threshold", "k", "rebuild_sessions")


def read_graph(workspace: Path, cache: FileCache, fitting: Path | None) -> GraphSeriesRow | None:
    """The newest series of the current snapshot, else the newest of all; None without any."""
    directory = fitting
    if directory is None:
        found = [
            (path.stat().st_mtime_ns, path.parent)
            for path in (workspace / "graphs").glob(f"*/{MANIFEST}")
        ]
        if not found:
            return None
        directory = max(found)[1]
    fits = fitting is not None
    return cache.get(directory / MANIFEST, lambda path: _series(path, fits), key=f"graph {fits}")


def _series(path: Path, fits: bool) -> GraphSeriesRow:
    manifest = read_json(path)
    rules = manifest.get("graph") or {}
    columns = dict(manifest.get("statistics") or {})
    dates = tuple(map(str, columns.pop("date", ())))
    return GraphSeriesRow(
        fingerprint=path.parent.name,
        fits=fits,
        kind=str(rules.get("kind", "not recorded")),
        rules="  ".join(f"{name} {rules[name]}" for name in _RULES if name in rules),
        dates=dates,
        series=tuple(
            (str(name), tuple(math.nan if value is None else float(value) for value in values))
            for name, values in columns.items()
        ),
    )
