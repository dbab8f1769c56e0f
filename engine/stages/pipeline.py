"""What training and scoring stages share: from the store to a dataset, and one fitted network."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from engine.config import Config
from engine.data.load import StoredPanel, open_panel
from engine.data.repair import RULES
from engine.data.universe import VERSION, Universe, build_universe
from engine.dataset.loader import epoch_steps
from engine.dataset.split import Split
from engine.errors import ConfigError, GateError
from engine.features import feature_set
from engine.features.catalog import wants_graph
from engine.features.feature_set import FeatureSet, build_features
from engine.files import digest
from engine.graph import build as graph_build
from engine.graph.build import build_graphs
from engine.graph.graph import GraphSeries
from engine.model.atft_gat_fan import ATFTGATFAN
from engine.model.build import build_model, parameter_table
from engine.portfolio.prediction import Prediction
from engine.records.quality import QualityReport
from engine.runs.control import ControlFiles
from engine.runs.events import ModelBuilt, PlanMade, StageStarted
from engine.runs.sink import EventSink
from engine.runs.store import Run
from engine.stages.context import StageContext
from engine.training.control import RunControl
from engine.training.device import Runtime, apply_mode, choose_device
from engine.training.machine import MachineProbe
from engine.training.permutation import permuted_labels
from engine.training.progress import Progress
from engine.training.snapshots import Snapshots
from engine.training.startup import check_startup
from engine.training.trainer import Trainer


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
    panel = open_panel(workspace, config, snapshot)
    universe = build_universe(panel, config.universe, workspace / "universe")
    graphs = None
    if config.graph.kind != "none" and (
        (with_graph and uses_graph(config)) or wants_graph(config.features)
    ):
        sink.emit(StageStarted(stage="graph"))
        graphs = build_graphs(panel, universe, config.graph, workspace / "graphs", sink)
    sink.emit(StageStarted(stage="features"))
    features = build_features(panel, universe, graphs, config, workspace / "features", sink)
    return Dataset(
        panel=panel,
        universe=universe,
        features=features.loaded() if in_memory else features,
        graphs=graphs if with_graph and uses_graph(config) else None,
        all_graphs=graphs,
    )


Loader = Callable[[StageContext, EventSink], Dataset]


@dataclass(slots=True)
class Shelf:
    """The dataset of one run after another: what the next one needs too is not read again.

    One feature tensor is held at a time, so runs with the same inputs should follow each other.
    """

    _key: str = ""
    _held: Dataset | None = None

    def open(self, context: StageContext, sink: EventSink) -> Dataset:
        """As `load_dataset`."""
        config = context.config
        tables = ("data", "quality", "universe", "labels", "features", "graph")
        used = {name: getattr(config, name).model_dump(mode="json") for name in tables}
        key = digest({**used, "uses_graph": uses_graph(config)})
        if self._held is None or key != self._key:
            found = load_dataset(context, sink, in_memory=False)
            held = self._held
            same = held is not None and held.features.fingerprint == found.features.fingerprint
            features = held.features if held is not None and same else None
            self._held = None  # frees the old tensor before the new one is read
            self._held = replace(found, features=features or found.features.loaded())
            self._key = key
        return self._held


def as_taught(dataset: Dataset, split: Split, config: Config) -> Dataset:
    """The data set as training and selection see it: neutral labels, and for a permutation test no signal.

    What only judges, the test days, keeps its own returns.
    """
    features = replace(dataset.features, neutral=config.loss.neutral_to)
    if config.training.permute_labels:
        deciding = np.concatenate([split.train, split.validation])
        features = permuted_labels(features, deciding, config.training.seed)
    return replace(dataset, features=features)


def uses_graph(config: Config) -> bool:
    return config.graph.kind != "none" and "gat" in config.model.blocks


def start_runtime(config: Config, sink: EventSink) -> Runtime:
    device = choose_device(config.training.device, sink)
    return apply_mode(config.training.mode, device, config.training.seed)


def kept_model(run: Run, config: Config, dataset: Dataset, runtime: Runtime) -> ATFTGATFAN:
    """The network of a finished run with the weights that it kept.

    The data may have grown or been revised since; everything else must be as it was in training.
    """
    model = build_model(config, len(dataset.features.features)).to(runtime.device)
    snapshots = Snapshots(directory=run.path("checkpoints"), identity=identity(config, dataset))
    model.set_blocks(snapshots.load_weights("kept", model, ignore=DATA)["blocks"])
    return model


DATA = ("data", "graph")
"""Parts of an identity that name the data themselves: a resumed training needs them unchanged, scoring
with finished weights does not."""


def identity(config: Config, dataset: Dataset) -> dict[str, Any]:
    """What trained weights belong to. A checkpoint of another identity is refused."""
    return {
        "model": config.model.model_dump(mode="json"),
        "window": config.split.window,
        "horizons": list(config.labels.horizons),
        "features": list(dataset.features.features),
        **input_rules(config, dataset.features.market),
        "training": digest(
            {
                "training": config.training.model_dump(mode="json", exclude={"device"}),
                "loss": config.loss.model_dump(mode="json"),
                "split": config.split.model_dump(mode="json"),
            }
        ),
        "data": dataset.features.fingerprint,
        "graph": dataset.graphs.fingerprint if dataset.graphs else "none",
    }


def input_rules(config: Config, market: str) -> dict[str, Any]:
    """Every rule between the source and the network's input, the data apart: one entry a layer.

    Equal rules give a day the same inputs, whatever was appended after it.
    """
    return {
        "market": market,
        "cleaning": {
            "rules": RULES,
            "quality": config.quality.model_dump(mode="json"),
            "index": config.data.index_symbol,
        },
        "universe": {"rules": VERSION, **config.universe.model_dump(mode="json")},
        "labels": config.labels.model_dump(mode="json"),
        "scaling": {
            "rules": feature_set.CODE_VERSION,
            "scaling": config.features.scaling,
            "dtype": config.features.dtype,
        },
        "edges": {"rules": graph_build.CODE_VERSION, **config.graph.model_dump(mode="json")},
    }


def build_trainer(
    context: StageContext,
    dataset: Dataset,
    split: Split,
    *,
    run: Run,
    directory: Path,
    runtime: Runtime,
    sink: EventSink,
) -> Trainer:
    """A trainer with freshly initialised weights, its plan told and its start-up assertions passed.

    ``directory``: of its checkpoints.
    """
    config, features = context.config, dataset.features
    _require_known(features)
    if uses_graph(config) and dataset.graphs is not None:
        _require_edges(dataset.graphs, split)
    model = build_model(config, len(features.features)).to(runtime.device)
    _announce(config, features, split, model, sink)
    sink.emit(StageStarted(stage="startup"))
    check_startup(
        model,
        features,
        dataset.graphs,
        session=int(split.train[-1]),
        window=config.split.window,
        device=runtime.device,
        sink=sink,
    )
    return Trainer(
        config=config,
        features=features,
        graphs=dataset.graphs,
        split=split,
        model=model,
        runtime=runtime,
        sink=sink,
        stop=context.stop,
        snapshots=Snapshots(directory=directory, identity=identity(config, dataset)),
        machine=MachineProbe(context.workspace),
        progress=Progress(),
        control=RunControl(files=ControlFiles.of(run), sink=sink, stop=context.stop),
    )


def _announce(
    config: Config, features: FeatureSet, split: Split, model: ATFTGATFAN, sink: EventSink
) -> None:
    steps = epoch_steps(
        split.train,
        stride=config.training.day_stride,
        days_per_step=config.training.days_per_step,
        seed=config.training.seed,
        epoch=0,
    )
    sink.emit(
        PlanMade(
            phases=[phase.name for phase in config.training.phases],
            epochs=[phase.epochs for phase in config.training.phases],
            steps_per_epoch=len(steps),
            train_sessions=split.train.size,
            validation_sessions=split.validation.size,
            test_sessions=split.test.size,
        )
    )
    sink.emit(
        ModelBuilt(
            parameters=parameter_table(model),
            n_features=len(features.features),
            n_symbols=len(features.symbols),
            n_sessions=features.dates_S.size,
        )
    )


def write_predictions(run: Run, frame: pl.DataFrame, features: FeatureSet, config: Config) -> None:
    """``predictions.parquet`` of the run, with what its scores rest on in the metadata.

    The horizons are those of the frame's columns.
    """
    Prediction(
        frame=frame,
        run_id=run.id,
        horizons=tuple(h for h in features.horizons if f"score_{h}" in frame.columns),
        market=features.market,
        config_digest=digest(config.model_dump(mode="json")),
        data_fingerprint=features.fingerprint,
    ).write(run.path("predictions.parquet"))


def oracle_frame(
    panel_oracle: pl.DataFrame | None, features: FeatureSet, split: Split
) -> pl.DataFrame:
    """The synthetic market's expected returns as a baseline named ``oracle``; empty for real data."""
    columns = [f"score_{horizon}" for horizon in features.horizons]
    if panel_oracle is None:
        return pl.DataFrame()
    wide = panel_oracle.pivot(on="horizon", index=["date", "symbol"], values="expected")
    known = {str(h): f"score_{h}" for h in features.horizons if str(h) in wide.columns}
    wide = wide.rename(known).with_columns(pl.col(name).cast(pl.Float32) for name in known.values())
    missing = [pl.lit(None, pl.Float32).alias(name) for name in columns if name not in wide.columns]
    parts = []
    for name, sessions in (("validation", split.validation), ("test", split.test)):
        member = np.argwhere(features.member_SN[sessions])
        rows = pl.DataFrame(
            {
                "date": features.dates_S[sessions[member[:, 0]]],
                "symbol": pl.Series("symbol", features.symbols).gather(member[:, 1]),
            }
        ).with_columns(pl.col("date").cast(pl.Date), pl.lit(name).alias("split"))
        parts.append(rows.join(wide.with_columns(missing), on=["date", "symbol"], how="inner"))
    return pl.concat(parts).select(
        pl.lit("oracle").alias("name"),
        "date",
        "symbol",
        pl.lit(0, pl.Int16).alias("fold"),
        "split",
        *columns,
    )


def _require_known(features: FeatureSet) -> None:
    """Only a network learns neutral labels; simple models do without the features they need."""
    unknown = [name for name in features.neutral if name not in features.features]
    if unknown:
        raise ConfigError(
            f"loss.neutral_to: {', '.join(unknown)} is not among the {len(features.features)} features",
            hint="take it out, e.g. --set loss.neutral_to=[], or add its family to features.families",
        )


def _require_edges(graphs: GraphSeries, split: Split) -> None:
    """The original's graph never reached its network; here a GAT without edges does not start."""
    if graphs.at(int(split.train[-1])).edge_index_2E.shape[1] == 0:
        raise GateError(
            "the graph has no edge on the last training day, but the GAT block is on",
            hint="lower graph.threshold, or set graph.kind = 'none'",
        )
