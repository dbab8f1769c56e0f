"""What files say of each feature beside its definition: how much is known, and what it is worth alone."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from engine.data.store import PanelStore
from engine.files import MANIFEST, read_json, read_manifest
from engine.stages.context import StageContext

UNKNOWN = {"coverage": None, "rank_ic": None, "rank_ic_se": None, "n_dates": 0}
_Figures = dict[str, dict[str, Any]]


def feature_figures(context: StageContext) -> _Figures:
    """By feature: ``coverage`` (share of the universe's stock-days with a value) in the newest feature set
    of the current snapshot, else in the newest; RankIC on training days with its standard error, from the
    newest run on that set, else from the newest run. A feature without any is left out.
    """
    built = _feature_set(context)
    figures: _Figures = {}
    if built.get("known") is not None and built["cells"]:
        for name, known in zip(built["features"], built["known"], strict=True):
            figures[name] = UNKNOWN | {"coverage": known / built["cells"]}
    for name, values in _worth(context, str(built.get("fingerprint", ""))).items():
        figures[name] = figures.get(name, UNKNOWN) | values
    return figures


def _feature_set(context: StageContext) -> dict[str, Any]:
    """Manifest of the feature set that the figures are of; empty without one."""
    found = _newest_first((context.workspace / "features").glob(f"*/{MANIFEST}"))
    manifests = [read_manifest(path.parent, verify=False) for path in found]
    store = PanelStore(context.workspace / "data")
    if (store.root / "CURRENT").exists():
        chain = store.snapshot().chain
        for manifest in manifests:
            if (manifest["raw_sessions"], manifest["chain_end"]) == (len(chain), chain[-1]):
                return manifest
    return manifests[0] if manifests else {}


def _worth(context: StageContext, fingerprint: str) -> _Figures:
    paths = sorted((context.workspace / "runs").glob("*/feature_ic.json"), reverse=True)
    told = [read_json(path) for path in paths]
    same = [one for one in told if one["fingerprint"] == fingerprint]
    chosen = next(iter([*same, *told]), None)
    return dict(chosen["features"]) if chosen else {}


def _newest_first(paths: Iterable[Path]) -> list[Path]:
    return sorted(paths, key=lambda path: path.stat().st_mtime_ns, reverse=True)
