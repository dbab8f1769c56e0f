"""Everything the pipeline makes of raw tables, kept so that two runs can be laid side by side."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.config import Config
from engine.data.panel import DensePanel, Panel
from engine.data.quality import examine
from engine.data.tables import RawTables
from engine.data.universe import Universe, build_universe
from engine.features.compute import Inputs, market_context, raw_values
from engine.features.feature import Feature
from engine.features.feature_set import FeatureSet, build_features, chosen_features
from engine.graph.build import build_graphs
from engine.graph.graph import GraphSeries
from engine.runs.sink import NullSink


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """One run of the pipeline, from cleaned bars to features."""

    clean: pl.DataFrame
    universe: Universe
    dense: DensePanel
    graphs: GraphSeries | None
    chosen: tuple[Feature, ...]
    raw: dict[str, NDArray[np.floating]]
    """Before normalisation: ``[N, S]`` of a stock-scope feature, ``[S]`` of a market-scope one."""
    features: FeatureSet


def build_world(raw: RawTables, config: Config) -> World:
    """The real pipeline, from quality to labels, in a temporary folder."""
    clean, report = examine(raw, config.quality)
    index = raw.index
    if config.data.index_symbol:
        index = clean.filter(symbol=config.data.index_symbol).select("date", "close")
    panel = Panel(
        frame=clean,
        securities=raw.securities,
        index=index,
        tables=raw.optional,
        market=raw.market,
        source=raw.source,
        as_of=report.last,
        fingerprint="audit",
    )
    with tempfile.TemporaryDirectory() as folder:
        root, sink = Path(folder), NullSink()
        universe = build_universe(panel, config.universe, root / "universe")
        graphs = None
        if config.graph.kind != "none":
            graphs = build_graphs(panel, universe, config.graph, root / "graphs", sink).in_memory()
        features = build_features(panel, universe, graphs, config, root / "features", sink)
        features = features.in_memory()
    chosen = chosen_features(panel, config, with_graph=graphs is not None)
    dense = panel.dense()
    inputs = Inputs(universe=universe, dense=dense.take(universe.rows_in(dense)), graphs=graphs)
    values: dict[str, NDArray[np.floating]] = {
        feature.name: value_NS
        for batch, value_FNS in raw_values(inputs, chosen, 0, universe.dates_S.size)
        for feature, value_NS in zip(batch, value_FNS, strict=True)
    }
    market = market_context(inputs)
    with np.errstate(divide="ignore", invalid="ignore"):
        values |= {f.name: f.compute(market) for f in chosen if f.scope == "market"}
    return World(
        clean=clean,
        universe=universe,
        dense=inputs.dense,
        graphs=graphs,
        chosen=chosen,
        raw=values,
        features=features,
    )


def last_session_differs(world: World) -> Iterator[str]:
    """Stock-scope columns whose values of the last session are others when it is computed alone, as an append
    does: the look-back that they name is too short.
    """
    stop, universe = world.universe.dates_S.size, world.universe
    inputs = Inputs(universe=universe, dense=world.dense, graphs=world.graphs)
    for batch, values_FNT in raw_values(inputs, world.chosen, stop - 1, stop):
        for feature, alone_NT in zip(batch, values_FNT, strict=True):
            whole_NT = world.raw[feature.name][:, -1:]
            if not np.array_equal(alone_NT, whole_NT, equal_nan=True):
                yield feature.name
