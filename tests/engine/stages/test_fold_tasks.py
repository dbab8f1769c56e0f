"""What a walk-forward consists of: every file has one task that writes it."""

from pathlib import Path

import pytest

from engine.config import Config
from engine.config.file import override
from engine.records.plans import WalkforwardPlan
from engine.runs import lock
from engine.runs.store import Run
from engine.stages.fold_tasks import _fold_tasks, _FoldTask
from engine.stages.tasks import forget_tasks

COLD = override(Config(), {"training.seed": 5}, origin="test")
WARM = override(COLD, {"training.warm_start": True}, origin="test")


def names(config: Config, plan: WalkforwardPlan, folds: int) -> list[str]:
    return [task.name for task in _fold_tasks(config, plan, folds)]


def test_a_network_each_of_every_fold_and_seed_and_the_rivals_last() -> None:
    """Late folds first, as they learn from more days: what is begun last is short."""
    plan = WalkforwardPlan(seeds=2)
    assert names(COLD, plan, 2) == [
        "fold-1-seed-5", "fold-1-seed-6", "fold-0-seed-5", "fold-0-seed-6",
        "baselines-fold-1", "baselines-fold-0",
        "mlp-fold-1-seed-5", "mlp-fold-1-seed-6", "mlp-fold-0-seed-5", "mlp-fold-0-seed-6",
    ]  # fmt: skip


def test_networks_that_begin_with_each_others_weights_are_one_task() -> None:
    plan = WalkforwardPlan(seeds=2, with_baselines=False)
    assert names(WARM, plan, 3) == ["seed-5", "seed-6"]
    assert _fold_tasks(WARM, plan, 3)[0].folds == (0, 1, 2)


def test_a_blend_has_the_networks_of_its_members() -> None:
    """Its members that learn the plain label too, networks and fits."""
    members = ["network", "mlp", "mlp-plain", "ridge", "lightgbm-plain"]
    blend = override(WARM, {"blend.members": members}, origin="test")
    plan = WalkforwardPlan(model="blend", with_baselines=False)
    expected = [
        "seed-5", "baselines-fold-1", "baselines-fold-0", "mlp-seed-5", "mlp-plain-seed-5",
        "baselines-plain-fold-1", "baselines-plain-fold-0",
    ]  # fmt: skip
    assert names(blend, plan, 2) == expected


def test_a_simple_model_needs_no_network_but_all_rivals() -> None:
    plan = WalkforwardPlan(model="lightgbm", with_baselines=False)
    assert names(WARM, plan, 2) == ["baselines-fold-1", "baselines-fold-0", "mlp-seed-5"]


@pytest.mark.parametrize("config", [COLD, WARM])
def test_no_two_tasks_write_one_file(config: Config) -> None:
    files = [
        path
        for task in _fold_tasks(config, WalkforwardPlan(seeds=3), 4)
        for path in task.files(Run(Path("run")))
    ]
    assert len(set(files)) == len(files) == 4 * 3 + 4 + 4 * 3


def test_the_files_are_those_that_a_run_gathers() -> None:
    run = Run(Path("run"))
    assert _FoldTask("mlp", (2,), 7).files(run) == [run.path("folds/mlp-fold-2-seed-7.parquet")]
    assert _FoldTask("baselines", (2,)).files(run) == [run.path("folds/baselines-fold-2.parquet")]


def test_what_an_earlier_start_left_goes_when_nobody_is_at_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(tmp_path)
    run.path("tasks/fold-0-seed-1").mkdir(parents=True)
    waited: list[bool] = []
    held = lock.hold(run.path("tasks/fold-0-seed-1/lock"))
    held.__enter__()

    def ends(seconds: float) -> None:
        waited.append(run.path("tasks").exists())
        held.__exit__(None, None, None)

    monkeypatch.setattr("engine.stages.processes.time.sleep", ends)
    forget_tasks(run)
    assert waited == [True]
    assert not run.path("tasks").exists()
