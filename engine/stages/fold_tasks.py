"""What a walk-forward consists of that does not need each other, so that several processes can do it.

    fold-0-seed-1       a network; with training.warm_start all networks of a seed are one task, seed-1
    baselines-fold-0    rules, ridge and LightGBM of a fold
    mlp-fold-0-seed-1   a perceptron of the rivals
    ...-plain-...       a member of the blend that learns the label as it is

Whoever writes the scores into ``folds/`` has done the task; the run gathers them as if it had been cut off
and resumed. So the bytes are the same however many processes there are.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from msgspec import structs

from engine.config import Config
from engine.dataset.split import Fold, walk_forward
from engine.errors import Interrupted
from engine.features.feature_set import FeatureSet
from engine.records.figure import counted
from engine.records.plans import WalkforwardPlan
from engine.records.train import BLEND, NETWORK
from engine.runs.events import (
    Advanced,
    Continued,
    Noted,
    Paused,
    RunEvent,
    StageStarted,
    TaskFinished,
)
from engine.runs.launch import ControlFiles
from engine.runs.sink import EventSink, NullSink
from engine.runs.store import Run
from engine.stages.cluster import beside
from engine.stages.context import StageContext
from engine.stages.fit import Scoring, network_file, network_name, score_network
from engine.stages.load import Dataset, Loader, load_dataset
from engine.stages.rivals import (
    SIMPLE,
    RivalProgress,
    count_simple,
    hearing,
    plain_fits,
    score_simple,
    simple_file,
)
from engine.stages.tasks import Task
from engine.training.members import PERCEPTRON, PLAIN, kind_of, member_config


@dataclass(frozen=True, slots=True)
class _FoldTask:
    """Some scores of a walk-forward that one process makes."""

    model: str
    """``network``, ``mlp`` or ``baselines``, each perhaps with the ending of the plain label."""
    folds: tuple[int, ...]
    """Several where each network begins with the weights of the one before."""
    seed: int = 0
    """0: of all seeds together."""

    @property
    def name(self) -> str:
        """Of its files and in the events."""
        if self.kind == SIMPLE:
            return f"{self.model}-fold-{self.folds[0]}"
        name = network_name(self.folds[0], self.seed, self.model)
        return name if len(self.folds) == 1 else name.replace(f"fold-{self.folds[0]}-", "")

    @property
    def kind(self) -> str:
        """The model without the ending that tells its label."""
        return kind_of(self.model)

    def files(self, run: Run) -> list[Path]:
        """What it writes."""
        if self.kind == SIMPLE:
            plain = self.model != SIMPLE
            return [simple_file(run, fold, plain=plain) for fold in self.folds]
        return [network_file(run, fold, self.seed, self.model) for fold in self.folds]


def _fold_tasks(config: Config, plan: WalkforwardPlan, folds: int) -> list[_FoldTask]:
    """The tasks of a walk-forward of so many folds, the long ones first: later folds learn from more days.

    So the last ones are short, and no process waits long for another's.
    """
    first = config.training.seed
    seeds = range(first, first + plan.seeds)
    late_first = range(folds)[::-1]
    alone, together = [(fold,) for fold in late_first], [tuple(range(folds))]
    chains: Sequence[tuple[int, ...]] = together if config.training.warm_start else alone

    def networks(model: str) -> list[_FoldTask]:
        return [_FoldTask(model, chain, seed) for chain in chains for seed in seeds]

    members = blend_members(config, plan)
    found = networks(NETWORK) if NETWORK in members else []
    if plan.with_baselines or plan.model != NETWORK:
        found += [_FoldTask(SIMPLE, fold) for fold in alone]
        found += networks(PERCEPTRON)
    for name in (NETWORK + PLAIN, PERCEPTRON + PLAIN):
        found += networks(name) if name in members else []
    if plain_fits(members):
        found += [_FoldTask(SIMPLE + PLAIN, fold) for fold in alone]
    return found


def blend_members(config: Config, plan: WalkforwardPlan) -> tuple[str, ...]:
    """The models whose scores the plan keeps: those of the blend, or the one."""
    return config.blend.members if plan.model == BLEND else (plan.model,)


def open_dataset(
    context: StageContext, plan: WalkforwardPlan, load: Loader, sink: EventSink
) -> Dataset:
    """What a walk-forward learns from; without the graph where nobody listens to it."""
    listens = any(kind_of(name) == NETWORK for name in blend_members(context.config, plan))
    if listens or context.config.training.rivals_hear_neighbours:
        return load(context, sink)
    return load_dataset(context, sink, with_graph=False)


def folds_of_plan(context: StageContext, plan: WalkforwardPlan, features: FeatureSet) -> list[Fold]:
    """The folds of a walk-forward on these data."""
    first, last, length = plan.check()
    return walk_forward(
        features,
        context.config.split,
        context.config.universe.min_names,
        first_test=first,
        last_test=last,
        step_sessions=length,
    )


@dataclass(slots=True, kw_only=True)
class FoldBench:
    """A walk-forward opened by a worker, for one of its tasks after another."""

    run: Run
    plan: WalkforwardPlan
    dataset: Dataset
    folds: Sequence[Fold]
    _heard: Dataset | None = None
    """As the rivals see it, made for the first of them."""

    @classmethod
    def open(cls, context: StageContext, run: Run, plan: WalkforwardPlan) -> Self:
        """Read the data; days come from disk, where all workers share the pages."""

        def load(context: StageContext, sink: EventSink) -> Dataset:
            return load_dataset(context, sink, in_memory=False)

        dataset = open_dataset(context, plan, load, NullSink())
        folds = folds_of_plan(context, plan, dataset.features)
        return cls(run=run, plan=plan, dataset=dataset, folds=folds)

    def do(self, context: StageContext, name: str, sink: EventSink) -> None:
        """Do the task of this name, or the rest of it."""
        config, seeds = context.config, self.plan.seeds
        tasks = _fold_tasks(config, self.plan, len(self.folds))
        task = next(task for task in tasks if task.name == name)
        rival = task.kind != NETWORK
        if rival and self._heard is None:
            self._heard = hearing(self.dataset, config)
        dataset = self._heard if rival and self._heard is not None else self.dataset
        work = Scoring(
            context=context, run=self.run, dataset=dataset, sink=sink, parts=("test",), seeds=seeds
        )
        if task.kind == SIMPLE:
            fold = self.folds[task.folds[0]]
            plain = None if task.model == SIMPLE else plain_fits(blend_members(config, self.plan))
            progress = RivalProgress(sink, context.stop, count_simple(work, fold, plain))
            score_simple(work, fold, progress, plain)
            return
        if task.model != NETWORK:
            own = replace(context, config=member_config(config, task.model))
            progress = RivalProgress(sink, context.stop, len(task.folds))
            work = replace(work, context=own, sink=progress, model=task.model)
        for index in task.folds:
            score_network(work.seeded(task.seed), self.folds[index], of=len(self.folds))


def do_beside(
    context: StageContext,
    run: Run,
    plan: WalkforwardPlan,
    folds: int,
    jobs: int,
    sink: EventSink,
) -> None:
    """Do all tasks of a walk-forward that are not done, in ``jobs`` processes.

    What they tell becomes events of the run, under their names. Interrupted when stopped.
    """
    todo = []
    for one in _fold_tasks(context.config, plan, folds):
        if all(path.is_file() for path in one.files(run)):
            sink.emit(Noted(message=f"{one.name}: done before"))
        else:
            todo.append(Task(run, one.name))
    sink.emit(StageStarted(stage="train"))
    sink.emit(
        Noted(message=f"{counted(len(todo), 'task')} in {counted(jobs, 'process', 'processes')}")
    )

    def watch(task: Task, event: RunEvent) -> bool:
        if isinstance(event, Paused):
            ControlFiles.of(run).mark_paused()
        elif isinstance(event, Continued):
            ControlFiles.of(run).unmark_paused()
        sink.emit(structs.replace(event, task=task.part))
        return True

    try:
        for done, task in enumerate(beside(context, jobs).each(iter(todo), watch), 1):
            sink.emit(TaskFinished(task=task.part))
            sink.emit(Advanced(stage="train", done=done, total=len(todo), note=task.part))
    except Interrupted as error:
        hint = f"`atft-tui {run.command} --resume {run.id}` goes on"
        raise Interrupted(f"{run.id}: {error.message}", hint=hint) from error
