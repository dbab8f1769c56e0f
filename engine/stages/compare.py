"""`compare`: sizes, ablations, or runs that exist, with intervals of their differences on the same days;
and trainings on permuted labels, with the error of their mean.

    compare/<id>.json     what `--json` prints
    compare/<id>.parquet  date, split, variant, seed (null: mean of the seeds' scores), rank_ic

The id is a digest of what is compared on which data. The same command again finds the runs that are done
and trains only what is missing.
"""

from collections.abc import Sequence
from dataclasses import replace

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.dataset.split import single_split, test_sessions
from engine.errors import IntegrityError, UsageError
from engine.features.feature_set import FeatureSet
from engine.files import digest, write_parquet
from engine.records import record
from engine.records.comparison import (
    FOLDER,
    PERMUTATIONS,
    VARIANTS,
    PermutationComparison,
    RunComparison,
    VariantComparison,
)
from engine.records.figure import Figure, counted
from engine.records.plans import COMPARISON_PLAN, DEFAULT_SIZES, ComparisonPlan, WalkforwardPlan
from engine.records.train import NETWORK
from engine.runs import lock
from engine.runs.events import StageStarted
from engine.runs.store import Run
from engine.stages import protocol
from engine.stages.capacity import jobs_for
from engine.stages.context import Outcome, StageContext, run_session, with_executor
from engine.stages.fold_tasks import folds_of_plan
from engine.stages.judge import judge_permutations, judge_runs, judge_variants
from engine.stages.load import Shelf
from engine.stages.text import line, table
from engine.stages.variants import VariantRuns
from engine.tuning.space import JUDGED_BY, PERMUTED, Variant, ablations, chosen
from engine.tuning.space import sizes as sizes_of
from engine.workspace_code import hashes_of

_ComparisonRecord = VariantComparison | RunComparison | PermutationComparison
_FOOT = "± Newey-West standard error of the seeds' mean score · [ ] stationary block bootstrap over days"
_KINDS = (*VARIANTS, PERMUTATIONS)


def _comparison_text(found: _ComparisonRecord) -> str:
    """The table of one comparison of any kind, with what it does not say."""
    match found:
        case VariantComparison():
            return "\n\n".join(_variants(found))
        case RunComparison():
            return "\n\n".join(_runs(found))
        case PermutationComparison():
            return "\n\n".join(_permutations(found))


def _variants(found: VariantComparison) -> list[str]:
    h, share = found.score_horizon, f"{found.confidence:.0%}"
    rows = [
        [
            row.name,
            "—" if row.parameters is None else f"{row.parameters:,}",
            line(row.validation),
            line(row.test),
            line(row.gap),
            "—" if row.seconds != row.seconds else f"{row.seconds:.0f}",
            row.verdict,
        ]
        for row in found.variants
    ]
    header = ["", "size", f"validation RankIC, h={h}", f"test RankIC, h={h}",
              f"less {found.reference}, test ({share})", "s/run", ""]  # fmt: skip
    decisions = len(found.variants) - 1
    return [
        f"comparison {found.id}: {counted(found.seeds, 'seed')}",
        table(rows, header=header),
        *(f"{row.name}: {words}" for row in found.variants for words in row.errors),
        f"Of {decisions} intervals of {share}, {(1.0 - found.confidence) * decisions:.1f} miss 0 by "
        "chance alone. A verdict also needs all seeds on the same side.",
        _FOOT,
    ]


def _runs(found: RunComparison) -> list[str]:
    rows = [[row.run_id, line(row.test)] for row in found.runs]
    pairs = [[f"{pair.first} - {pair.second}", pair.line, pair.direction] for pair in found.pairs]
    beyond = [
        [f"{own} beyond {other}", Figure(mean.value, mean.se, n=mean.n_dates).text()]
        for pair in found.pairs
        for own, other, mean in (
            (pair.first, pair.second, pair.beyond),
            (pair.second, pair.first, pair.beyond_first),
        )
        if mean is not None
    ]
    share = f"{found.confidence:.0%}"
    return [
        table(rows, header=["run", f"test RankIC, h={found.score_horizon}"]),
        table(pairs, header=["difference on common days", f"{share} interval", ""]),
        table(beyond, header=["what one says beyond the other", "RankIC"]) if beyond else "",
        _FOOT,
    ]


def _permutations(found: PermutationComparison) -> list[str]:
    test = found.test
    rows = [
        [f"permutation {row.seed}", Figure(row.rank_ic, row.rank_ic_se).text()]
        for row in found.permutations
    ]
    rows.append(["mean", Figure(test.rank_ic, test.se).text()])
    return [
        f"comparison {found.id}: trained on permuted labels, judged on true ones",
        table(rows, header=["", f"test RankIC, h={found.score_horizon}"]),
        *found.errors,
        f"{found.verdict} {found.limit:.0f} standard errors of 0 ({test.ratio:+.1f}): over "
        f"{test.n_permutations} permutations ±{test.se_permutations:.4f} (spread "
        f"{test.spread:.4f}), over {test.n_dates} days ±{test.se_days:.4f}",
    ]


