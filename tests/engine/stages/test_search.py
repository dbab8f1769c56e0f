"""A search: its options, its files and its text; who is told what when a worker ends."""

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from engine.config import Config
from engine.config.file import override
from engine.errors import EnvironmentProblem, GateError, UsageError
from engine.records import record
from engine.records.plans import StudyPlan
from engine.records.study import PRUNED, TRIAL, StudyResult, TrialResult, TrialRow
from engine.runs.events import EpochEvaluated, FoldStarted, RunFinished, TrialFinished
from engine.runs.sink import JsonlSink, ListSink
from engine.runs.store import Run
from engine.stages.context import StageContext, StopFlag
from engine.stages.search import Search, epoch_words, epochs_per_fold
from engine.stages.tasks import Task
from engine.stages.tune import _fragment, _keep, _study_identity, _text
from engine.stages.workers import _WatchingSink, failure
from engine.tuning.space import usable
from engine.tuning.study import AskedTrial
from tests.engine.runs.samples import evaluated

BEST = TrialRow(
    number=2, run_id="run-2", state="complete", parameters={"model.hidden": 32}, value=0.02,
    rank_ic=0.03, rank_ic_se=0.01, n_dates=252, seconds=60.0, size=4000,
)  # fmt: skip
LOST = TrialRow(number=3, state="failed", error="loss nan")
FOUND = StudyResult(
    study="lr", run_id="r", score_horizon=5, best=BEST, trials=(BEST, LOST),
    counts={"complete": 1, "pruned": 0, "failed": 1},
)  # fmt: skip


def run_of(workspace: Path, command: str = "trial") -> Run:
    return context(workspace).store.create(command, Config(), {"study": "lr"})


def context(workspace: Path) -> StageContext:
    return StageContext(workspace=workspace, config=Config(), sink=ListSink(), stop=StopFlag())


def ended(run: Run, **more: Any) -> Run:
    log = JsonlSink(run.events_path)
    log.emit(RunFinished(**more))
    log.close()
    return run


@pytest.mark.parametrize(
    "plan", [StudyPlan(study="../x", trials=1), StudyPlan(study="x"), StudyPlan(study="x", trials=1, jobs=0)]
)  # fmt: skip
def test_senseless_options_are_refused(plan: StudyPlan) -> None:
    with pytest.raises(UsageError):
        plan.check()


def test_the_text_has_the_best_trials_and_what_their_order_does_not_say() -> None:
    text = _text(FOUND)
    assert "study lr (r): 1 complete, 0 pruned, 1 failed" in text
    assert "+0.0300 ± 0.0100 (n=252)" in text
    assert "  model.hidden = 32" in text
    assert "loss nan" not in text


def test_the_best_values_are_kept_as_words_and_as_toml(tmp_path: Path) -> None:
    _keep(tmp_path, FOUND)
    assert record.read(tmp_path / "study.json", StudyResult).best is not None
    kept = (tmp_path / "best.toml").read_text()
    assert kept == "# atft-tui train --set 'model.hidden=32'\n\n[model]\nhidden = 32\n"
    deep = _fragment({"training.phases.main.epochs": 7})
    assert "--set 'training.phases.main.epochs=7'" in deep
    assert "[training]" not in deep, "a phase has no place of its own in the file"


def test_a_search_without_a_complete_trial_is_refused_with_the_last_reason(tmp_path: Path) -> None:
    with pytest.raises(GateError, match="loss nan"):
        _keep(tmp_path, StudyResult(study="lr", trials=(LOST,)))
    assert (tmp_path / "study.json").is_file()


def test_the_identity_of_a_study_leaves_out_what_is_searched_and_what_does_not_matter() -> None:
    dataset = cast(Any, SimpleNamespace(features=SimpleNamespace(fingerprint="f")))
    config = Config()
    space = usable(config.tune.space, config)
    mine = _study_identity(config, space, dataset)
    assert mine["data"] == "f"
    assert not {dimension.key for dimension in space.dimensions} & set(mine)
    slower = override(config, {"training.log_every": 99}, origin="test")
    assert _study_identity(slower, space, dataset) == mine
    other = override(config, {"split.window": config.split.window + 1}, origin="test")
    assert _study_identity(other, space, dataset) != mine


