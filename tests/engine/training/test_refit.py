"""The second fit: the same steps on more days, the same bits however it is cut off, and nothing beyond."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from msgspec import structs

from engine.dataset.loader import prefetch, steps_of_epoch
from engine.dataset.split import Split, refit_split
from engine.features.feature_set import FeatureSet
from engine.records.train import PhaseResult
from engine.runs.events import Advanced, CheckpointSaved, Diagnosed
from engine.runs.sink import ListSink
from engine.training import trainer as training
from engine.training.control import TrainingStopped
from engine.training.monitor import phase_result
from engine.training.progress import Progress
from engine.training.refit import Refit, RefitSink, _Repeat, final_folder, repeats_of
from engine.training.snapshots import Snapshots
from engine.training.trainer import Trainer
from tests.conftest import World
from tests.engine.training.test_planted import PHASE, Bench, Spike, StopAfter

FIRST = {"name": "first", "blocks": [], "epochs": 2, "patience": 9}
SETTINGS: dict[str, Any] = {
    "training.phases": [{**FIRST, "epochs": 1}, {**PHASE, "trained_scale": 0.5}],
    "training.averaging": "ema",
    "training.checkpoint_steps": 3,
    "training.refit": True,
}
Steps = list[tuple[int, ...]]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def first(world: World, tmp_path_factory: pytest.TempPathFactory) -> Trainer:
    """Two phases of one epoch, both kept: what is repeated is all that was done."""
    torch.set_num_threads(1)

    def kept(*args: Any) -> PhaseResult:
        return structs.replace(phase_result(*args), kept=True)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "phase_result", kept)
        trainer = Bench(world, tmp_path_factory.mktemp("first")).trainer(settings=SETTINGS)
        trainer.run()
    assert [result.kept for result in trainer.progress.results] == [True, True]
    return trainer


def longer(world: World) -> Split:
    return refit_split(world.features, world.split, world.config.split, 10)


def second(
    first: Trainer,
    world: World,
    root: Path,
    *,
    split: Split | None = None,
    features: FeatureSet | None = None,
) -> Refit:
    """The refit of a training, with fresh weights of the same seed."""
    fresh = Bench(world, root).trainer(
        settings=SETTINGS, split=split or longer(world), features=features
    )
    values = {f.name: getattr(fresh, f.name) for f in fields(fresh) if f.init}
    return Refit(**values, repeats=repeats_of(first))


def weights(trainer: Trainer) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in trainer.model.state_dict().items()}


def equal(a: Trainer, b: Trainer) -> bool:
    return all(torch.equal(value, weights(b)[name]) for name, value in weights(a).items())


def test_on_the_same_days_it_is_the_first_fit_bit_by_bit(
    first: Trainer, world: World, tmp_path: Path
) -> None:
    """Same phases, blocks, steps, rates, dropout and averages: only the days may differ."""
    again = second(first, world, tmp_path, split=replace(world.split, validation=np.array([], int)))
    again.run()
    assert equal(again, first)
    assert again.progress.kept_blocks == first.progress.kept_blocks
    assert again.progress.step == first.progress.step


@dataclass
class Watched:
    """The steps that were asked for, in order."""

    steps: Steps = field(default_factory=list)

    def __call__(
        self, features: Any, graphs: Any, steps: Sequence[tuple[int, ...]], *rest: Any, **more: Any
    ) -> AbstractContextManager[Any]:
        self.steps += steps
        return prefetch(features, graphs, steps, *rest, **more)


def test_it_learns_all_labelled_days_before_the_embargo_in_as_many_steps(
    first: Trainer, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again, watched = second(first, world, tmp_path), Watched()
    monkeypatch.setattr(training, "prefetch", watched)
    monkeypatch.setattr(Trainer, "score", None)
    again.run()
    repeats = repeats_of(first)
    assert [len(repeat.steps) for repeat in repeats] == [1, 1]
    assert len(watched.steps) == again.progress.step == first.progress.step
    cut = repeats[0].steps[0]
    for number, (some, repeat) in enumerate(
        zip((watched.steps[:cut], watched.steps[cut:]), repeats, strict=True)
    ):
        whole = steps_of_epoch(first.config.training, longer(world).train, number)
        assert repeat.first_epoch == number
        assert some == whole[: len(some)], "the order of an epoch of the longer span, cut off"
        assert len(whole) > len(some)
    days = np.concatenate([np.array(step) for step in watched.steps])
    assert days.max() > world.split.train[-1] + 20, "days of embargo and validation"
    assert days.max() <= world.split.validation[-1]
    assert not equal(again, first)


def test_the_days_go_round_from_one_epoch_to_the_next(
    first: Trainer, world: World, tmp_path: Path
) -> None:
    """Epochs of 20, 15 and 12 steps are the first 47 steps of the epochs 2, 3, ... one after another."""
    again = second(first, world, tmp_path)
    phase = again.config.training.phases[0]
    again.repeats = (_Repeat(phase=phase, first_epoch=2, steps=(20, 15, 12)),)
    found: Steps = []
    for done in range(3):
        again.progress.epoch_in_phase = done
        assert not again._is_over(phase)
        found += again._epoch_steps()
    again.progress.epoch_in_phase = 3
    assert again._is_over(phase)
    expected: Steps = []
    for epoch in (2, 3, 4):
        expected += steps_of_epoch(again.config.training, again.split.train, epoch)
    assert found == expected[:47]
    assert len(steps_of_epoch(again.config.training, again.split.train, 2)) < 35, "it wraps"


def test_what_is_repeated_by_hand(world: World, tmp_path: Path) -> None:
    """Kept: a to its epoch 1 of 0..2; b, of 3 and 4, is not; c to its epoch 6 of 5..7, rate halved, without
    the blocks that went with b.
    """
    phases = [
        {"name": "a", "blocks": [], "epochs": 3},
        {"name": "none", "blocks": [], "epochs": 0},
        {"name": "b", "blocks": ["fan"], "epochs": 2},
        {"name": "c", "blocks": ["fan", "gat"], "epochs": 3, "learning_rate_scale": 0.5},
    ]
    trainer = Bench(world, tmp_path).trainer(settings={"training.phases": phases})
    trainer.progress.results = [
        PhaseResult(name="a", epochs=3, best_epoch=1, kept=True),
        PhaseResult(name="b", epochs=2, best_epoch=3, blocks=("fan",)),
        PhaseResult(
            name="c", epochs=3, best_epoch=6, kept=True, blocks=("gat",), rate_scale=0.25
        ),
    ]  # fmt: skip
    a, c = repeats_of(trainer)

    def lengths(*epochs: int) -> tuple[int, ...]:
        config, train = trainer.config.training, trainer.split.train
        return tuple(len(steps_of_epoch(config, train, epoch)) for epoch in epochs)

    assert (a.phase.name, a.first_epoch, a.steps) == ("a", 0, lengths(0, 1))
    assert (c.phase.name, c.first_epoch, c.steps) == ("c", 5, lengths(5, 6))
    assert (c.phase.blocks, c.phase.learning_rate_scale, c.phase.epochs) == (("gat",), 0.125, 3)


def test_labels_after_the_embargo_change_no_byte_and_those_of_validation_do(
    first: Trainer, world: World, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)

    def trained(name: str, start: int) -> Refit:
        returns = np.array(world.features.forward_return_SNH)
        returns[start:] = rng.normal(size=returns[start:].shape)
        known = np.isfinite(world.features.forward_return_SNH)
        changed = replace(world.features, forward_return_SNH=np.where(known, returns, np.nan))
        again = second(first, world, tmp_path / name, features=changed)
        again.run()
        return again

    plain = second(first, world, tmp_path / "plain")
    plain.run()
    assert equal(trained("after", int(world.split.validation[-1]) + 1), plain)
    assert not equal(trained("in", int(world.split.validation[0])), plain)


def test_cut_off_anywhere_it_goes_on_to_the_same_bits(
    first: Trainer, world: World, tmp_path: Path
) -> None:
    whole = second(first, world, tmp_path / "whole")
    whole.run()
    for number in (2, first.progress.step // 2 + 1, first.progress.step - 1):
        root = tmp_path / f"cut-{number}"
        cut = second(first, world, root)
        cut.stop = StopAfter(number)
        with pytest.raises(TrainingStopped):
            cut.run(resume=True)
        again = second(first, world, root)
        again.run(resume=True)
        assert equal(again, whole), number
    done = second(first, world, tmp_path / "whole")
    done.run(resume=True)
    assert equal(done, whole), "one that had ended only reads its weights"


def test_the_doctor_rolls_it_back_to_a_lower_rate(
    first: Trainer, world: World, tmp_path: Path
) -> None:
    holder: list[Trainer] = []
    again = second(first, world, tmp_path)
    Spike(holder)(again.model)
    holder.append(again)
    again.config = again.config.model_copy(
        update={"doctor": again.config.doctor.model_copy(update={"consecutive_checks": 1})}
    )
    again.run()
    assert isinstance(again.sink, ListSink)
    told = [event for event in again.sink.events if isinstance(event, Diagnosed)]
    assert [(event.code, event.action) for event in told] == [("exploding", "rolled back")]
    assert again.progress.chart.rate_scale == 0.5
    assert again.progress.step == first.progress.step


def test_it_tells_progress_and_checkpoints_and_nothing_that_a_chart_would_take(
    first: Trainer, world: World, tmp_path: Path
) -> None:
    again, seen = second(first, world, tmp_path), ListSink()
    before = first.progress.step
    again.progress = Progress(step=before, epoch=2)
    again.sink = RefitSink(sink=seen, repeats=again.repeats, before=before)
    again.run()
    kinds = {type(event) for event in seen.events}
    assert {Advanced, CheckpointSaved} <= kinds
    assert not {kind.__name__ for kind in kinds} & {
        "StepLogged", "EpochEvaluated", "PhaseStarted", "PhaseFinished", "GradientsLogged", "GatesLogged",
        "GraphWorthLogged", "AttentionLogged", "StageStarted",
    }  # fmt: skip
    told = [event for event in seen.events if isinstance(event, Advanced)]
    every = [n for n in range(1, before + 1) if n % again.config.training.log_every == 0]
    assert [event.done for event in told] == every
    assert {(event.stage, event.total) for event in told} == {("refit", before)}
    assert told[0].note.startswith("first: loss ")
    assert told[-1].note.startswith("all: loss ")


def test_its_weights_lie_in_a_folder_of_their_own(world: World) -> None:
    off = world.config.training
    on = off.model_copy(update={"refit": True})
    assert final_folder(Path("checkpoints"), off) == Path("checkpoints")
    assert final_folder(Path("checkpoints"), on) == Path("checkpoints/refit")


def test_a_rate_that_a_rollback_lowered_is_repeated(world: World, tmp_path: Path) -> None:
    """The best epoch lies behind the rollback: its rate is half of what was configured."""
    holder: list[Trainer] = []
    settings = {**SETTINGS, "training.phases": [FIRST], "doctor.consecutive_checks": 1}
    trainer = Bench(world, tmp_path).trainer(Spike(holder), settings=settings)
    holder.append(trainer)
    trainer.run()
    (repeat,) = repeats_of(trainer)
    assert trainer.progress.results[0].rate_scale == 0.5
    assert repeat.phase.learning_rate_scale == 0.5


def test_snapshots_of_both_fits_stand_side_by_side(
    first: Trainer, world: World, tmp_path: Path
) -> None:
    """The first fit's weights are still there, as they were."""
    folder = first.snapshots.directory
    again = second(first, world, tmp_path)
    again.snapshots = Snapshots(directory=folder / "refit", identity={})
    kept = {path.name for path in folder.iterdir()}
    again.run()
    assert {path.name for path in folder.iterdir()} == {*kept, "refit"}
    assert first.snapshots.load_weights("kept", again.model) == {
        "blocks": first.progress.kept_blocks, "identity": {},
    }  # fmt: skip
    assert equal(again, first)
