"""The features: what is said of each, how much of it is known, what it is worth alone in training."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from atft_tui.readings.cached import FileCache
from atft_tui.readings.data_values import FeatureRow, FeatureSource
from engine.files import MANIFEST, read_json

_NOTHING: Mapping[str, Any] = {}
_Reading = tuple[tuple[FeatureRow, ...], FeatureSource]


@dataclass(frozen=True, slots=True)
class Measured:
    """``feature_ic.json`` of a run."""

    run: str
    values: Mapping[str, Any]


def read_features(workspace: Path, cache: FileCache, fitting: Path | None) -> _Reading:
    """Rows in catalog order. ``fitting``: the feature set of the current snapshot; without one the newest.

    The catalog is written with every feature set and by `features list`; coverage is of the set, RankIC
    of the newest run that was trained on the very set, else of the newest run.
    """
    path = workspace / "features" / "catalog.json"
    if not path.is_file():
        return (), FeatureSource()
    directory = fitting or _newest(workspace / "features", MANIFEST)
    built = cache.get(directory / MANIFEST, read_json) if directory else _NOTHING
    measured = _measured(workspace, cache, str(built.get("fingerprint", "")))
    catalog = cache.get(path, read_json)
    fits = fitting is not None
    values = measured.values if measured else None
    return cache.derive(
        "features", (catalog, built, values, fits), lambda: _rows(catalog, built, measured, fits)
    )


def _newest(root: Path, name: str) -> Path | None:
    found = [(path.stat().st_mtime_ns, path.parent) for path in root.glob(f"*/{name}")]
    return max(found)[1] if found else None


def _measured(workspace: Path, cache: FileCache, fingerprint: str) -> Measured | None:
    runs = sorted((workspace / "runs").glob("*/feature_ic.json"), reverse=True)
    read = [Measured(path.parent.name, cache.get(path, read_json)) for path in runs[:20]]
    same = [one for one in read if one.values["fingerprint"] == fingerprint]
    return next(iter([*same, *read]), None)


def _rows(
    catalog: Mapping[str, Any], built: Mapping[str, Any], measured: Measured | None, fits: bool
) -> _Reading:
    values = measured.values if measured else {}
    alone = values.get("features", {})
    columns = list(built.get("features", ()))
    cells, known = built.get("cells"), built.get("known")
    share = (
        {name: count / cells for name, count in zip(columns, known, strict=True)}
        if cells and known is not None
        else {}
    )
    rows = []
    for item in catalog["features"]:
        name = str(item["name"])
        off = str(item["off"] or "")
        if not off and columns and name not in columns:
            off = "not in the feature set"
        figures = alone.get(name, {})
        rows.append(
            FeatureRow(
                name=name,
                family=str(item["family"]),
                formula=str(item["formula"]),
                unit=str(item["unit"]),
                lookback=int(item["lookback"]),
                scope=str(item["scope"]),
                source=str(item["source"]),
                published=str(item["published"]),
                core=bool(item["core"]),
                off=off,
                coverage=share.get(name),
                rank_ic=figures.get("rank_ic"),
                rank_ic_se=figures.get("rank_ic_se"),
                n_dates=int(figures.get("n_dates", 0)),
            )
        )
    source = FeatureSource(
        fingerprint=str(built.get("fingerprint", "")),
        columns=len(columns),
        sessions=int(built.get("sessions", 0)),
        fits=fits,
        run=measured.run if measured else "",
        horizon=int(values.get("horizon", 0)),
        first=str(values.get("first", "")),
        last=str(values.get("last", "")),
        stride=int(values.get("stride", 1)),
    )
    return tuple(rows), source
