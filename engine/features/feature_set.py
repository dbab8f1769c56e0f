"""The feature tensor on disk, under the hash of what made it; a new day extends the one of the day before.

features/<fingerprint>/{x-0000,...}.npy {y-0000,...}.npy manifest.json     (blocks of 64 sessions)
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from engine import disk
from engine.config import Config, Market
from engine.data.months import Lineage
from engine.data.tables import SECTORS, has_sectors
from engine.data.universe import PanelSource, Universe
from engine.errors import IntegrityError
from engine.features.catalog import own_texts, select, write_catalog
from engine.features.compute import Inputs, compute_sessions, longest_reach, market_columns, pieces
from engine.features.feature import Feature
from engine.features.rolling import BLOCK
from engine.features.targets import forward_returns
from engine.features.tensor import DayTensor, block_file, new_blocks, open_blocks, write_blocks
from engine.files import adopt, building, digest, read_manifest, write_manifest
from engine.graph.graph import GraphSeries
from engine.runs.events import Advanced
from engine.runs.sink import EventSink

_RAM_SHARE = 0.25
"""A tensor up to this share of the free memory is read into it, a larger one is mapped."""
CODE_VERSION = 2
"""Raised when a formula changes, so that old tensors are not taken for new ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureSet:
    """Inputs and labels of every (session, stock) on the axis of the universe."""

    directory: Path | None
    dates_S: NDArray[np.datetime64]
    symbols: tuple[str, ...]
    """Stocks that were ever a member, in order of their first day as one."""
    features: tuple[str, ...]
    horizons: tuple[int, ...]
    x_SNF: NDArray[Any] | DayTensor
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
    neutral: tuple[str, ...] = ()
    """Features whose linear relation to a day's returns is taken out of the training target."""
    weight_S: NDArray[np.float32] | None = None
    """Weight of each session's label in the loss, mean 1 over the days that are learned; None: all alike."""

    def __post_init__(self) -> None:
        S, N, F = self.dates_S.size, len(self.symbols), len(self.features)
        if tuple(self.x_SNF.shape) != (S, N, F) or self.member_SN.shape != (S, N):
            raise IntegrityError(f"feature tensor {self.x_SNF.shape} does not fit {(S, N, F)}")
        if self.forward_return_SNH.shape != (S, N, len(self.horizons)):
            raise IntegrityError(f"labels {self.forward_return_SNH.shape} do not fit {(S, N)}")

    def loaded(self) -> "FeatureSet":
        """Return the set with the tensor in memory, if it is small enough; for work that reads all of it."""
        size = float(np.prod(self.x_SNF.shape)) * self.x_SNF.dtype.itemsize
        if size > _RAM_SHARE * psutil.virtual_memory().available:
            return self
        return self.in_memory()

    def in_memory(self) -> "FeatureSet":
        """Return the set with the tensor in memory, whatever its size."""
        return replace(self, x_SNF=self.x_SNF[:])

    def until(self, stop: int) -> "FeatureSet":
        """Return the set cut to its first ``stop`` sessions."""
        x = self.x_SNF
        return replace(
            self,
            dates_S=self.dates_S[:stop],
            x_SNF=x[:stop] if isinstance(x, np.ndarray) else x.head(stop),
            member_SN=self.member_SN[:stop],
            forward_return_SNH=self.forward_return_SNH[:stop],
        )


