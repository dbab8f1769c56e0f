"""`predict`: scores of any days from the weights that a run kept."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.dataset.split import valid_sessions
from engine.errors import GateError, UsageError
from engine.portfolio.prediction import Prediction
from engine.records.plans import iso_day
from engine.records.train import Spans, read_train
from engine.stages.context import Outcome, StageContext, require_model
from engine.stages.fit import start_runtime, write_predictions
from engine.stages.identity import kept_model
from engine.stages.load import load_dataset
from engine.training.scoring import score_days


def predict(
    context: StageContext, *, run: str, start: str | None, stop: str | None, in_sample: bool
) -> Outcome:
    """Score the sessions from ``start`` to ``stop`` (default: the run's test days and newer).

    Days that the run was trained on are refused without ``in_sample``; with it they are marked as
    split ``train``, which `backtest` does not take; of a refit these are all days before the test. Scores of
    other days that the run has already stay.
    """
    found = context.store.open(run)
    require_model(found)
    splits = read_train(found.directory).splits
    context = replace(context, config=found.config())
    config = context.config
    with found.lock():
        dataset = load_dataset(context, context.sink)
        features = dataset.features
        usable = valid_sessions(features, config.split, config.universe.min_names)
        chosen = _between(features.dates_S, usable, start, stop, _day(splits.test.first))
        names = _names(features.dates_S[chosen], splits)
        inside = chosen[names == "train"]
        if inside.size and not in_sample:
            first, last = features.dates_S[inside[0]], features.dates_S[inside[-1]]
            raise GateError(
                f"{found.id}: {inside.size} days ({first} to {last}) are in the span it was trained on",
                hint="choose later days, or allow them with --in-sample",
            )
        runtime = start_runtime(config, context.sink)
        model = kept_model(found, config, dataset, runtime)
        scored = score_days(
            model,
            features,
            dataset.graphs,
            chosen,
            window=config.split.window,
            runtime=runtime,
        )
        frame = scored.to_frame(features, split="", fold=0)
        by_date = dict(
            zip((features.dates_S[s].item() for s in chosen), names.tolist(), strict=True)
        )
        frame = frame.with_columns(
            pl.col("date").replace_strict(by_date, return_dtype=pl.String).alias("split")
        )
        path = found.path("predictions.parquet")
        write_predictions(found, _joined(path, frame).sort("date", "symbol"), features, config)
    summary = {"run_id": found.id, "path": str(path), "rows": len(frame), "days": int(chosen.size)}
    return Outcome(json=summary, text=f"{len(frame):,} scores of {chosen.size} days: {path}")


def _joined(path: Path, frame: pl.DataFrame) -> pl.DataFrame:
    """The new scores and those of the days that are not among them."""
    if not path.is_file():
        return frame
    before = Prediction.read(path).frame.filter(~pl.col("date").is_in(frame["date"].implode()))
    return pl.concat([before, frame.select(before.columns)])


def _between(
    dates_S: NDArray[np.datetime64],
    usable: NDArray[np.int64],
    start: str | None,
    stop: str | None,
    first_test: np.datetime64,
) -> NDArray[np.int64]:
    first = first_test if start is None else _day(start)
    last = dates_S[-1] if stop is None else _day(stop)
    chosen = usable[(dates_S[usable] >= first) & (dates_S[usable] <= last)]
    if chosen.size == 0:
        raise UsageError(f"no session that can be scored between {first} and {last}")
    return chosen


def _day(text: str) -> np.datetime64:
    return np.datetime64(iso_day(text), "D")


def _names(dates_D: NDArray[np.datetime64], splits: Spans) -> NDArray[np.str_]:
    """Split of each session, by the days the run was trained with: the data may have grown since.

    Embargoed days count with the part before them. A refit has learned from the validation days too.
    """
    names = np.full(dates_D.size, "train", dtype="<U10")
    if not splits.refitted:
        names[dates_D >= _day(splits.validation.first)] = "validation"
    names[dates_D >= _day(splits.test.first)] = "test"
    return names
