"""`walkforward`: consecutive test blocks, each scored by networks that saw only what came before it."""

import time
from collections.abc import Sequence
from dataclasses import replace

import polars as pl
from msgspec.structs import asdict
from msgspec.structs import replace as changed

from engine.commands.strategies import BUILT_IN
from engine.config import Config
from engine.config.file import override
from engine.data.store import PanelStore
from engine.dataset.split import Fold, test_sessions
from engine.errors import UsageError
from engine.files import write_parquet
from engine.records import record
from engine.records.names import model_name
from engine.records.plans import WALKFORWARD_PLAN, WalkforwardPlan
from engine.records.train import BLEND, NETWORK, TRAIN, FoldResult, Headline, TrainResult
from engine.runs.events import StageStarted
from engine.runs.sink import EventSink, NullSink
from engine.runs.store import Run
from engine.stages import protocol
from engine.stages.capacity import jobs_for, warn_of_memory
from engine.stages.context import Outcome, StageContext, open_or_create, run_session, with_executor
from engine.stages.fit import Scoring, score_seeds, write_predictions
from engine.stages.fold_tasks import (
    blend_members,
    do_beside,
    folds_of_plan,
    open_dataset,
)
from engine.stages.load import Dataset, Loader, load_dataset, oracle_frame
from engine.stages.protocol import LAST_TEST
from engine.stages.rivals import (
    blended,
    hearing,
    known_horizons,
    named,
    require_models,
    score_plain,
    score_rivals,
)
from engine.stages.tasks import forget_tasks
from engine.stages.text import line, of_oracle, table
from engine.stages.train import provenance
from engine.training.evaluate import against_baselines, anatomy, evaluate
from engine.training.own_models import own_model


def walkforward(
    context: StageContext,
    *,
    first_test: str | None,
    last_test: str | None,
    step: str,
    seeds: int,
    with_baselines: bool,
    model: str = NETWORK,
    confirm: bool = False,
    jobs: int | None = None,
    executor: str | None = None,
    address: str | None = None,
    resume: str | None = None,
) -> Outcome:
    """Train per fold, average ``seeds`` networks, and keep the scores of all test days.

    A network that is done leaves its scores in ``folds/``; a resumed walk-forward takes them from there
    and goes on inside the one that was cut off. It uses the options it was started with.
    """
    plan = WalkforwardPlan(
        first_test=first_test,
        last_test=last_test,
        step=step,
        seeds=seeds,
        with_baselines=with_baselines,
        model=model,
    )
    if model not in BUILT_IN:
        own_model(model, context.workspace)
        own = (*context.config.training.own_models, model)
        config = override(context.config, {"training.own_models": own}, origin="--model")
        context = replace(context, config=config)
    run, context = open_or_create(
        with_executor(context, jobs, executor, address), "walkforward", resume=resume
    )
    context = with_executor(
        context, jobs, executor, address
    )  # a run that was there has a configuration of its own
    if resume is not None:
        plan = record.read_if_there(run.path(WALKFORWARD_PLAN), WalkforwardPlan) or plan
    found = run_walkforward(context, run, plan, resume=resume is not None, confirm=confirm)
    return protocol.outcome(context, found, _text(found), found.judged_days)


def run_walkforward(
    context: StageContext,
    run: Run,
    plan: WalkforwardPlan,
    *,
    resume: bool = False,
    load: Loader = load_dataset,
    jobs: int = 0,
    confirm: bool = False,
) -> TrainResult:
    """The work of `walkforward` in a session of its own, in ``jobs`` processes (0: as configured).

    ``confirm``: it may judge confirmation days.
    """
    plan.check()
    with run_session(context, run, resumed=resume) as session:
        record.write(run.path(WALKFORWARD_PLAN), plan)
        require_models(context)
        forget_tasks(run)
        sink, config, started = session.sink, context.config, time.perf_counter()
        dataset = open_dataset(context, plan, load, sink)
        folds = folds_of_plan(context, plan, dataset.features)
        days = protocol.admit(
            context, run, dataset.features, test_sessions(folds), confirm=confirm, way=LAST_TEST
        )
        warn_of_memory(context.config, dataset.features, sink)
        jobs = jobs or jobs_for(context, dataset.features, sink)
        tables = _scores(context, run, dataset, folds, plan, jobs, sink)
        scores, baselines = _take(tables, plan.model, config)
        if not baselines.is_empty():
            baselines = _with_oracle(context, baselines, dataset, folds)
            write_parquet(run.path("baselines.parquet"), baselines.rechunk())
        found = changed(
            _judged(context, run, dataset, folds, scores.sort("date", "symbol"), baselines),
            model=plan.model,
            judged_days=days,
            spans=protocol.span_results(scores, baselines, dataset.features, config, days),
            seconds=time.perf_counter() - started,
        )
        record.write(run.path(TRAIN), found)
        forget_tasks(run)
        session.summary = record.as_json(Headline(test=found.test, seconds=found.seconds))
    return found


