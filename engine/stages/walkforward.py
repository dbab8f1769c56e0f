"""`walkforward`: consecutive test blocks, each scored by networks that saw only what came before it."""

import datetime as dt
import re
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import polars as pl

from engine.dataset.split import Fold, walk_forward
from engine.errors import UsageError
from engine.files import read_json, write_json, write_parquet
from engine.runs.events import StageStarted
from engine.runs.sink import EventSink
from engine.runs.store import Run
from engine.stages.context import Outcome, StageContext, open_or_create, run_session
from engine.stages.network import mean_scores, score_network
from engine.stages.pipeline import Dataset, Loader, as_taught, load_dataset, write_predictions
from engine.stages.text import rank_ic, table
from engine.stages.train import provenance
from engine.training.anatomy import anatomy
from engine.training.baselines import compute_baselines
from engine.training.evaluate import against_baselines, by_horizon, evaluate

_SESSIONS = {"y": 252, "m": 21, "": 1}
_NETWORK = "network"


def walkforward(
    context: StageContext,
    *,
    first_test: str | None,
    last_test: str | None,
    step: str,
    seeds: int,
    with_baselines: bool,
    model: str = _NETWORK,
    resume: str | None = None,
) -> Outcome:
    """Train per fold, average ``seeds`` networks, and keep the scores of all test days.

    A network that is done leaves its scores in ``folds/``; a resumed walk-forward takes them from there
    and goes on inside the one that was cut off. It uses the options it was started with.
    """
    plan = Plan(
        first_test=first_test,
        last_test=last_test,
        step=step,
        seeds=seeds,
        with_baselines=with_baselines,
        model=model,
    )
    run, context = open_or_create(context, "walkforward", resume=resume)
    saved = run.path("walkforward.json")
    if resume is not None and saved.is_file():
        plan = Plan(**read_json(saved))
    summary = run_walkforward(context, run, plan, resume=resume is not None)
    return Outcome(json=summary, text=_text(summary))


def run_walkforward(
    context: StageContext,
    run: Run,
    plan: "Plan",
    *,
    resume: bool = False,
    load: Loader = load_dataset,
) -> dict[str, Any]:
    """The work of `walkforward` in a session of its own; returns what `walkforward --json` prints."""
    first, last, length = plan.check()
    with run_session(context, run, resumed=resume) as session:
        write_json(run.path("walkforward.json"), asdict(plan))
        sink, started = session.sink, time.perf_counter()
        is_network = plan.model == _NETWORK
        dataset = load(context, sink) if is_network else _without_graph(context, sink)
        config = context.config
        folds = walk_forward(
            dataset.features,
            config.split,
            config.universe.min_names,
            first_test=first,
            last_test=last,
            step_sessions=length,
        )
        baselines = pl.DataFrame()
        if is_network:
            parts = [_score_fold(context, run, dataset, folds, fold, plan, sink) for fold in folds]
            scores = pl.concat(parts)
        if plan.with_baselines or not is_network:
            baselines = _baselines(context, run, dataset, folds, sink)
        if not is_network:
            scores, baselines = _take(baselines, plan.model)
            write_parquet(run.path("baselines.parquet"), baselines)
        summary = _summarise(context, run, dataset, folds, scores, baselines)
        summary["model"] = plan.model
        summary["seconds"] = time.perf_counter() - started
        write_json(run.path("train.json"), summary)
        session.summary = {"test": summary["test"], "seconds": summary["seconds"]}
    return summary


def _without_graph(context: StageContext, sink: EventSink) -> Dataset:
    """The dataset of simple models, which use no edges."""
    return load_dataset(context, sink, with_graph=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The options of a walk-forward, kept in its directory."""

    first_test: str | None
    last_test: str | None
    step: str
    seeds: int
    with_baselines: bool
    model: str = _NETWORK
    """Whose scores the run keeps: the network's, or those of a baseline by name."""

    def check(self) -> tuple[dt.date | None, dt.date | None, int]:
        """First and last test day and the length of a block in sessions; UsageError if senseless."""
        if self.seeds < 1:
            raise UsageError(f"--seeds {self.seeds}: at least one network is needed")
        return _date(self.first_test), _date(self.last_test), step_sessions(self.step)


def step_sessions(text: str) -> int:
    """``1y``, ``6m`` or a number of sessions."""
    match = re.fullmatch(r"(\d+)([ym]?)", text)
    if not match or int(match[1]) == 0:
        raise UsageError(f"--step {text!r}: write 1y, 6m or a number of sessions")
    return int(match[1]) * _SESSIONS[match[2]]


def _date(text: str | None) -> dt.date | None:
    if text is None:
        return None
    try:
        return dt.date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"{text!r} is not a date", hint="write YYYY-MM-DD") from error


