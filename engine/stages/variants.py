"""The trainings of a comparison: variants x seeds, each a run tagged with comparison, variant and seed."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from engine.config.file import override
from engine.errors import ConfigError, Interrupted
from engine.records import record
from engine.records.plans import WalkforwardPlan
from engine.records.rank_ic import RankICSummary
from engine.records.train import read_train
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
from engine.stages.context import StageContext
from engine.stages.load import Shelf
from engine.stages.search import epoch_words
from engine.stages.tasks import Task
from engine.stages.workers import failure, workers
from engine.tuning.space import Variant


@dataclass(slots=True, kw_only=True)
class TrainedVariant:
    """A variant and what was trained of it."""

    variant: Variant
    runs: list[tuple[int, Run]] = field(default_factory=list)
    """Seed and run of those that came to their end."""
    errors: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantRuns:
    """What one comparison wants trained."""

    context: StageContext
    sink: EventSink
    name: str
    variants: Sequence[Variant]
    seeds: Sequence[int]
    folds: WalkforwardPlan | None
    """None: train on the configured split."""

    @property
    def command(self) -> str:
        """The command of every run."""
        return "walkforward" if self.folds else "train"

    def train(self, shelf: Shelf, jobs: int) -> list[TrainedVariant]:
        """Everything that is not done yet; Interrupted when stopped."""
        self.sink.emit(StageStarted(stage="compare"))
        trained = {variant.name: TrainedVariant(variant=variant) for variant in self.variants}

        def watch(task: Task, event: RunEvent) -> bool:
            run = task.run
            if isinstance(event, FoldStarted):
                place = f"fold {event.fold + 1} of {event.folds}, seed {event.seed}"
                self._advance(trained, f"{run.manifest.variant} {place}")
            elif isinstance(event, EpochEvaluated):
                self._advance(trained, f"{run.manifest.variant} {epoch_words(event)}")
            return True

        try:
            tasks = map(Task, self._missing(trained))
            for task in workers(self.context, jobs, shelf).each(tasks, watch):
                self._note(trained[task.run.manifest.variant], task.run)
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

    def _ended(self, trained: Mapping[str, TrainedVariant]) -> int:
        return sum(len(one.runs) + len(one.errors) for one in trained.values())

    def _advance(self, trained: Mapping[str, TrainedVariant], note: str) -> None:
        done = self._ended(trained)
        self.sink.emit(Advanced(stage="compare", done=done, total=self._total, note=note))

    def _missing(self, trained: Mapping[str, TrainedVariant]) -> Iterator[Run]:
        """The runs that are not done, made where there is none; those that are done are noted.

        Variants outside, seeds inside: runs with the same inputs follow each other.
        """
        known = {
            (run.manifest.variant, run.manifest.seed): run
            for run in self.context.store.tagged(self.command, comparison=self.name)
        }
        for variant, seed in itertools.product(self.variants, self.seeds):
            if self.context.stop.requested:
                raise Interrupted("stopped between two runs")
            run = known.get((variant.name, seed))
            try:
                run = run or self._create(variant, seed)
            except ConfigError as error:
                trained[variant.name].errors.append(f"seed {seed}: {error.message}")
                self.sink.emit(Warned(code="config", message=error.message))
                continue
            if run.status() == "done":
                self._note(trained[variant.name], run)
            else:
                yield run

    def _create(self, variant: Variant, seed: int) -> Run:
        """A new run of a variant. One that the configuration does not take is a ConfigError."""
        changes = {**variant.changes, "training.seed": seed}
        config = override(self.context.config, changes, origin=variant.name)
        plan = None if self.folds is None else record.as_json(self.folds)
        tags = {"comparison": self.name, "variant": variant.name, "seed": seed, "plan": plan}
        return self.context.store.create(self.command, config, tags)

    def _note(self, trained: TrainedVariant, run: Run) -> None:
        """Remember and tell how a run ended."""
        error, test = failure(run), None
        if run.status() == "done":
            test = read_train(run.directory).test
            trained.runs.append((run.manifest.seed, run))
        else:
            trained.errors.append(f"seed {run.manifest.seed}: {error}")
        test = test or RankICSummary(rank_ic=float("nan"))
        self.sink.emit(
            VariantFinished(
                variant=trained.variant.name,
                seed=run.manifest.seed,
                variant_run=run.id,
                status=run.status(),
                rank_ic=test.rank_ic,
                rank_ic_se=test.rank_ic_se,
                n_dates=test.n_dates,
                error=error,
            )
        )
