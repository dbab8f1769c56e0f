"""A run with a refit, from training to champion: whose figures are whose, and what it has learned from."""

import numpy as np
import polars as pl
import pytest

from engine.errors import GateError
from engine.portfolio.prediction import Prediction
from engine.records.train import TrainResult, read_train
from engine.runs.events import Advanced, EpochEvaluated, Noted, PlanMade
from engine.runs.fold import fold
from engine.runs.store import Run
from engine.stages.load import load_dataset, session_window
from engine.stages.package import package
from engine.stages.predict import predict
from engine.stages.promote import promote
from engine.stages.sealed import champion
from engine.stages.signals import open_ensemble
from engine.stages.train import train
from engine.training.snapshots import _load_checkpoint
from tests.engine.signals.desk import Desk

pytestmark = pytest.mark.usefixtures("few_trees")


@pytest.fixture(scope="module")
def refit_desk(trained_desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """The same desk with a second run, the same but for its refit, as champion. Never changed."""
    desk = trained_desk.copy(tmp_path_factory.mktemp("refit") / "workspace")
    context = desk.context(training__refit=True)
    trained = train(context)
    assert "trained on data to" in trained.text
    promoted = promote(context, run=trained.json["run_id"], force_reason="with a refit")
    assert promoted.exit_code == 0, promoted.text
    return desk


def runs(desk: Desk) -> tuple[Run, Run]:
    """The run without a refit, and the one with it."""
    first, second = sorted(
        (run for run in desk.context().store if run.command == "train"),
        key=lambda run: run.config().training.refit,
    )
    return first, second


def results(desk: Desk) -> tuple[TrainResult, TrainResult]:
    first, second = runs(desk)
    return read_train(first.directory), read_train(second.directory)


def test_validation_figures_are_those_of_the_fit_that_chose(refit_desk: Desk) -> None:
    """Also those of graph and blocks; only what is said of the test days is another network's."""
    plain, again = results(refit_desk)
    for name in ("best", "graph_worth", "blocks_worth", "score_std_ratio"):
        assert getattr(again, name) == getattr(plain, name), name
    assert again.horizons["validation"] == plain.horizons["validation"]
    assert again.test != plain.test
    frames = [Prediction.read(run.path("predictions.parquet")).frame for run in runs(refit_desk)]
    same, other = (
        [frame.filter(pl.col("split") == part) for frame in frames]
        for part in ("validation", "test")
    )
    assert same[0].equals(same[1])
    assert not other[0].equals(other[1])


def test_it_is_trained_to_the_last_validation_day_and_says_so_everywhere(refit_desk: Desk) -> None:
    plain, again = results(refit_desk)
    assert (plain.splits.trained_to, plain.splits.refitted) == (plain.splits.train.last, False)
    assert (again.splits.trained_to, again.splits.refitted) == (again.splits.validation.last, True)
    shown, last = champion(refit_desk.context(), action="show"), again.splits.validation.last
    assert f"trained on data to {last}," in shown.text
    assert shown.json["trained_to"] == last
    first = package(refit_desk.context(), runs(refit_desk)[0])
    assert first.facts.trained_to == plain.splits.train.last


def test_its_events_are_no_epoch_and_no_phase_of_the_first_fit(refit_desk: Desk) -> None:
    first, second = (list(run.events()) for run in runs(refit_desk))
    epochs = [[e.epoch for e in told if isinstance(e, EpochEvaluated)] for told in (first, second)]
    assert epochs[0] == epochs[1]
    plans = [[e.refit for e in told if isinstance(e, PlanMade)] for told in (first, second)]
    assert plans == [[False], [True]]
    told = [e for e in second if isinstance(e, Advanced) and e.stage == "refit"]
    assert told[-1].done == told[-1].total == max(e.done for e in told)
    assert any(isinstance(e, Noted) and e.message.startswith("refit of all: ") for e in second)
    a, b = fold(first), fold(second)
    assert [event.step for event in a.steps] == [event.step for event in b.steps]
    assert (a.phases, a.done_share, b.phases, b.done_share) == (a.phases, 1.0, a.phases, 1.0)


def test_the_package_holds_the_refitted_weights_and_days_they_have_not_learned(
    refit_desk: Desk,
) -> None:
    first, second = runs(refit_desk)
    model = refit_desk.models.require_champion()
    kept = second.path("checkpoints")
    assert model.members()[0].paths[0].read_bytes() == next(
        (kept / "refit").glob("kept-*/tensors.safetensors")
    ).read_bytes()  # fmt: skip
    ours, theirs = (_load_checkpoint(run.path("checkpoints"), "kept") for run in (first, second))
    assert all(tensor.equal(theirs.tensors[name]) for name, tensor in ours.tensors.items())
    context = refit_desk.context(training__refit=True)
    dataset = load_dataset(context, context.sink, in_memory=False)
    span = read_train(second.directory).splits.test
    dates_S, ensemble = dataset.features.dates_S, open_ensemble(model)
    column = model.config().labels.horizons.index(model.facts.score_horizon)
    inside = np.flatnonzero(
        (dates_S >= np.datetime64(span.first)) & (dates_S <= np.datetime64(span.last))
    )
    chosen = inside[np.unique(np.linspace(0, inside.size - 1, 16).astype(int))]
    window = model.config().split.window
    deviations = [
        ensemble.rank(session_window(dataset, int(s), window), column).deviation for s in chosen
    ]
    assert model.reference().deviation == pytest.approx(np.mean(deviations))


def test_days_that_it_learned_from_are_neither_signalled_nor_scored(
    refit_desk: Desk, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The labels of its last days end in the embargo, so that is part of it; the test days are free."""
    desk = refit_desk.copy(tmp_path_factory.mktemp("days") / "workspace")
    _, second = runs(desk)
    spans = read_train(second.directory).splits
    facts = desk.models.require_champion().facts
    days = [str(day) for day in desk.days]
    before = days[days.index(spans.test.first) - 1]
    assert before > spans.validation.last
    assert [facts.has_seen(day) for day in (before, spans.test.first)] == [True, False]
    with pytest.raises(GateError, match="inside the span"):
        desk.signals(before)
    with pytest.raises(GateError, match="in the span it was trained on"):
        predict(
            desk.context(), run=second.id, start=spans.validation.last, stop=None, in_sample=False
        )