def _score_fold(
    context: StageContext,
    run: Run,
    dataset: Dataset,
    folds: Sequence[Fold],
    fold: Fold,
    plan: Plan,
    sink: EventSink,
) -> pl.DataFrame:
    """Test scores of one fold: the mean over seeds of each network's scores, standardised by day."""
    frames = []
    for number in range(plan.seeds):
        training = context.config.training
        seeded = training.model_copy(update={"seed": training.seed + number})
        one = replace(context, config=context.config.model_copy(update={"training": seeded}))
        frame = score_network(
            one, run, dataset, fold, of=len(folds), seeds=plan.seeds, part="test", sink=sink
        )
        frames.append(frame)
    return mean_scores(frames, dataset.features.horizons)


def _baselines(
    context: StageContext, run: Run, dataset: Dataset, folds: list[Fold], sink: EventSink
) -> pl.DataFrame:
    sink.emit(StageStarted(stage="baselines"))
    parts = [
        compute_baselines(
            as_taught(dataset, fold.split, context.config).features,
            fold.split,
            config=context.config,
            fold=fold.index,
            sink=sink,
        )
        for fold in folds
    ]
    frame = pl.concat(parts).filter(pl.col("split") == "test")
    write_parquet(run.path("baselines.parquet"), frame)
    return frame


def _take(baselines: pl.DataFrame, model: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The scores of one baseline, with the horizons it was fitted for, and the others."""
    scores = baselines.filter(pl.col("name") == model).drop("name")
    if scores.is_empty():
        known = ", ".join([_NETWORK, *baselines["name"].unique().sort()])
        raise UsageError(f"--model {model!r}: there is no such model", hint=f"known: {known}")
    known_columns = [
        column
        for column in scores.columns
        if not column.startswith("score_") or scores[column].is_finite().all()
    ]
    return scores.select(known_columns), baselines.filter(pl.col("name") != model)


def _summarise(
    context: StageContext,
    run: Run,
    dataset: Dataset,
    folds: list[Fold],
    scores: pl.DataFrame,
    baselines: pl.DataFrame,
) -> dict[str, Any]:
    config, features = context.config, dataset.features
    scores = scores.sort("date", "symbol")
    write_predictions(run, scores, features, config)
    h, seed, draws = config.training.score_horizon, config.training.seed, config.training.null_draws
    horizons = [n for n in features.horizons if f"score_{n}" in scores.columns]
    ours = evaluate(scores, features, null_draws=draws, seed=seed, horizons=horizons)["test"]
    per_fold = []
    for fold in folds:
        rows = scores.filter(pl.col("fold") == fold.index)
        figures = evaluate(rows, features, null_draws=draws, seed=seed, horizons=[h])["test"]
        per_fold.append({"fold": fold.index, **by_horizon({h: figures[h]})[str(h)]})
    table = against_baselines(scores, baselines, features, config)
    return {
        "run_id": run.id,
        "status": "done",
        "score_horizon": h,
        "test": by_horizon({h: ours[h]})[str(h)],
        "horizons": {"test": by_horizon(ours)},
        "folds": per_fold,
        "permuted_labels": config.training.permute_labels,
        "anatomy": anatomy(scores, features, h),
        "baselines": table,
        **provenance(context, dataset, folds[-1].split),
    }


def _text(summary: dict[str, Any]) -> str:
    rows = [[f"fold {row['fold']}", rank_ic(row)] for row in summary["folds"]]
    rows += [["all", rank_ic(summary["test"])]]
    rows += [[name, rank_ic(values["test"])] for name, values in summary["baselines"].items()]
    header = ["", f"test RankIC, h={summary['score_horizon']}"]
    return f"run {summary['run_id']}: done\n\n{table(rows, header=header)}"
