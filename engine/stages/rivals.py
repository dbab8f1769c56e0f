"""The rivals of a network: simple models that learn its label, from its columns, on its days and seeds.

The perceptron among them is the network itself with every block off, taught by the same trainer.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl
import torch

from engine.config import Config
from engine.dataset.heard import with_neighbours
from engine.dataset.split import Fold, Part
from engine.errors import Interrupted
from engine.files import write_parquet
from engine.runs.events import (
    Advanced,
    Continued,
    ControlAnswered,
    EpochEvaluated,
    FoldStarted,
    Paused,
    RunEvent,
)
from engine.runs.sink import EventSink
from engine.runs.store import Run
from engine.stages.context import StageContext, Stop
from engine.stages.fit import score_seeds
from engine.stages.load import Dataset, as_taught
from engine.training.baselines import compute_baselines, count_fits

PERCEPTRON = "mlp"
"""Its name in files and tables."""
SIMPLE = "baselines"
"""The name in files of the rivals that are no networks: rules, ridge and LightGBM."""


def hearing(dataset: Dataset, config: Config) -> Dataset:
    """The data set as the rivals see it: without a graph, with its neighbours' columns if configured.

    Where the network listens to no graph, its rivals do not either.
    """
    features = dataset.features
    if config.training.rivals_hear_neighbours and dataset.graphs is not None:
        features = with_neighbours(features, dataset.graphs)
    return replace(dataset, features=features, graphs=None)


def score_rivals(
    context: StageContext,
    run: Run,
    dataset: Dataset,
    fold: Fold,
    *,
    seeds: int = 1,
    parts: Sequence[Part] = ("validation", "test"),
    sink: EventSink,
) -> pl.DataFrame:
    """Scores of every rival on the days of some parts of a fold, as `compute_baselines` gives.

    ``dataset`` as `hearing` gives it. Torch's random state is as before afterwards, so a run that has the
    scores already goes on with the same numbers. Interrupted, after the fit or the step, when asked to stop.
    """
    progress = RivalProgress(sink, context.stop, count_fits(context.config, seeds) + seeds)
    frame = score_simple(context, run, dataset, fold, seeds=seeds, parts=parts, progress=progress)
    with torch.random.fork_rng():
        scores = score_seeds(
            replace(context, config=perceptron(context.config)),
            run,
            dataset,
            [fold],
            seeds=seeds,
            parts=parts,
            sink=progress,
            model=PERCEPTRON,
        )
    return pl.concat([frame, scores.select(pl.lit(PERCEPTRON).alias("name"), pl.all())])


def score_simple(
    context: StageContext,
    run: Run,
    dataset: Dataset,
    fold: Fold,
    *,
    seeds: int,
    parts: Sequence[Part],
    progress: "RivalProgress",
) -> pl.DataFrame:
    """Scores of the rivals that are no networks. They lie in ``folds/`` of the run and are made once."""
    path = simple_file(run, fold.index)
    if path.is_file():
        progress.done += count_fits(context.config, seeds)
        return pl.read_parquet(path)
    config = context.config
    frame = compute_baselines(
        as_taught(dataset, fold.split, config).features,
        fold.split,
        config=config,
        fold=fold.index,
        seeds=seeds,
        parts=parts,
        sink=progress.sink,
        done=progress.count,
        alive=progress.alive,
    )
    write_parquet(path, frame)
    return frame


def simple_file(run: Run, fold: int) -> Path:
    """Where the scores of the rivals that are no networks are: once they are there, they are done."""
    return run.path(f"folds/{SIMPLE}-fold-{fold}.parquet")


def perceptron(config: Config) -> Config:
    """The configuration of the network with every block off, taught as in its first phase.

    The last session is all that is read of a window, so the window is one session.
    """
    first = next((phase for phase in config.training.phases if phase.epochs), None)
    phases = (first or config.training.phases[0]).model_copy(update={"blocks": (), "frozen": ()})
    return config.model_copy(
        update={
            "model": config.model.model_copy(update={"blocks": ()}),
            "split": config.split.model_copy(update={"window": 1}),
            "training": config.training.model_copy(update={"phases": (phases,)}),
        }
    )


@dataclass(slots=True)
class RivalProgress:
    """Counts the fits of a fold; as the sink of a perceptron's training it lets a person's wishes through.

    The rest of what that training tells would be taken for the network's.
    """

    sink: EventSink
    stop: Stop
    total: int
    done: int = 0

    _last: str = "none"

    def count(self, note: str) -> None:
        """One more is fitted. Interrupted when asked to stop."""
        self.done += 1
        self._last = note
        self._tell(note)
        self.alive()

    def alive(self) -> None:
        """Interrupted when asked to stop; for fits to call between their rounds."""
        if self.stop.requested:
            raise Interrupted(f"stopped among the simple models, after {self._last}")

    def emit(self, event: RunEvent) -> None:
        """Hand on what a person should see of a network's training."""
        if isinstance(event, Paused | Continued | ControlAnswered):
            self.sink.emit(event)
        elif isinstance(event, FoldStarted):
            self.count(f"{PERCEPTRON} seed {event.seed}")
        elif isinstance(event, EpochEvaluated):
            self._tell(f"{PERCEPTRON} epoch {event.epoch}, RankIC {event.rank_ic:+.4f}")

    def _tell(self, note: str) -> None:
        self.sink.emit(Advanced(stage="baselines", done=self.done, total=self.total, note=note))