def build_features(
    panel: PanelSource,
    universe: Universe,
    graphs: GraphSeries | None,
    config: Config,
    directory: Path,
    sink: EventSink,
) -> FeatureSet:
    """The feature set of a panel: read if it is there, extended if its beginning is, else computed.

    ``directory`` is ``WORKSPACE/features``; the folder inside is named by the fingerprint.
    """
    chosen = chosen_features(panel, config, with_graph=graphs is not None)
    uses_graph = any(feature.source == "graph" for feature in chosen)
    own = own_texts(config.features)
    settings = digest(
        {
            "version": CODE_VERSION,
            "names": [feature.name for feature in chosen],
            "dtype": config.features.dtype,
            "scaling": config.features.scaling,
            "universe": universe.settings,
            "labels": config.labels.model_dump(mode="json"),
            "graph": config.graph.model_dump(mode="json") if uses_graph else None,
            **({"own": own} if own else {}),
        }
    )
    lineage = Lineage(settings=settings, chain=panel.chain, panel=panel.fingerprint)
    target = directory / lineage.fingerprint
    if not (target / "manifest.json").exists():
        write_catalog(directory, config, _present_tables(panel))
        base = _extendable(lineage, universe, config, directory)
        with building(target) as staging:
            work = _Build(
                panel=panel,
                universe=universe,
                graphs=graphs if uses_graph else None,
                config=config,
                chosen=chosen,
                directory=staging,
                sink=sink,
                known_F=np.zeros(len(chosen), dtype=np.int64),
            )
            known = work.extend(*base) if base else work.everything()
            fields = work.fields(base[1] if base else None)
            write_manifest(staging, {**lineage.fields(), **fields}, known)
        lineage.prune(directory)
    return _open_features(target, universe)


def chosen_features(panel: PanelSource, config: Config, *, with_graph: bool) -> tuple[Feature, ...]:
    """The columns that this configuration gives on this panel."""
    present = _present_tables(panel)
    return select(config.features, present | ({"graph"} if with_graph else set()))


def _present_tables(panel: PanelSource) -> set[str]:
    """Optional tables with rows, and ``sectors`` where a stock has one."""
    tables = {name for name, table in panel.tables.items() if not table.is_empty()}
    return tables | ({SECTORS} if has_sectors(panel.securities) else set())


def _open_features(directory: Path, universe: Universe) -> FeatureSet:
    """Read a feature set back; a block's hash is checked when it is first read."""
    manifest = read_manifest(directory, verify=False)
    sessions, stocks = universe.dates_S.size, len(universe.symbols)
    if manifest["sessions"] != sessions or tuple(manifest["symbols"]) != universe.symbols:
        raise IntegrityError(f"{directory}: does not fit the universe", hint="delete the folder")
    y = open_blocks(directory, manifest, "y", sessions, stocks, np.nan)
    return FeatureSet(
        directory=directory,
        dates_S=universe.dates_S,
        symbols=universe.symbols,
        features=tuple(manifest["features"]),
        horizons=tuple(manifest["horizons"]),
        x_SNF=open_blocks(directory, manifest, "x", sessions, stocks, 0.0),
        member_SN=universe.member_SN,
        forward_return_SNH=y[:],
        sector_N=universe.sector_N,
        sectors=universe.sectors,
        fingerprint=manifest["fingerprint"],
        market=manifest["market"],
        source=manifest["source"],
    )


