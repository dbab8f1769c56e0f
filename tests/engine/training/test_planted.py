"""Every diagnosis on a planted fault, through the real trainer; and none without one."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from engine.config import Config
from engine.config.file import override
from engine.dataset.loader import _epoch_steps
from engine.dataset.split import Split
from engine.errors import GateError
from engine.features.feature_set import FeatureSet
from engine.model.atft_gat_fan import ATFTGATFAN, build_model
from engine.runs.events import (
    CheckpointSaved,
    Diagnosed,
    EpochEvaluated,
    GraphWorthLogged,
    Noted,
    Warned,
)
from engine.runs.sink import ListSink
from engine.training.control import TrainingStopped
from engine.training.device import Runtime
from engine.training.machine import MachineProbe
from engine.training.progress import Progress
from engine.training.snapshots import Snapshots
from engine.training.trainer import Trainer
from tests.conftest import World

PHASE = {
    "name": "all",
    "blocks": ["fan", "san", "selection", "temporal", "attention", "gat", "bypass"],
    "epochs": 1,
    "patience": 9,
}
SETTINGS: dict[str, Any] = {
    "training.phases": [PHASE],
    "training.day_stride": 4,
    "training.log_every": 1,
    "training.null_draws": 20,
}
Plant = Callable[[ATFTGATFAN], None]


class NeverStop:
    requested = False


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@dataclass
class Bench:
    world: World
    root: Path

    def trainer(
        self,
        plant: Plant = lambda model: None,
        *,
        settings: dict[str, Any] | None = None,
        features: FeatureSet | None = None,
        split: Split | None = None,
    ) -> Trainer:
        config: Config = override(self.world.config, SETTINGS | (settings or {}), origin="test")
        features = features or self.world.features
        torch.manual_seed(1)
        model = build_model(config, len(features.features))
        plant(model)
        return Trainer(
            config=config,
            features=features,
            graphs=self.world.graphs,
            split=split or self.world.split,
            model=model,
            runtime=Runtime(device=torch.device("cpu"), mode="safe", autocast=False, threads=1),
            sink=ListSink(),
            stop=NeverStop(),
            snapshots=Snapshots(directory=self.root / "checkpoints", identity={}),
            machine=MachineProbe(self.root),
            progress=Progress(),
        )


@pytest.fixture
def bench(world: World, tmp_path: Path) -> Bench:
    return Bench(world, tmp_path)


def events(trainer: Trainer) -> list[Any]:
    assert isinstance(trainer.sink, ListSink)
    return trainer.sink.events


def diagnoses(trainer: Trainer) -> list[Diagnosed]:
    return [event for event in events(trainer) if isinstance(event, Diagnosed)]


def _hook(parameter: Tensor, change: Callable[[Tensor], Tensor]) -> None:
    parameter.register_hook(change)  # type: ignore[no-untyped-call]


def scale_gradient(module: nn.Module, factor: float) -> None:
    for parameter in module.parameters():
        _hook(parameter, lambda gradient: gradient * factor)


def starve_graph(model: ATFTGATFAN) -> None:
    """The original's fault: nothing of the loss reaches the graph block."""
    scale_gradient(model.module_groups()["gat"], 0.0)


def cut_gate(model: ATFTGATFAN) -> None:
    """The gate's own number gets no gradient, the rest of its block does."""
    gate = next(p for p in model.bypass.parameters() if p.numel() == 1)
    _hook(gate, torch.zeros_like)


def explode(model: ATFTGATFAN) -> None:
    scale_gradient(model, 1e7)


def collapse(model: ATFTGATFAN) -> None:
    """All scores of a day are nearly one number, in train and in eval mode."""

    def flatten(module: nn.Module, given: Any, output: tuple[Tensor, Any]) -> tuple[Tensor, Any]:
        quantile_MHQ, student_MH2 = output
        return quantile_MHQ * 1e-4, student_MH2

    model.head.register_forward_hook(flatten)


@dataclass
class PoisonedStep:
    """The gradient is NaN at some steps, counted over all calls."""

    steps: frozenset[int]
    calls: int = 0

    def __call__(self, model: ATFTGATFAN) -> None:
        first = next(iter(model.module_groups()["heads"].parameters()))
        _hook(first, self._spoil)

    def _spoil(self, gradient: Tensor) -> Tensor:
        self.calls += 1
        return gradient * (torch.nan if self.calls - 1 in self.steps else 1.0)