def _scores(
    context: StageContext,
    run: Run,
    dataset: Dataset,
    folds: Sequence[Fold],
    plan: WalkforwardPlan,
    jobs: int,
    sink: EventSink,
) -> pl.DataFrame:
    """Scores of every model that the plan asks for: ``name, date, symbol, fold, split, score_<h>``.

    Several processes make them first; what is gathered then has been told.
    """
    seeds, members = plan.seeds, blend_members(context.config, plan)
    elsewhere = jobs > 1 or context.config.executor.kind == "ray"
    if elsewhere:
        do_beside(context, run, plan, len(folds), jobs, sink)
        sink = NullSink()
    work = Scoring(
        context=context, run=run, dataset=dataset, sink=sink, parts=("test",), seeds=seeds
    )
    frames = [named(score_seeds(work, folds), NETWORK)] if NETWORK in members else []
    if plan.with_baselines or plan.model != NETWORK:
        sink.emit(StageStarted(stage="baselines"))
        heard = dataset if elsewhere else hearing(dataset, context.config)
        frames += [score_rivals(replace(work, dataset=heard), fold) for fold in folds]
        frames += score_plain(work, heard, folds, members)
    return pl.concat(frames)


def _take(table: pl.DataFrame, model: str, config: Config) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The scores of one model, with the horizons that it knows, and those of the others.

    The blend is made here, from its members; beside a network that has them all it is one of the others.
    """
    mixed = blended(table, config)
    if mixed is not None:
        table = pl.concat([table, named(mixed, BLEND)], how="diagonal")
    chosen = pl.col("name") == model
    scores = table.filter(chosen).drop("name")
    if scores.is_empty():
        raise UsageError(f"--model {model}: no scores, a feature that it needs is not in the set")
    return known_horizons(scores), table.filter(~chosen)


def _with_oracle(
    context: StageContext, baselines: pl.DataFrame, dataset: Dataset, folds: Sequence[Fold]
) -> pl.DataFrame:
    """The rivals, and on the synthetic market the best score that can be had."""
    known = PanelStore(context.workspace / "data").oracle()
    frames = [oracle_frame(known, dataset.features, f.split, f.index, ("test",)) for f in folds]
    return pl.concat([baselines, *(f for f in frames if not f.is_empty())], how="diagonal")


def _judged(
    context: StageContext,
    run: Run,
    dataset: Dataset,
    folds: list[Fold],
    scores: pl.DataFrame,
    baselines: pl.DataFrame,
) -> TrainResult:
    """Figures over all test days, of each fold, and against the simple models; writes the predictions."""
    config, features = context.config, dataset.features
    write_predictions(run, scores, features, config)
    h = config.training.score_horizon
    horizons = [n for n in features.horizons if f"score_{n}" in scores.columns]
    ours = evaluate(scores, features, config.training, horizons)["test"]
    per_fold = []
    for fold in folds:
        rows = scores.filter(pl.col("fold") == fold.index)
        figures = evaluate(rows, features, config.training, [h])["test"]
        per_fold.append(FoldResult(fold=fold.index, **asdict(figures[str(h)])))
    return changed(
        provenance(context, run, dataset, folds[-1].split),
        status="done",
        test=ours[str(h)],
        horizons={"test": ours},
        folds=tuple(per_fold),
        anatomy=anatomy(scores, features, h),
        baselines=against_baselines(scores, baselines, features, config),
    )


def _text(found: TrainResult) -> str:
    rows = [[f"fold {row.fold}", line(row)] for row in found.folds]
    rows += [[row.span, line(row)] for row in found.spans]
    rows += [["all", f"{line(found.test)}{of_oracle(found, found.test)}"]]
    rows += [
        [model_name(name), f"{line(rival.test)}{of_oracle(found, rival.test)}"]
        for name, rival in found.baselines.items()
    ]
    header = ["", f"test RankIC, h={found.score_horizon}"]
    after = f"next: `atft-tui backtest {found.run_id}`"
    return f"run {found.run_id}: done\n\n{table(rows, header=header)}\n\n{after}"
