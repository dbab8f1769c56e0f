"""The rivals of a network: simple models that learn its label, from its columns, on its days and seeds.

The perceptron among them is the network itself with every block off, taught by the same trainer.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl
import torch

from engine.config import Config
from engine.dataset.heard import with_neighbours
from engine.dataset.split import Fold, Part, Split, refit_split
from engine.errors import Interrupted
from engine.files import write_parquet
from engine.records.train import NETWORK
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
from engine.training.baselines import FITS, compute_baselines, count_fits, score_fitted
from engine.training.members import PERCEPTRON, PLAIN, kind_of, member_config, perceptron

FITTED = "fits"
"""Directory of a run with its ridge and LightGBM models."""
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
    progress = RivalProgress(sink, context.stop, seeds)
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
    return pl.concat([frame, named(scores, PERCEPTRON)])


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
    config, path = context.config, simple_file(run, fold.index)
    fits = _fits(dataset, fold.split, parts, config)
    progress.total += len(fits) * count_fits(config, seeds)
    if path.is_file():
        progress.done += len(fits) * count_fits(config, seeds)
        return pl.read_parquet(path)
    frames = [
        compute_baselines(
            as_taught(dataset, split, config).features,
            split,
            config=config,
            fold=fold.index,
            seeds=seeds,
            parts=scored,
            sink=progress.sink,
            keep=run.path(FITTED),
            done=progress.count,
            alive=progress.alive,
        )
        for split, scored in fits
    ]
    write_parquet(path, found := pl.concat(frames))
    return found


def simple_file(run: Run, fold: int) -> Path:
    """Where the scores of the rivals that are no networks are: once they are there, they are done."""
    return run.path(f"folds/{SIMPLE}-fold-{fold}.parquet")


def _fits(
    dataset: Dataset, split: Split, parts: Sequence[Part], config: Config
) -> list[tuple[Split, Sequence[Part]]]:
    """The days that ridge and LightGBM learn, and the parts that each of these fits scores.

    They choose nothing on validation days, so with `training.refit` those of the test learn these at once.
    The fit that scores the test is the last, and is the one that stays in the run's files.
    """
    if not config.training.refit or "test" not in parts:
        return [(split, parts)]
    longer = refit_split(dataset.features, split, config.split, config.universe.min_names)
    rest = [part for part in parts if part != "test"]
    return [*([(split, rest)] if rest else []), (longer, ("test",))]


def score_plain(
    context: StageContext,
    run: Run,
    dataset: Dataset,
    heard: Dataset,
    fold: Fold,
    *,
    names: Collection[str],
    seeds: int,
    parts: Sequence[Part],
    sink: EventSink,
) -> list[pl.DataFrame]:
    """Scores of the members that learn the label as it is, as `score_rivals` gives.

    ``names``: those that are wanted, with their ending. ``heard``: the data set as `hearing` gives it.
    """
    config, plain = context.config, member_config(context.config, PLAIN)
    kinds = [kind for kind in FITS if kind + PLAIN in names]
    networks = [kind + PLAIN for kind in (NETWORK, PERCEPTRON) if kind + PLAIN in names]
    fits = _fits(heard, fold.split, parts, config) if kinds else []
    total = len(fits) * count_fits(config, seeds, kinds) + seeds * len(networks)
    progress = RivalProgress(sink, context.stop, total)
    frames = [
        score_fitted(
            as_taught(heard, split, plain).features,
            split,
            config=plain,
            fold=fold.index,
            seeds=seeds,
            parts=scored,
            keep=run.path(FITTED),
            kinds=kinds,
            suffix=PLAIN,
            done=progress.count,
            alive=progress.alive,
        )
        for split, scored in fits
    ]
    for member in networks:
        own = replace(context, config=member_config(config, member))
        seen = dataset if kind_of(member) == NETWORK else heard
        with torch.random.fork_rng():
            scores = score_seeds(
                own, run, seen, [fold], seeds=seeds, parts=parts, sink=progress, model=member
            )
        frames.append(named(scores, member))
    return frames


def named(scores: pl.DataFrame, name: str) -> pl.DataFrame:
    """Scores as the table of baselines has them."""
    return scores.select(pl.lit(name).alias("name"), pl.all())


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