@pytest.mark.parametrize(
    ("plant", "settings", "code"),
    [
        (starve_graph, {}, "graph_starved"),
        (cut_gate, {}, "gate_stuck"),
        (lambda model: None, {"model.alpha_init": 0.995}, "gate_stuck"),
        (collapse, {"doctor.scores_collapsed": "warn"}, "scores_collapsed"),
        (explode, {"doctor.exploding": "warn"}, "exploding"),
    ],
)
def test_a_planted_fault_is_named_within_one_validation(
    bench: Bench, plant: Plant, settings: dict[str, Any], code: str
) -> None:
    trainer = bench.trainer(plant, settings=settings)
    trainer.run()
    found = diagnoses(trainer)
    assert [finding.code for finding in found] == [code]
    assert found[0].epoch == 0
    assert found[0].action == "warned"
    assert found[0].remedy
    assert found[0].patch
    healthy = [e for e in events(trainer) if isinstance(e, CheckpointSaved) and e.name == "healthy"]
    assert len(healthy) == 1, "only the phase's start: its validation was not clean"


def test_a_training_without_edges_is_named_at_its_first_validation(bench: Bench) -> None:
    """By its worth: the other sign, the gradient, would need more steps than there are."""
    trainer = bench.trainer(settings={"doctor.consecutive_checks": 999})
    trainer.graphs = None
    trainer.run()
    (found,) = diagnoses(trainer)
    assert (found.code, found.evidence, found.threshold) == ("graph_starved", 0.0, 1e-3)
    assert "0.0 neighbours a stock" in found.message
    (told,) = [event for event in events(trainer) if isinstance(event, GraphWorthLogged)]
    assert told.worth.without_edges.share == 0.0


def test_without_a_fault_nothing_is_found(bench: Bench) -> None:
    trainer = bench.trainer(settings={"training.phases": [{**PHASE, "epochs": 3}]})
    trainer.run()
    assert diagnoses(trainer) == []
    worths = [event for event in events(trainer) if isinstance(event, GraphWorthLogged)]
    assert [event.epoch for event in worths] == [0, 1, 2]
    assert all(event.worth.without_edges.share > 1e-3 for event in worths)
    healthy = [e for e in events(trainer) if isinstance(e, CheckpointSaved) and e.name == "healthy"]
    assert len(healthy) == 4, "start and three validations"


def test_overfitting_is_named(bench: Bench) -> None:
    """Labels follow a feature on training days and its opposite on validation days."""
    features, split = bench.world.features, bench.world.split
    f = features.features.index("momentum_12_1")
    returns = np.array(features.forward_return_SNH)
    sign_S = np.where(np.isin(np.arange(len(returns)), split.validation), -1.0, 1.0)
    signal_SN = np.asarray(features.x_SNF[:], np.float32)[..., f] * sign_S[:, None]
    known = np.isfinite(returns)
    noise = np.random.default_rng(0).normal(0, 2.0, returns.shape)
    returns = np.where(known, signal_SN[..., None] + noise, np.nan).astype(np.float32)
    settings = {
        "training.phases": [{**PHASE, "epochs": 4, "blocks": ["selection"]}],
        "training.learning_rate": 3e-3,
        "model.dropout": 0.1,
    }
    trainer = bench.trainer(
        settings=settings, features=replace(features, forward_return_SNH=returns)
    )
    trainer.run()
    found = diagnoses(trainer)
    assert [(finding.code, finding.epoch) for finding in found] == [("overfitting", 3)]
    assert found[0].evidence > found[0].threshold