def compare(
    context: StageContext,
    *,
    what: Sequence[str],
    seeds: int = 3,
    sizes: str = DEFAULT_SIZES,
    variants: str | None = None,
    walkforward: bool = False,
    first_test: str | None = None,
    last_test: str | None = None,
    step: str = "1y",
    model: str = NETWORK,
    confirm: bool = False,
    jobs: int | None = None,
    executor: str | None = None,
    address: str | None = None,
    resume: str | None = None,
) -> Outcome:
    """Train what is compared where it is not there yet, and say how sure each difference is.

    ``what``: ``sizes``, ``ablations``, ``permutations``, or the ids of two and more runs. ``resume``: the
    run of a comparison; it goes on with its own options and configuration.
    """
    if resume is not None:
        run = context.store.open(resume)
        plan = _plan_of(run)
        plan = msgspec.structs.replace(plan, confirm=plan.confirm or confirm)
        return _train_and_judge(
            with_executor(replace(context, config=run.config()), jobs, executor, address), plan
        )
    if len(what) == 1 and what[0] in _KINDS:
        plan = ComparisonPlan(
            kind=what[0],
            seeds=seeds,
            sizes=sizes,
            variants=variants or "",
            walkforward=walkforward,
            first_test=first_test,
            last_test=last_test,
            step=step,
            model=model,
            confirm=confirm,
        )
        return _train_and_judge(with_executor(context, jobs, executor, address), plan)
    if len(what) < 2:
        hint = "sizes, ablations, permutations, or two and more run ids"
        raise UsageError("compare what?", hint=hint)
    named = [context.store.open(name) for name in what]
    return _kept(context, *judge_runs(context, named, confirm=confirm))


def _plan_of(run: Run) -> ComparisonPlan:
    """The options that a comparison was begun with."""
    if run.command != "compare":
        raise UsageError(f"{run.id} is no compare run")
    plan = record.read(run.path(COMPARISON_PLAN), ComparisonPlan)
    if plan.kind not in _KINDS:
        raise IntegrityError(
            f"{run.path(COMPARISON_PLAN)}: kind {plan.kind!r} is no comparison",
            hint=f"it is {', '.join(_KINDS[:-1])} or {_KINDS[-1]}; begin a new comparison",
        )
    return plan


def _kept(context: StageContext, found: _ComparisonRecord, daily: pl.DataFrame) -> Outcome:
    """Write both files of a comparison and tell it."""
    folder = context.workspace / FOLDER
    write_parquet(folder / f"{found.id}.parquet", daily)
    record.write(folder / f"{found.id}.json", found)
    return protocol.outcome(context, found, _comparison_text(found), found.judged_days)


def _variants_of(context: StageContext, plan: ComparisonPlan) -> list[Variant]:
    """The reference first. A variant that the configuration does not take is found when it is trained."""
    if plan.kind == PERMUTATIONS:
        return [PERMUTED]
    if plan.kind == "sizes":
        widths = [word.strip() for word in plan.sizes.split(",")]
        if not all(word.isdigit() for word in widths):
            raise UsageError(f"--sizes {plan.sizes!r}: numbers, e.g. {DEFAULT_SIZES}")
        return sizes_of([int(word) for word in widths])
    every = ablations(context.config)
    names = [name.strip() for name in plan.variants.split(",") if name.strip()]
    return chosen(every, names) if names else every


def _test_sessions(
    context: StageContext, features: FeatureSet, folds: WalkforwardPlan | None
) -> NDArray[np.int64]:
    """The sessions that every variant is judged on."""
    if folds is None:
        return single_split(features, context.config.split, context.config.universe.min_names).test
    return test_sessions(folds_of_plan(context, folds, features))


def _train_and_judge(context: StageContext, plan: ComparisonPlan) -> Outcome:
    plan.check()
    folds, variants, shelf = plan.folds(), _variants_of(context, plan), Shelf()
    features = shelf.open(context, context.sink).features
    days_D = features.dates_S[_test_sessions(context, features, folds)]
    way = protocol.NEWEST_DAYS if folds is None else protocol.LAST_TEST
    protocol.check(context, days_D, features.market, confirm=plan.confirm, way=way)
    judged_by: tuple[str, ...] = JUDGED_BY
    beside = {"device", "own_models", "rivals_hear_neighbours"}
    code = {}
    if plan.model != NETWORK:
        judged_by, beside = (*JUDGED_BY, "blend"), {"device"}
        code = hashes_of(context.workspace, "models", context.config.own_models)
    wanted = {
        "variants": [msgspec.to_builtins(variant) for variant in variants],
        "seeds": plan.seeds,
        "plan": None if folds is None else record.as_json(folds),
        "data": features.fingerprint,
        **{
            name: getattr(context.config, name).model_dump(mode="json", exclude=beside)
            for name in judged_by
        },
        **({"code": code} if code else {}),
    }
    name = f"{plan.kind}-{digest(wanted)[:8]}"
    with lock.hold(context.workspace / FOLDER / "lock"):
        known = next(context.store.tagged("compare", comparison=name), None)
        run = known or context.store.create("compare", context.config, {"comparison": name})
        record.write(run.path(COMPARISON_PLAN), plan)
        with run_session(context, run, resumed=run.last_event() is not None) as session:
            trained = VariantRuns(
                context=context,
                sink=session.sink,
                name=name,
                variants=variants,
                seeds=[context.config.training.seed + i for i in range(plan.seeds)],
                folds=folds,
            ).train(shelf, jobs_for(context, features, session.sink))
            session.sink.emit(StageStarted(stage="evaluate"))
            session.summary = {"comparison": name}
            if plan.kind == PERMUTATIONS:
                return _kept(context, *judge_permutations(context, name, trained[0], run.id))
            return _kept(context, *judge_variants(context, plan.kind, name, trained, run.id))
