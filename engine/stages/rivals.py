"""The rivals of a network: simple models that learn its label, from its columns, on its days and seeds.

The perceptron among them is the network itself with every block off, taught by the same trainer.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import polars as pl
import torch

from engine.config import Config
from engine.dataset.heard import with_neighbours
from engine.dataset.split import Fold, Part, Split, refit_split
from engine.errors import Interrupted
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
    config = context.config
    fits = _fits(dataset, fold.split, parts, config)
    progress = _Progress(sink, context.stop, len(fits) * count_fits(config, seeds) + seeds)
    frames = [
        compute_baselines(
            as_taught(dataset, split, config).features,
            split,
            config=config,
            fold=fold.index,
            seeds=seeds,
            parts=scored,
            sink=sink,
            done=progress.count,
        )
        for split, scored in fits
    ]
    with torch.random.fork_rng():
        scores = score_seeds(
            replace(context, config=perceptron(config)),
            run,
            dataset,
            [fold],
            seeds=seeds,
            parts=parts,
            sink=progress,
            model=PERCEPTRON,
        )
    return pl.concat([*frames, scores.select(pl.lit(PERCEPTRON).alias("name"), pl.all())])


def _fits(
    dataset: Dataset, split: Split, parts: Sequence[Part], config: Config
) -> list[tuple[Split, Sequence[Part]]]:
    """The days that ridge and LightGBM learn, and the parts that each of these fits scores.

    They choose nothing on validation days, so with `training.refit` those of the test learn these at once.
    """
    if not config.training.refit or "test" not in parts:
        return [(split, parts)]
    longer = refit_split(dataset.features, split, config.split, config.universe.min_names)
    rest = [part for part in parts if part != "test"]
    return [*([(split, rest)] if rest else []), (longer, ("test",))]


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
class _Progress:
    """Counts the fits of a fold; as the sink of a perceptron's training it lets a person's wishes through.

    The rest of what that training tells would be taken for the network's.
    """

    sink: EventSink
    stop: Stop
    total: int
    done: int = 0

    def count(self, note: str) -> None:
        self.done += 1
        self._tell(note)
        if self.stop.requested:
            raise Interrupted(f"stopped among the simple models, after {note}")

    def emit(self, event: RunEvent) -> None:
        if isinstance(event, Paused | Continued | ControlAnswered):
            self.sink.emit(event)
        elif isinstance(event, FoldStarted):
            self.count(f"{PERCEPTRON} seed {event.seed}")
        elif isinstance(event, EpochEvaluated):
            self._tell(f"{PERCEPTRON} epoch {event.epoch}, RankIC {event.rank_ic:+.4f}")

    def _tell(self, note: str) -> None:
        self.sink.emit(Advanced(stage="baselines", done=self.done, total=self.total, note=note))
