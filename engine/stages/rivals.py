"""The rivals of a network: simple models that learn its label, from its columns, on its days and seeds; and
the blend of its scores with theirs.

The perceptron among them is the network itself with every block off, taught by the same trainer.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl
import torch

from engine.config import Config
from engine.dataset.heard import with_neighbours
from engine.dataset.split import Fold, Part, Split, refit_split
from engine.errors import Interrupted
from engine.evaluation.blend import blend_frames
from engine.files import read_parquet, write_parquet
from engine.records.names import model_name
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
from engine.stages.fit import Scoring, score_seeds
from engine.stages.load import Dataset, as_taught
from engine.training.baselines import compute_baselines, count_fits
from engine.training.members import PERCEPTRON, PLAIN, kind_of, member_config
from engine.training.own_models import own_model

FITTED = "fits"
"""Directory of a run with its ridge and LightGBM models."""
SIMPLE = "baselines"
"""The name in files of the rivals that are no networks: rules, ridge and LightGBM."""


def require_models(context: StageContext) -> None:
    """UsageError, before anything is trained, where a model that the configuration names cannot be used."""
    for name in context.config.own_models:
        own_model(name, context.workspace)


def hearing(dataset: Dataset, config: Config) -> Dataset:
    """The data set as the rivals see it: without a graph, with its neighbours' columns if configured.

    Where the network listens to no graph, its rivals do not either.
    """
    features = dataset.features
    if config.training.rivals_hear_neighbours and dataset.graphs is not None:
        features = with_neighbours(features, dataset.graphs)
    return replace(dataset, features=features, graphs=None)


def score_rivals(
    work: Scoring, fold: Fold, *, ready: Callable[[pl.DataFrame], object] = lambda scores: None
) -> pl.DataFrame:
    """Scores of every rival on the days of some parts of a fold, as `compute_baselines` gives.

    ``work``: of the data set as `hearing` gives it. ``ready`` gets the scores of those that are no networks
    as soon as they are made. Torch's random state is as before afterwards, so a run that has the scores
    already goes on with the same numbers. Interrupted, after the fit or the step, when asked to stop.
    """
    progress = RivalProgress(work.sink, work.context.stop, count_simple(work, fold) + work.seeds)
    simple = score_simple(work, fold, progress)
    ready(simple)
    return pl.concat([simple, _score_networks(replace(work, sink=progress), fold, PERCEPTRON)])


def _score_networks(work: Scoring, fold: Fold, member: str) -> pl.DataFrame:
    """Scores of a member's networks, under its name; torch's random state is as before afterwards."""
    own = replace(work.context, config=member_config(work.context.config, member))
    with torch.random.fork_rng():
        scores = score_seeds(replace(work, context=own, model=member), [fold])
    return named(scores, member)


def score_simple(
    work: Scoring,
    fold: Fold,
    progress: "RivalProgress",
    plain: Collection[str] | None = None,
) -> pl.DataFrame:
    """Scores of the rivals that are no networks. They lie in ``folds/`` of the run and are made once.

    ``plain``: only these kinds, on the label as it is. ``work``: of the data set as `hearing` gives it.
    """
    config, run = work.context.config, work.run
    path = simple_file(run, fold.index, plain=plain is not None)
    if path.is_file():
        progress.done += count_simple(work, fold, plain)
        return read_parquet(path)
    taught = config if plain is None else member_config(config, PLAIN)
    frame = pl.concat(
        compute_baselines(
            as_taught(work.dataset, split, taught).features,
            split,
            config=taught,
            fold=fold.index,
            seeds=work.seeds,
            parts=scored,
            sink=progress.sink,
            workspace=work.context.workspace,
            keep=run.path(FITTED),
            only=plain,
            suffix="" if plain is None else PLAIN,
            done=progress.count,
            alive=progress.alive,
        )
        for split, scored in _fits(work, fold.split)
    )
    write_parquet(path, frame)
    return frame


def count_simple(work: Scoring, fold: Fold, plain: Collection[str] | None = None) -> int:
    """How many models `score_simple` fits."""
    each = count_fits(work.context.config, work.seeds, plain)
    return len(_fits(work, fold.split)) * each


def simple_file(run: Run, fold: int, *, plain: bool = False) -> Path:
    """Where the scores of the rivals that are no networks are: once they are there, they are done."""
    return run.path(f"folds/{SIMPLE}{PLAIN if plain else ''}-fold-{fold}.parquet")


def _fits(work: Scoring, split: Split) -> list[tuple[Split, Sequence[Part]]]:
    """The days that ridge and LightGBM learn, and the parts that each of these fits scores.

    They choose nothing on validation days, so with `training.refit` those of the test learn these at once.
    The fit that scores the test is the last, and is the one that stays in the run's files.
    """
    config, parts = work.context.config, work.parts
    if not config.training.refit or "test" not in parts:
        return [(split, parts)]
    longer = refit_split(work.dataset.features, split, config.split, config.universe.min_names)
    rest = [part for part in parts if part != "test"]
    return [*([(split, rest)] if rest else []), (longer, ("test",))]


def score_plain(
    work: Scoring, heard: Dataset, folds: Sequence[Fold], names: Collection[str]
) -> list[pl.DataFrame]:
    """Scores of those of the ``names`` that learn the label as it is, over all folds; empty without any.

    ``heard``: the data set as `hearing` gives it.
    """
    kinds, beside = plain_fits(names), replace(work, dataset=heard)
    networks = [kind + PLAIN for kind in (NETWORK, PERCEPTRON) if kind + PLAIN in names]
    frames = []
    for fold in folds if kinds or networks else ():
        total = count_simple(beside, fold, kinds) + work.seeds * len(networks)
        progress = RivalProgress(work.sink, work.context.stop, total)
        if kinds:
            frames.append(score_simple(beside, fold, progress, kinds))
        for member in networks:
            seen = work if kind_of(member) == NETWORK else beside
            frames.append(_score_networks(replace(seen, sink=progress), fold, member))
    return frames


def plain_fits(members: Collection[str]) -> list[str]:
    """Fitted kinds that are among the members with the label as it is."""
    plain = [kind_of(name) for name in members if name.endswith(PLAIN)]
    return [kind for kind in plain if kind not in (NETWORK, PERCEPTRON)]


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
            self.count(f"{model_name(PERCEPTRON)}, seed {event.seed}")
        elif isinstance(event, EpochEvaluated):
            self._tell(
                f"{model_name(PERCEPTRON)}, epoch {event.epoch}, RankIC {event.rank_ic:+.4f}"
            )

    def _tell(self, note: str) -> None:
        self.sink.emit(Advanced(stage="baselines", done=self.done, total=self.total, note=note))


def blended(table: pl.DataFrame, config: Config) -> pl.DataFrame | None:
    """Scores of the configured blend from a table ``name, date, symbol, fold, split, score_<h>``.

    None where the table lacks a member. A horizon of which no member has a score is left out.
    """
    frames: dict[str, pl.DataFrame] = {
        name: table.filter(pl.col("name") == name).drop("name") for name in config.blend.members
    }
    if any(frame.is_empty() for frame in frames.values()):
        return None
    return known_horizons(blend_frames(frames, config.labels.horizons))


def known_horizons(scores: pl.DataFrame) -> pl.DataFrame:
    """The scores without the horizons that their model does not know."""
    return scores.select(
        column
        for column in scores.columns
        if not column.startswith("score_")
        or scores[column].is_finite().fill_null(value=False).all()
    )
