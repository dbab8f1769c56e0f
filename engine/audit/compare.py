"""Everything the pipeline makes of raw tables; and two runs of it up to one session: what differs, in which
column, of whom, and when.
"""

import datetime as dt
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from msgspec.structs import replace
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
from engine.records.preflight import Leak
from engine.runs.sink import NullSink

TOO_EARLY = "uses rows of its table before the day they became available"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldPair:
    """The market as it is and with another future, up to session ``cut`` (included)."""

    ours: World
    other: World
    cut: int

    def leaks(self, *, publication: bool = False) -> Iterator[Leak]:
        """All differences, upstream first; what follows from an upstream one is not told again."""
        if publication:
            for leak in self._features(frozenset()):
                yield replace(leak, check="publication", detail=TOO_EARLY)
            return
        rows = list(self._rows())
        yield from rows
        members = [] if rows else list(self._universe())
        yield from members
        if rows or members:
            return
        edges = list(self._edges())
        yield from edges
        excused = frozenset(f.name for f in self.ours.chosen if f.source == "graph" and edges)
        yield from self._features(excused)
        yield from self._labels()

    @property
    def day(self) -> dt.date:
        """Date of the session ``cut``."""
        day: dt.date = self.ours.universe.dates_S[self.cut].item()
        return day

    def _shared(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Positions on both axes of the stocks that were members up to the cut in either world."""
        place = {s: n for n, s in enumerate(self.other.universe.symbols)}
        early = self.ours.universe.entry_N <= self.cut
        both = [n for n, s in enumerate(self.ours.universe.symbols) if early[n] and s in place]
        return np.array(both, dtype=np.int64), np.array(
            [place[self.ours.universe.symbols[n]] for n in both], dtype=np.int64
        )

    def _rows(self) -> Iterator[Leak]:
        a, b = (w.clean.filter(pl.col("date") <= self.day) for w in (self.ours, self.other))
        if a.equals(b):
            return
        keys = ["date", "symbol"]
        lost = pl.concat([a.join(b, on=keys, how="anti"), b.join(a, on=keys, how="anti")])
        if lost.is_empty():
            same = a.join(b, on=keys, suffix="_other")
            columns = [c for c in a.columns if c not in keys]
            lost = same.filter(
                ~pl.all_horizontal(pl.col(c).eq_missing(pl.col(f"{c}_other")) for c in columns)
            )
        first = lost.sort("date", "symbol").row(0, named=True)
        yield Leak(
            check="quality",
            name="cleaned bars",
            day=str(first["date"]),
            symbol=first["symbol"],
            detail="cleaning of a day depends on later days",
        )

    def _universe(self) -> Iterator[Leak]:
        stop = self.cut + 1
        a, b = self.ours.universe, self.other.universe
        mine, theirs = self._shared()
        for universe, used in ((a, mine), (b, theirs)):
            alone = np.setdiff1d(np.arange(len(universe.symbols)), used)
            early = alone[universe.entry_N[alone] <= self.cut]
            if early.size:
                first = int(early[0])
                entry = int(universe.entry_N[first])
                yield self._leak("universe", "membership", universe, first, entry)
                return
        yield from self._different(
            "universe", "membership", a.member_SN[:stop, mine].T, b.member_SN[:stop, theirs].T, mine
        )
        yield from self._different(
            "universe", "market series", a.market_KS[:, :stop], b.market_KS[:, :stop], None
        )

    def _edges(self) -> Iterator[Leak]:
        if self.ours.graphs is None or self.other.graphs is None:
            return
        for session in self.ours.graphs.sessions_R[self.ours.graphs.sessions_R <= self.cut]:
            mine, theirs = (_named_edges(w, int(session)) for w in (self.ours, self.other))
            if mine != theirs:
                edge = sorted(mine ^ theirs)[0]
                yield Leak(
                    check="graph",
                    name=f"edge {edge[0]} -> {edge[1]}",
                    day=str(self.ours.universe.dates_S[session]),
                    symbol=edge[1],
                    detail="the graph of a day depends on later returns",
                )
                return

    def _features(self, excused: frozenset[str]) -> Iterator[Leak]:
        stop = self.cut + 1
        mine, theirs = self._shared()
        columns = self.ours.features.features
        x, y = (
            np.asarray(w.features.x_SNF[:stop])[:, rows]
            for w, rows in ((self.ours, mine), (self.other, theirs))
        )
        for feature in self.ours.chosen:
            if feature.name in excused or feature.name not in self.other.raw:
                continue
            a, b = (w.raw[feature.name] for w in (self.ours, self.other))
            rows = mine if feature.scope == "stock" else None
            pair = (a[mine], b[theirs]) if rows is not None else (a[None], b[None])
            a_NS, b_NS = (values_NS[:, :stop] for values_NS in pair)
            found = list(self._different("features", feature.name, a_NS, b_NS, rows))
            if not found:
                f = columns.index(feature.name)
                x_NS, y_NS = x[:, :, f].T, y[:, :, f].T
                found = list(self._different("normalisers", feature.name, x_NS, y_NS, mine))
            yield from found

    def _labels(self) -> Iterator[Leak]:
        """A label that ended by the cut is final."""
        mine, theirs = self._shared()
        a, b = (w.features.forward_return_SNH for w in (self.ours, self.other))
        for h, horizon in enumerate(self.ours.features.horizons):
            stop = self.cut - horizon
            if stop > 0:
                name, a_NS = f"forward_return_{horizon}", a[:stop, mine, h].T
                yield from self._different("labels", name, a_NS, b[:stop, theirs, h].T, mine)

    def _different(
        self,
        check: str,
        name: str,
        a_NS: NDArray[np.floating] | NDArray[np.bool_],
        b_NS: NDArray[np.floating] | NDArray[np.bool_],
        rows_N: NDArray[np.int64] | None,
    ) -> Iterator[Leak]:
        equal_NS = (a_NS == b_NS) | ((a_NS != a_NS) & (b_NS != b_NS))
        if equal_NS.all():
            return
        session = int(np.flatnonzero(~equal_NS.all(axis=0))[0])
        n = int(np.flatnonzero(~equal_NS[:, session])[0])
        universe = self.ours.universe
        yield self._leak(check, name, universe, None if rows_N is None else int(rows_N[n]), session)

    def _leak(self, check: str, name: str, universe: Universe, n: int | None, session: int) -> Leak:
        return Leak(
            check=check,
            name=name,
            day=str(universe.dates_S[session]),
            symbol="" if n is None else universe.symbols[n],
            detail=f"changes with what happens after {self.day}",
        )


def _named_edges(world: World, session: int) -> set[tuple[str, str, float]]:
    assert world.graphs is not None
    graph, names = world.graphs.at(session), world.universe.symbols
    source_E, target_E = graph.edge_index_2E
    return {
        (names[s], names[t], float(rho))
        for s, t, rho in zip(source_E, target_E, graph.edge_attr_EK[:, 0], strict=True)
    }