def _extendable(
    lineage: Lineage, universe: Universe, config: Config, directory: Path
) -> tuple[Path, Mapping[str, Any]] | None:
    """A feature set of the first sessions whose values are still true.

    Sectors count for the whole history, and with a delisting haircut a stock that comes back changes
    old labels; both mean a full computation.
    """
    if config.labels.delisting_haircut > 0.0:
        return None
    return next((p for p in lineage.parents(directory) if universe.continues(p[1])), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Build:
    """One computation into an empty directory."""

    panel: PanelSource
    universe: Universe
    graphs: GraphSeries | None
    config: Config
    chosen: tuple[Feature, ...]
    directory: Path
    sink: EventSink
    known_F: NDArray[np.int64]
    """Known values of members in the sessions that were computed."""

    def fields(self, base: Mapping[str, Any] | None) -> Mapping[str, Any]:
        """What the manifest says; ``base`` is that of the set that was extended.

        ``known`` of the ``cells`` of members hold a value, feature by feature; null if ``base`` does not
        say how many do.
        """
        before = base.get("known") if base is not None else [0] * len(self.chosen)
        known = None if before is None else self.known_F + np.array(before, dtype=np.int64)
        return {
            **self.universe.fields(),
            "features": [feature.name for feature in self.chosen],
            "horizons": list(self.config.labels.horizons),
            "market": self.panel.market,
            "source": self.panel.source,
            "cells": int(self.universe.member_SN.sum()),
            "known": None if known is None else known.tolist(),
        }

    def everything(self) -> Mapping[str, Any]:
        sessions, stocks = self.universe.member_SN.shape
        disk.require(self.directory, self._bytes(sessions))
        inputs = self._inputs(0)
        market = market_columns(inputs, self.chosen)
        ranges = list(pieces(stocks, sessions))
        total, count = len(ranges) * len(self.chosen), len(ranges) * len(market)

        def done(batch: Sequence[Feature]) -> None:
            nonlocal count
            count += len(batch)
            note = batch[-1].name
            self.sink.emit(Advanced(stage="features", done=count, total=total, note=note))

        shape, kind = (len(self.chosen),), np.dtype(self.config.features.dtype)
        for first, stop in ranges:
            stocks_B = self._stocks(first, stop)
            with new_blocks(self.directory, "x", first, stop, stocks_B, shape, kind) as out:
                self._compute(inputs, first, stop, market, out, done)
        self._write("y", 0, forward_returns(inputs.dense, self.config.labels))
        return {}

    def extend(self, base: Path, manifest: Mapping[str, Any]) -> Mapping[str, Any]:
        """Blocks before the first new session are taken over; later ones keep their old sessions."""
        old, sessions = manifest["sessions"], self.universe.dates_S.size
        opened = max(0, old - 1 - max(self.config.labels.horizons)) // BLOCK * BLOCK
        kept = [block_file("x", b) for b in range(old // BLOCK)]
        kept += [block_file("y", b) for b in range(opened // BLOCK)]
        stocks = len(manifest["symbols"])
        start = max(0, (old - longest_reach(self.chosen)) // BLOCK * BLOCK)
        inputs = self._inputs(min(start, opened))
        market = market_columns(inputs, self.chosen)
        first = old // BLOCK * BLOCK
        x_old = open_blocks(base, manifest, "x", old, stocks, 0.0)[first:old]
        shape = (sessions - first, len(self.universe.symbols), len(self.chosen))
        x_TNF = np.zeros(shape, dtype=x_old.dtype)
        x_TNF[: old - first, :stocks] = x_old
        self._compute(inputs, old, sessions, market, [x_TNF[old - first :]])
        self._write("x", first, x_TNF)
        y_TNH = forward_returns(inputs.dense, self.config.labels)[opened - inputs.dense.first :]
        self._write("y", opened, y_TNH)
        self.sink.emit(Advanced(stage="features", done=1, total=1, note=f"{sessions - old} new"))
        return adopt(base, self.directory, kept, manifest["files"])

    def _inputs(self, start: int) -> Inputs:
        dense = self.panel.dense(start)
        return Inputs(
            universe=self.universe,
            dense=dense.take(self.universe.rows_in(dense)),
            graphs=self.graphs,
        )

    def _compute(
        self,
        inputs: Inputs,
        first: int,
        stop: int,
        market: Mapping[str, NDArray[np.float32]],
        out: Sequence[NDArray[np.floating]],
        done: Callable[[Sequence[Feature]], None] = lambda _: None,
    ) -> None:
        """Network inputs of a range of sessions, written into ``out``; their known values are counted."""
        known_F = self.known_F
        known_F += compute_sessions(
            inputs,
            self.chosen,
            first,
            stop,
            config=self.config.features,
            market=market,
            out=out,
            done=done,
        )

    def _write(self, kind: str, first: int, rows_TN: NDArray[Any]) -> None:
        """Blocks from session ``first`` on; each knows the stocks that had entered by its end."""
        stocks_B = self._stocks(first, first + len(rows_TN))
        write_blocks(self.directory, kind, first, rows_TN, stocks_B)

    def _stocks(self, first: int, stop: int) -> NDArray[np.int64]:
        """How many stocks each block of these sessions knows."""
        ends = np.array([min(stop, b + BLOCK) for b in range(first, stop, BLOCK)])
        return np.searchsorted(self.universe.entry_N, ends - 1, side="right")

    def _bytes(self, sessions: int) -> int:
        """Size of all blocks: inputs in their own type, labels in float32."""
        row = len(self.chosen) * np.dtype(self.config.features.dtype).itemsize
        row += 4 * len(self.config.labels.horizons)
        starts = np.arange(0, sessions, BLOCK)
        length_B = np.minimum(starts + BLOCK, sessions) - starts
        return int((self._stocks(0, sessions) * length_B).sum()) * row
