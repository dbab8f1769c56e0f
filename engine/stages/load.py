"""From the store to what a network learns from: panel, universe, graphs and features of one command."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.config import Config
from engine.data.load import StoredPanel, open_panel
from engine.data.universe import Universe, build_universe
from engine.dataset.split import Part, Split
from engine.errors import ConfigError
from engine.features.catalog import wants_graph
from engine.features.compute import Inputs, longest_reach, raw_values
from engine.features.feature import Feature
from engine.features.feature_set import FeatureSet, build_features, chosen_features
from engine.features.rolling import BLOCK
from engine.files import digest
from engine.graph.build import build_graphs
from engine.graph.graph import GraphSeries
from engine.records.features import changed_since
from engine.records.quality import QualityReport
from engine.runs.events import Noted, StageStarted
from engine.runs.sink import EventSink
from engine.signals.window import DayWindow, assemble, day_slice, edge_slice
from engine.stages.context import StageContext


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """Everything before the model, read or built once per command."""

    panel: StoredPanel
    universe: Universe
    features: FeatureSet
    graphs: GraphSeries | None
    """What the network listens to; None if it does not."""
    all_graphs: GraphSeries | None
    """Those that features are made from too."""

    @property
    def quality(self) -> QualityReport:
        """What the quality check said of the panel."""
        return self.panel.report


def load_dataset(
    context: StageContext,
    sink: EventSink,
    *,
    with_graph: bool = True,
    in_memory: bool = True,
    snapshot: str | None = None,
) -> Dataset:
    """Panel -> universe -> graphs -> features; what is there is read, what is new is added to it.

    ``in_memory``: read the tensor at once if it is small enough; else days come from disk.
    ``snapshot``: of the store, by its id; the current one if not named.
    """
    config, workspace = context.config, context.workspace
    sink.emit(StageStarted(stage="load"))
    if changed := changed_since(workspace, config.features.own):
        told = f"features/{', '.join(changed)} changed since: this run keeps what it began with"
        sink.emit(Noted(message=told))
    panel = open_panel(workspace, config, snapshot)
    universe = build_universe(panel, config.universe, workspace / "universe")
    graphs = None
    if config.graph.kind != "none" and (
        (with_graph and config.uses_graph) or wants_graph(config.features)
    ):
        sink.emit(StageStarted(stage="graph"))
        graphs = build_graphs(panel, universe, config.graph, workspace / "graphs", sink)
    sink.emit(StageStarted(stage="features"))
    features = build_features(panel, universe, graphs, config, workspace / "features", sink)
    return Dataset(
        panel=panel,
        universe=universe,
        features=features.loaded() if in_memory else features,
        graphs=graphs if with_graph and config.uses_graph else None,
        all_graphs=graphs,
    )


Loader = Callable[[StageContext, EventSink], Dataset]


@dataclass(slots=True)
class Shelf:
    """The dataset of one run after another: what the next one needs too is not read again.

    One feature tensor is held at a time, so runs with the same inputs should follow each other.
    """

    in_memory: bool = True
    """False: days come from disk, where processes beside each other share them."""
    _key: str = ""
    _held: Dataset | None = None

    def open(self, context: StageContext, sink: EventSink) -> Dataset:
        """The dataset of a run's configuration, as `load_dataset` gives it."""
        config = context.config
        tables = ("data", "quality", "universe", "labels", "features", "graph")
        used = {name: getattr(config, name).model_dump(mode="json") for name in tables}
        key = digest({**used, "uses_graph": config.uses_graph})
        if self._held is None or key != self._key:
            found = load_dataset(context, sink, in_memory=False)
            held = self._held
            same = held is not None and held.features.fingerprint == found.features.fingerprint
            features = held.features if held is not None and same else None
            self._held = None  # frees the old tensor before the new one is read
            if features is None:
                features = found.features.loaded() if self.in_memory else found.features
            self._held = replace(found, features=features)
            self._key = key
        return self._held


def as_taught(dataset: Dataset, split: Split, config: Config) -> Dataset:
    """The data set as training and selection see it: neutral labels with the weights of their days, and for
    a permutation test no signal.

    What only judges, the test days, keeps its own returns. A feature of `loss.neutral_to` that is not among
    the columns is a ConfigError.
    """
    require_neutral(config, dataset.features.features)
    weight_S = _recency_weights(
        dataset.features.dates_S.size, split.train, config.training.recency_half_life
    )
    features = replace(dataset.features, neutral=config.loss.neutral_to, weight_S=weight_S)
    if config.training.permute_labels:
        deciding = np.concatenate([split.train, split.validation])
        features = _permuted_labels(features, deciding, config.training.seed)
    return replace(dataset, features=features)


def require_neutral(config: Config, names: Sequence[str]) -> None:
    """ConfigError where a feature of `loss.neutral_to` is not among the columns."""
    unknown = [name for name in config.loss.neutral_to if name not in names]
    if unknown:
        raise ConfigError(
            f"loss.neutral_to: {', '.join(unknown)} is not among the {len(names)} features",
            hint="take it out, e.g. --set loss.neutral_to=[], or add its family to features.families",
        )


def _recency_weights(
    sessions: int, train: NDArray[np.int64], half_life: int
) -> NDArray[np.float32] | None:
    """Weight ``[S]`` of each session's label: halved with every ``half_life`` sessions of age, mean 1 over
    ``train``. None for a half-life of 0: all alike.
    """
    if not half_life:
        return None
    weight_S = np.exp2((np.arange(sessions) - train[-1]) / half_life)
    scaled_S: NDArray[np.float32] = (weight_S / weight_S[train].mean()).astype(np.float32)
    return scaled_S


