"""The feature tensor: day-major, normalised within the day, on disk under the hash of what made it."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from engine.config import Config, Market
from engine.data.panel import DensePanel, Panel
from engine.data.universe import membership_NS
from engine.errors import DataError, IntegrityError
from engine.features.catalog import select
from engine.features.context import Context
from engine.features.feature import Feature
from engine.features.normalise import rank_within_day, scale_by_past
from engine.features.targets import forward_returns
from engine.files import digest, read_manifest, write_manifest
from engine.runs.events import Advanced
from engine.runs.sink import EventSink

RAM_SHARE = 0.25
"""A tensor up to this share of the free memory is read into it, a larger one is mapped."""
CODE_VERSION = 1
"""Raised when a formula changes, so that old tensors are not taken for new ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureSet:
    """Inputs and labels of every (session, stock); ``symbols`` are those ever in the universe, sorted."""

    directory: Path | None
    dates_S: NDArray[np.datetime64]
    symbols: tuple[str, ...]
    features: tuple[str, ...]
    horizons: tuple[int, ...]
    x_SNF: NDArray[Any]
    """float16 or float32; 0 for missing values and for stocks outside the day's universe."""
    member_SN: NDArray[np.bool_]
    """In the universe of that day, decided with bars up to that day."""
    forward_return_SNH: NDArray[np.float32]
    """Fraction, from the entry at t+1 to the close of t+1+h; NaN where unknown."""
    sector_N: NDArray[np.int16]
    sectors: tuple[str, ...]
    fingerprint: str
    market: Market
    source: str

    def __post_init__(self) -> None:
        S, N, F = self.dates_S.size, len(self.symbols), len(self.features)
        if self.x_SNF.shape != (S, N, F) or self.member_SN.shape != (S, N):
            raise IntegrityError(f"feature tensor {self.x_SNF.shape} does not fit {(S, N, F)}")
        if self.forward_return_SNH.shape != (S, N, len(self.horizons)):
            raise IntegrityError(f"labels {self.forward_return_SNH.shape} do not fit {(S, N)}")


def build_features(panel: Panel, config: Config, directory: Path, sink: EventSink) -> FeatureSet:
    """The feature set of a panel: read if the same inputs made it before, else computed and written.

    ``directory`` is ``WORKSPACE/features``; the folder inside is named by the fingerprint.
    """
    chosen = select(config.features.families)
    fingerprint = digest(
        {
            "version": CODE_VERSION,
            "panel": panel.fingerprint,
            "names": [feature.name for feature in chosen],
            "features": config.features.model_dump(mode="json"),
            "universe": config.universe.model_dump(mode="json"),
            "labels": config.labels.model_dump(mode="json"),
        }
    )
    target = directory / fingerprint
    if (target / "manifest.json").exists():
        return open_features(target)
    staging = directory / f".staging-{fingerprint}-{os.getpid()}"
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    try:
        _compute(panel, config, chosen, fingerprint, staging, sink)
        shutil.rmtree(target, ignore_errors=True)
        staging.rename(target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return open_features(target)


def open_features(directory: Path) -> FeatureSet:
    """Read a feature set back; the hash of every file is checked."""
    manifest = read_manifest(directory)
    path = directory / "x.npy"
    free = psutil.virtual_memory().available
    mapped = path.stat().st_size > RAM_SHARE * free
    return FeatureSet(
        directory=directory,
        dates_S=np.load(directory / "dates.npy"),
        symbols=tuple(manifest["symbols"]),
        features=tuple(manifest["features"]),
        horizons=tuple(manifest["horizons"]),
        x_SNF=np.load(path, mmap_mode="r" if mapped else None),
        member_SN=np.load(directory / "member.npy"),
        forward_return_SNH=np.load(directory / "forward_return.npy"),
        sector_N=np.array(manifest["sector"], dtype=np.int16),
        sectors=tuple(manifest["sectors"]),
        fingerprint=manifest["fingerprint"],
        market=manifest["market"],
        source=manifest["source"],
    )


def _compute(
    panel: Panel,
    config: Config,
    chosen: tuple[Feature, ...],
    fingerprint: str,
    directory: Path,
    sink: EventSink,
) -> None:
    dense = panel.dense()
    member_NS = membership_NS(dense, config.universe)
    ever_N = np.asarray(member_NS.any(axis=1))
    if not ever_N.any():
        raise DataError(
            f"{panel.source}: no stock is ever in the universe",
            hint="lower universe.min_history, min_price or min_turnover",
        )
    _write_tensor(dense, member_NS, ever_N, chosen, config, directory, sink)
    labels_SNH = forward_returns(dense, config.labels)[:, ever_N]
    np.save(directory / "member.npy", np.ascontiguousarray(member_NS[ever_N].T))
    np.save(directory / "forward_return.npy", labels_SNH)
    np.save(directory / "dates.npy", dense.dates_S)
    write_manifest(
        directory,
        {
            "fingerprint": fingerprint,
            "symbols": [s for s, ever in zip(dense.symbols, ever_N, strict=True) if ever],
            "features": [feature.name for feature in chosen],
            "horizons": list(config.labels.horizons),
            "sector": dense.sector_N[ever_N].tolist(),
            "sectors": list(dense.sectors),
            "market": panel.market,
            "source": panel.source,
        },
    )


def _write_tensor(
    dense: DensePanel,
    member_NS: NDArray[np.bool_],
    ever_N: NDArray[np.bool_],
    chosen: tuple[Feature, ...],
    config: Config,
    directory: Path,
    sink: EventSink,
) -> None:
    """One feature at a time is computed on all stocks and written into its column of the tensor."""
    S = dense.dates_S.size
    context = Context(dense, member_NS)
    member_ever_NS = np.ascontiguousarray(member_NS[ever_N])
    x_SNF = np.lib.format.open_memmap(
        directory / "x.npy",
        mode="w+",
        dtype=np.dtype(config.features.dtype),
        shape=(S, int(ever_N.sum()), len(chosen)),
    )
    for f, feature in enumerate(chosen):
        with np.errstate(divide="ignore", invalid="ignore"):
            values = feature.compute(context)
        if feature.scope == "market":
            column_SN = scale_by_past(values)[:, None] * member_ever_NS.T
        else:
            column_SN = rank_within_day(np.ascontiguousarray(values[ever_N]), member_ever_NS)
        x_SNF[:, :, f] = column_SN
        sink.emit(Advanced(stage="features", done=f + 1, total=len(chosen), note=feature.name))
    x_SNF.flush()