class FakeStudy:
    """Takes note of what it is told; cuts a trial from the second report on."""

    def __init__(self) -> None:
        self.told: list[tuple[int, str, float]] = []
        self.reports: list[float] = []

    def tell(self, number: int, state: str, value: float) -> None:
        self.told.append((number, state, value))

    def report(self, number: int, step: int, value: float) -> bool:
        self.reports.append(value)
        return len(self.reports) > 1

    def best(self) -> None:
        return None


def search(workspace: Path, run: Run) -> tuple[Search, FakeStudy, ListSink]:
    study, sink = FakeStudy(), ListSink()
    made = Search(
        context=context(workspace), parent=run, sink=sink, name="lr", study=cast(Any, study),
        shelf=cast(Any, None), trials=3, jobs=1,
    )  # fmt: skip
    made._asked[run.id] = AskedTrial(number=4, parameters={"model.hidden": 32}, run=None)
    made._progress[run.id] = cast(Any, _progress())
    return made, study, sink


def _progress() -> object:
    from engine.tuning.study import TrialProgress

    return TrialProgress(epochs_per_fold=epochs_per_fold(Config()))


def test_a_trial_is_cut_when_its_study_says_so_and_stays_cut(tmp_path: Path) -> None:
    run = run_of(tmp_path)
    made, study, _ = search(tmp_path, run)
    assert made._watch(Task(run), FoldStarted(fold=0, folds=2, seed=1, seeds=1))
    assert made._watch(Task(run), evaluated(0, 0))
    assert not made._watch(Task(run), evaluated(1, 0))
    assert run.path(PRUNED).is_file()
    assert not made._watch(Task(run), FoldStarted(fold=1, folds=2, seed=1, seeds=1))
    assert len(study.reports) == 2


@pytest.mark.parametrize(
    ("state", "value", "told"),
    [
        ("complete", 0.02, "complete"),
        ("complete", math.nan, "failed"),
        ("pruned", math.nan, "pruned"),
    ],
)
def test_the_study_is_told_what_the_run_has_left(
    tmp_path: Path, state: Any, value: float, told: str
) -> None:
    run = run_of(tmp_path)
    made, study, sink = search(tmp_path, run)
    left = TrialResult(
        run_id=run.id, state=state, value=value, rank_ic=0.03, n_dates=9, parameters=7
    )
    record.write(run.path(TRIAL), left)
    made._end(run)
    assert [(number, end) for number, end, _ in study.told] == [(4, told)]
    (event,) = (event for event in sink.events if isinstance(event, TrialFinished))
    assert (event.state, event.rank_ic, event.n_dates) == (told, 0.03, 9)


def test_a_run_without_a_result_failed_was_cut_or_is_an_error(tmp_path: Path) -> None:
    failed = ended(run_of(tmp_path), status="failed", error="no memory")
    made, study, _ = search(tmp_path, failed)
    made._end(failed)
    assert study.told[0][1] == "failed"
    cut = run_of(tmp_path)
    made, study, _ = search(tmp_path, cut)
    cut.path(PRUNED).write_text("{}")
    made._end(cut)
    assert study.told[0][1] == "pruned"
    empty = run_of(tmp_path)
    made, _, _ = search(tmp_path, empty)
    with pytest.raises(EnvironmentProblem, match="without a result"):
        made._end(empty)


def test_the_words_of_an_epoch() -> None:
    event = evaluated(3, 0)
    assert isinstance(event, EpochEvaluated)
    assert epoch_words(event).startswith("epoch 3 RankIC +")
    assert f"(n={event.n_dates})" in epoch_words(event)


def test_a_run_says_why_it_failed_and_only_then(tmp_path: Path) -> None:
    assert failure(run_of(tmp_path)) == ""
    assert failure(ended(run_of(tmp_path), status="done")) == ""
    assert failure(ended(run_of(tmp_path), status="failed", error="no memory")) == "no memory"


def test_a_watcher_that_has_seen_enough_stops_the_run(tmp_path: Path) -> None:
    enough = StopFlag()
    sink = _WatchingSink(Task(run_of(tmp_path)), lambda task, event: event.step < 2, enough)  # type: ignore[attr-defined]
    sink.emit(cast(Any, SimpleNamespace(step=1)))
    assert not enough.requested
    sink.emit(cast(Any, SimpleNamespace(step=2)))
    assert enough.requested