def oracle_frame(
    panel_oracle: pl.DataFrame | None,
    features: FeatureSet,
    split: Split,
    fold: int = 0,
    parts: Sequence[Part] = ("validation", "test"),
) -> pl.DataFrame:
    """The synthetic market's expected returns as a baseline named ``oracle``; empty for real data."""
    columns = [f"score_{horizon}" for horizon in features.horizons]
    if panel_oracle is None:
        return pl.DataFrame()
    wide = panel_oracle.pivot(on="horizon", index=["date", "symbol"], values="expected")
    known = {str(h): f"score_{h}" for h in features.horizons if str(h) in wide.columns}
    wide = wide.rename(known).with_columns(pl.col(name).cast(pl.Float32) for name in known.values())
    missing = [pl.lit(None, pl.Float32).alias(name) for name in columns if name not in wide.columns]
    frames = []
    for name in parts:
        sessions = getattr(split, name)
        member = np.argwhere(features.member_SN[sessions])
        rows = pl.DataFrame(
            {
                "date": features.dates_S[sessions[member[:, 0]]],
                "symbol": pl.Series("symbol", features.symbols).gather(member[:, 1]),
            }
        ).with_columns(pl.col("date").cast(pl.Date), pl.lit(name).alias("split"))
        frames.append(rows.join(wide.with_columns(missing), on=["date", "symbol"], how="inner"))
    return pl.concat(frames).select(
        pl.lit("oracle").alias("name"),
        "date",
        "symbol",
        pl.lit(fold, pl.Int16).alias("fold"),
        "split",
        *columns,
    )


def session_window(dataset: Dataset, session: int, window: int) -> DayWindow:
    """What the networks see of a session, straight from the tensor."""
    features = dataset.features
    return assemble(
        str(features.dates_S[session]),
        [day_slice(features, s) for s in range(session - window + 1, session + 1)],
        edge_slice(dataset.graphs, session),
    )


def raw_days(
    dataset: Dataset, config: Config, sessions: Sequence[int]
) -> dict[str, list[NDArray[np.float32]]]:
    """Stock-scope features of the members of each session, before any scaling; NaN = unknown."""
    universe = dataset.universe
    chosen: tuple[Feature, ...] = chosen_features(
        dataset.panel, config, with_graph=dataset.all_graphs is not None
    )
    first, stop = sessions[0], sessions[-1] + 1
    start = max(0, (first - longest_reach(chosen)) // BLOCK * BLOCK)
    dense = dataset.panel.dense(start)
    inputs = Inputs(
        universe=universe, dense=dense.take(universe.rows_in(dense)), graphs=dataset.all_graphs
    )
    found: dict[str, list[NDArray[np.float32]]] = {}
    for batch, values_FNT in raw_values(inputs, chosen, first, stop):
        for feature, values_NT in zip(batch, values_FNT, strict=True):
            found[feature.name] = [
                values_NT[universe.member_SN[s], s - first].copy() for s in sessions
            ]
    return {f.name: found[f.name] for f in chosen if f.name in found}


def _permuted_labels(features: FeatureSet, sessions: NDArray[np.int64], seed: int) -> FeatureSet:
    """The same with the returns of ``sessions`` dealt anew among each day's members.

    ``sessions``: every day that decides anything, training and validation; a day that only judges keeps
    its own returns. The unit that is dealt is a stock's whole history, not a day of it: a stock keeps its
    donor from day to day (`_dealt`), as neighbouring days' returns overlap by all but one
    session. Dealt day by day, labels would lose that serial correlation, and a training would meet less
    noise than it does. All horizons come from one donor, and a day's set of returns stays as it was; only
    what ties it to the features is gone.

    Ojala & Garriga, JMLR 11, 2010 (labels permuted, everything after trained anew); Winkler et al.,
    NeuroImage 92, 2014 (units that depend within themselves are permuted whole).
    """
    rng = np.random.default_rng(seed)
    return_SNH = np.array(features.forward_return_SNH)
    donor_N = np.full(len(features.symbols), -1, dtype=np.int64)
    for session in np.sort(sessions):
        donor_N = _dealt(donor_N, features.member_SN[session], rng)
        member_N = np.flatnonzero(features.member_SN[session])
        return_SNH[session, member_N] = features.forward_return_SNH[session, donor_N[member_N]]
    return replace(features, forward_return_SNH=return_SNH)


def _dealt(
    donor_N: NDArray[np.int64], is_member_N: NDArray[np.bool_], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Donors ``[N]`` of a day, a permutation of its members, from those of the day before; -1 outside.

    Whoever listened to a stock that left gets that one's donor; whoever comes takes the donor of a member
    drawn at random, itself included, and becomes that one's donor. So one stock changes its donor for each
    that comes or goes, and the permutation stays one among all with equal chance (as in the Chinese
    restaurant process; Pitman, Combinatorial Stochastic Processes, 2006, 3.1). Dealing newcomers among
    themselves would give one that comes alone its own returns.
    """
    out_N = donor_N.copy()
    members = np.flatnonzero(out_N >= 0).tolist()
    for gone in [n for n in members if not is_member_N[n]]:
        out_N[out_N == gone] = out_N[gone]
        out_N[gone] = -1
    members = np.flatnonzero(out_N >= 0).tolist()
    for new in np.flatnonzero(is_member_N & (out_N < 0)).tolist():
        members.append(new)
        other = members[int(rng.integers(len(members)))]
        out_N[new], out_N[other] = out_N[other] if other != new else new, new
    return out_N