def test_a_bad_step_is_rolled_back_and_training_goes_on(bench: Bench) -> None:
    settings = {"training.phases": [{**PHASE, "epochs": 2}]}
    per_epoch = len(
        _epoch_steps(bench.world.split.train, stride=4, days_per_step=4, seed=1, epoch=0)
    )
    trainer = bench.trainer(PoisonedStep(frozenset({per_epoch + 2})), settings=settings)
    results = trainer.run()
    (found,) = diagnoses(trainer)
    assert (found.code, found.action, found.severity) == ("non_finite", "rolled back", "critical")
    notes = [event.message for event in events(trainer) if isinstance(event, Noted)]
    wanted = f"rolled back from step {per_epoch + 2} to step {per_epoch}; learning rate x 0.5"
    assert any(wanted in note for note in notes)
    assert trainer.progress.step == 2 * per_epoch
    assert trainer.progress.chart.rate_scale == 0.5
    assert np.isfinite(results[0].rank_ic)
    validations = [e.epoch for e in events(trainer) if isinstance(e, EpochEvaluated)]
    assert validations == [0, 1]


def test_a_fault_that_stays_ends_the_run_after_the_allowed_rollbacks(bench: Bench) -> None:
    trainer = bench.trainer(PoisonedStep(frozenset(range(3, 99))))
    with pytest.raises(GateError, match="non_finite") as caught:
        trainer.run()
    assert [finding.action for finding in diagnoses(trainer)] == [
        "rolled back",
        "rolled back",
        "stopped",
    ]
    assert "--set training.learning_rate" in caught.value.hint


def test_out_of_memory_once_goes_on_in_parts(bench: Bench) -> None:
    failures: list[int] = []

    def run_out(module: nn.Module, given: Any) -> None:
        if module.training and not failures:
            failures.append(1)
            raise torch.OutOfMemoryError("CUDA out of memory")

    def plant(model: ATFTGATFAN) -> None:
        model.register_forward_pre_hook(run_out)

    trainer = bench.trainer(plant)
    (result,) = trainer.run()
    assert failures
    assert trainer.progress.parts == 2
    warned = [event for event in events(trainer) if isinstance(event, Warned)]
    assert [event.code for event in warned] == ["device"]
    assert np.isfinite(result.rank_ic)
    assert diagnoses(trainer) == []


@dataclass
class StopAfter:
    """Asks to stop once: at the ``number``-th time that it is looked at."""

    number: int
    looked: int = 0

    @property
    def requested(self) -> bool:
        self.looked += 1
        return self.looked > self.number


@dataclass
class Spike:
    """Huge gradients at one step of the training, until the learning rate was lowered."""

    trainer: list[Trainer]

    def __call__(self, model: ATFTGATFAN) -> None:
        first = next(iter(model.module_groups()["heads"].parameters()))
        _hook(first, self._spoil)

    def _spoil(self, gradient: Tensor) -> Tensor:
        progress = self.trainer[0].progress
        bad = progress.step == 9 and progress.chart.rollbacks == 0
        return gradient * (1e9 if bad else 1.0)


@pytest.mark.parametrize(
    ("averaging", "cuts"),
    [
        ("ema", (14,)),
        pytest.param("ema", (3, 8, 21), marks=pytest.mark.slow),
        pytest.param("none", (7, 13, 25), marks=pytest.mark.slow),
        pytest.param("swa", (7, 13, 25), marks=pytest.mark.slow),
    ],
)
def test_a_run_that_was_rolled_back_resumes_bit_for_bit(
    bench: Bench, tmp_path: Path, averaging: str, cuts: tuple[int, ...]
) -> None:
    settings = {
        "training.phases": [{**PHASE, "epochs": 2}],
        "training.averaging": averaging,
        "training.checkpoint_steps": 2,
        "doctor.exploding": "rollback",
        "doctor.consecutive_checks": 1,
    }

    def made(root: Path) -> Trainer:
        holder: list[Trainer] = []
        trainer = Bench(bench.world, root).trainer(Spike(holder), settings=settings)
        holder.append(trainer)
        return trainer

    whole = made(tmp_path / "whole")
    whole.run()
    assert [finding.action for finding in diagnoses(whole)] == ["rolled back"]
    for number in cuts:
        root = tmp_path / f"cut-{number}"
        cut = made(root)
        cut.stop = StopAfter(number)
        with pytest.raises(TrainingStopped):
            cut.run()
        again = made(root)
        again.run(resume=True)
        for name, value in whole.model.state_dict().items():
            assert torch.equal(value, again.model.state_dict()[name]), (number, name)
        assert again.progress.chart.rollbacks == 1
        assert again.progress.results == whole.progress.results
