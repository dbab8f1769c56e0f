"""`compare`: sizes, ablations, or runs that exist, with intervals of their differences on the same days;
and trainings on permuted labels, with the error of their mean.

    compare/<id>.json     what `--json` prints
    compare/<id>.parquet  date, split, variant, seed (null: mean of the seeds' scores), rank_ic

The id is a digest of what is compared on which data. The same command again finds the runs that are done
and trains only what is missing.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from engine.config.file import override
from engine.errors import ConfigError, Interrupted, UsageError
from engine.files import digest, read_json, write_json, write_parquet
from engine.runs import lock
from engine.runs.events import (
    Advanced,
    EpochEvaluated,
    FoldStarted,
    RunEvent,
    StageStarted,
    VariantFinished,
    Warned,
)
from engine.runs.sink import EventSink
from engine.runs.store import Run
from engine.stages import permutations
from engine.stages.comparison import Trained, compare_runs, comparison_text, judge
from engine.stages.context import Outcome, StageContext, run_session
from engine.stages.pipeline import Shelf
from engine.stages.walkforward import Plan
from engine.stages.workers import failure, workers
from engine.tuning.variants import Variant, ablations, chosen, sizes

_KINDS = ("sizes", "ablations", permutations.KIND)
_DEFAULT_SIZES = "64,128,256"
_JUDGED_BY = ("universe", "labels", "features", "graph", "split", "model", "loss", "training")
"""Tables of the configuration that the figures depend on, besides the data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The options of a comparison, kept in its run."""

    kind: str
    seeds: int
    sizes: str = _DEFAULT_SIZES
    variants: str = ""
    walkforward: bool = False
    first_test: str | None = None
    last_test: str | None = None
    step: str = "1y"
    jobs: int = 1

    def check(self) -> None:
        if self.seeds < 1 or self.jobs < 1:
            raise UsageError("--seeds and --jobs must be at least 1")
        if self.kind == permutations.KIND and self.seeds < 2:
            raise UsageError("--seeds: one permutation has no spread", hint="at least 2, better 5")

    def plan(self) -> dict[str, Any] | None:
        """Of the walk-forward of one network; None: train on the configured split."""
        if not self.walkforward:
            return None
        plan = Plan(
            first_test=self.first_test,
            last_test=self.last_test,
            step=self.step,
            seeds=1,
            with_baselines=False,
        )
        plan.check()
        return asdict(plan)


def compare(
    context: StageContext,
    *,
    what: Sequence[str],
    seeds: int = 3,
    sizes: str = _DEFAULT_SIZES,
    variants: str | None = None,
    walkforward: bool = False,
    first_test: str | None = None,
    last_test: str | None = None,
    step: str = "1y",
    jobs: int = 1,
    resume: str | None = None,
) -> Outcome:
    """Train what is compared where it is not there yet, and say how sure each difference is.

    ``what``: ``sizes``, ``ablations``, ``permutations``, or the ids of two and more runs. ``resume``: the
    run of a comparison; it goes on with its own options and configuration.
    """
    if resume is not None:
        run = context.store.open(resume)
        if run.command != "compare":
            raise UsageError(f"{run.id} is no compare run")
        request = Request(**read_json(run.path("request.json")))
        return _train_and_judge(replace(context, config=run.config()), request)
    if len(what) == 1 and what[0] in _KINDS:
        request = Request(
            kind=what[0],
            seeds=seeds,
            sizes=sizes,
            variants=variants or "",
            walkforward=walkforward,
            first_test=first_test,
            last_test=last_test,
            step=step,
            jobs=jobs,
        )
        return _train_and_judge(context, request)
    if len(what) < 2:
        raise UsageError(
            "compare what?", hint="sizes, ablations, permutations, or two and more run ids"
        )
    summary, daily = compare_runs(context, [context.store.open(name) for name in what])
    write_json(context.workspace / "compare" / f"{summary['id']}.json", summary)
    write_parquet(context.workspace / "compare" / f"{summary['id']}.parquet", daily)
    return Outcome(json=summary, text=comparison_text(summary))


def _variants_of(context: StageContext, request: Request) -> list[Variant]:
    """The reference first. A variant that the configuration does not take is found when it is trained."""
    if request.kind == permutations.KIND:
        return [permutations.PERMUTED]
    if request.kind == "sizes":
        widths = [word.strip() for word in request.sizes.split(",")]
        if not all(word.isdigit() for word in widths):
            raise UsageError(f"--sizes {request.sizes!r}: numbers, e.g. {_DEFAULT_SIZES}")
        return sizes([int(word) for word in widths])
    every = ablations(context.config)
    names = [name.strip() for name in request.variants.split(",") if name.strip()]
    return chosen(every, names) if names else every


def _train_and_judge(context: StageContext, request: Request) -> Outcome:
    request.check()
    plan, variants = request.plan(), _variants_of(context, request)
    shelf = Shelf()
    features = shelf.open(context, context.sink).features
    wanted = {
        "variants": [asdict(variant) for variant in variants],
        "seeds": request.seeds,
        "plan": plan,
        "data": features.fingerprint,
        **{
            name: getattr(context.config, name).model_dump(mode="json", exclude={"device"})
            for name in _JUDGED_BY
        },
    }
    name = f"{request.kind}-{digest(wanted)[:8]}"
    directory = context.workspace / "compare"
    with lock.hold(directory / "lock"):
        known = next(context.store.tagged("compare", comparison=name), None)
        run = known or context.store.create("compare", context.config, {"comparison": name})
        write_json(run.path("request.json"), asdict(request))
        with run_session(context, run, resumed=run.last_event() is not None) as session:
            work = Comparison(
                context=context,
                sink=session.sink,
                name=name,
                variants=variants,
                seeds=[context.config.training.seed + i for i in range(request.seeds)],
                plan=plan,
            )
            trained = work.train(shelf, request.jobs)
            session.sink.emit(StageStarted(stage="evaluate"))
            if request.kind == permutations.KIND:
                summary, daily = permutations.judge_permutations(context, name, trained[0])
            else:
                summary, daily = judge(context, request.kind, name, trained)
            summary["run_id"] = run.id
            write_parquet(directory / f"{name}.parquet", daily)
            write_json(directory / f"{name}.json", summary)
            session.summary = {"comparison": name}
    if request.kind == permutations.KIND:
        return Outcome(json=summary, text=permutations.permutations_text(summary))
    return Outcome(json=summary, text=comparison_text(summary))


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Variants x seeds, each a run that is tagged with the comparison, the variant and the seed."""

    context: StageContext
    sink: EventSink
    name: str
    variants: Sequence[Variant]
    seeds: Sequence[int]
    plan: dict[str, Any] | None

    @property
    def command(self) -> str:
        return "walkforward" if self.plan else "train"

    def train(self, shelf: Shelf, jobs: int) -> list[Trained]:
        """Everything that is not done yet; Interrupted when stopped."""
        self.sink.emit(StageStarted(stage="compare"))
        trained = {variant.name: Trained(variant=variant) for variant in self.variants}

        def watch(run: Run, event: RunEvent) -> bool:
            if isinstance(event, FoldStarted | EpochEvaluated):
                self._advance(trained, f"{run.manifest['variant']} {_place(event)}")
            return True

        try:
            for run in workers(self.context, jobs, shelf).each(self._missing(trained), watch):
                self._note(trained[run.manifest["variant"]], run)
                self._advance(trained, "")
        except Interrupted as error:
            raise Interrupted(
                f"comparison {self.name}: stopped after {self._ended(trained)} of {self._total} runs",
                hint="the same command again goes on",
            ) from error
        for one in trained.values():
            one.runs.sort(key=lambda pair: pair[0])  # processes end in any order
        return list(trained.values())

    @property
    def _total(self) -> int:
        return len(self.variants) * len(self.seeds)

    def _ended(self, trained: Mapping[str, Trained]) -> int:
        return sum(len(one.runs) + len(one.errors) for one in trained.values())

    def _advance(self, trained: Mapping[str, Trained], note: str) -> None:
        done = self._ended(trained)
        self.sink.emit(Advanced(stage="compare", done=done, total=self._total, note=note))

    def _missing(self, trained: Mapping[str, Trained]) -> Iterator[Run]:
        """The runs that are not done, made where there is none; those that are done are noted.

        Variants outside, seeds inside: runs with the same inputs follow each other.
        """
        store = self.context.store
        known = {
            (run.manifest["variant"], run.manifest["seed"]): run
            for run in store.tagged(self.command, comparison=self.name)
        }
        for variant, seed in itertools.product(self.variants, self.seeds):
            if self.context.stop.requested:
                raise Interrupted("stopped between two runs")
            run = known.get((variant.name, seed))
            if run is not None and run.status() == "done":
                self._note(trained[variant.name], run)
            elif run is not None:
                yield run
            else:
                try:
                    run = self._create(variant, seed)
                except ConfigError as error:
                    trained[variant.name].errors.append(f"seed {seed}: {error.message}")
                    self.sink.emit(Warned(code="config", message=error.message))
                    continue
                yield run

    def _create(self, variant: Variant, seed: int) -> Run:
        """A new run of a variant. One that the configuration does not take is a ConfigError."""
        changes = {**variant.changes, "training.seed": seed}
        config = override(self.context.config, changes, origin=variant.name)
        tags = {"comparison": self.name, "variant": variant.name, "seed": seed}
        return self.context.store.create(self.command, config, {**tags, "plan": self.plan})

    def _note(self, variant: Trained, run: Run) -> None:
        """Remember and tell how a run ended."""
        error, summary = failure(run), {}
        if run.status() == "done":
            summary = read_json(run.path("train.json"))
            variant.runs.append((run.manifest["seed"], run))
        else:
            variant.errors.append(f"seed {run.manifest['seed']}: {error}")
        test = summary.get("test") or {"rank_ic": None, "rank_ic_se": None, "n_dates": 0}
        nan = float("nan")
        self.sink.emit(
            VariantFinished(
                variant=variant.variant.name,
                seed=run.manifest["seed"],
                variant_run=run.id,
                status=run.status(),
                rank_ic=nan if test["rank_ic"] is None else test["rank_ic"],
                rank_ic_se=nan if test["rank_ic_se"] is None else test["rank_ic_se"],
                n_dates=test["n_dates"],
                error=error,
            )
        )


def _place(event: FoldStarted | EpochEvaluated) -> str:
    if isinstance(event, FoldStarted):
        return f"fold {event.fold + 1} of {event.folds}, seed {event.seed}"
    figure = f"RankIC {event.rank_ic:+.4f} ± {event.rank_ic_se:.4f} (n={event.n_dates})"
    return f"epoch {event.epoch} {figure}"
