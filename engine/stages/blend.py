"""The blend of a run: its members' scores side by side, their blend, and what is left as its rivals."""

from collections.abc import Sequence

import polars as pl

from engine.config import Config
from engine.dataset.split import Fold
from engine.evaluation.blend import blend_frames
from engine.runs.sink import EventSink
from engine.runs.store import Run
from engine.stages.context import StageContext
from engine.stages.load import Dataset
from engine.stages.rivals import score_plain
from engine.training.members import PLAIN


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


def plain_members(
    context: StageContext,
    run: Run,
    dataset: Dataset,
    heard: Dataset,
    folds: Sequence[Fold],
    *,
    names: Sequence[str],
    seeds: int,
    sink: EventSink,
) -> list[pl.DataFrame]:
    """Test scores of those of the ``names`` that learn the label as it is, over all folds; empty without any.

    ``heard``: the data set as `hearing` gives it.
    """
    plain = [name for name in names if name.endswith(PLAIN)]
    if not plain:
        return []
    return [
        frame
        for fold in folds
        for frame in score_plain(
            context, run, dataset, heard, fold, names=plain, seeds=seeds, parts=("test",), sink=sink
        )
    ]
