"""`champion`: what is shown, and the way back."""

from pathlib import Path

import pytest

from engine.config import Config, ProtocolConfig
from engine.config.file import override
from engine.errors import GateError, UsageError
from engine.records.champion import GateCondition, ModelFacts
from engine.records.rank_ic import RankICSummary
from engine.runs import lock
from engine.signals.models import Model, ModelStore
from engine.stages.promote import _retraining_config, promote
from engine.stages.sealed import champion
from tests.engine.stages.seals import NOON, context_of, model_of


def test_the_champion_is_shown_with_its_figures(tmp_path: Path) -> None:
    context = context_of(tmp_path)
    with pytest.raises(UsageError, match="no champion yet"):
        champion(context, action="show")
    assert champion(context, action="history").text == "no champion yet"
    model = model_of(tmp_path)
    store = ModelStore(tmp_path / "models")
    store.record("promoted", model.id, at=NOON, run="run-1", reason="the first one")
    store.record("refused", "another", at=NOON, run="run-2")
    done = champion(context, action="show")
    assert done.text == (
        f"champion {model.id}, 1 network, promoted 2026-11-25T12:00:00+00:00\n"
        "trained on data to 2026-11-02, test RankIC h=5  +0.0200 ± 0.0040  null ±0.0100 (n=250)"
    )
    assert (done.json["model"], done.json["run_id"]) == (model.id, "run-1")
    assert done.json["splits"]["validation"]["last"] == "2026-06-30"
    assert done.json["test"]["null_band"] == 0.01


def test_a_model_has_learned_to_its_last_training_day_unless_it_was_refitted(
    tmp_path: Path,
) -> None:
    """A package of before names only its spans; of a refit the embargo before the test is seen too."""

    def facts(**trained_to: str) -> ModelFacts:
        spans: dict[str, object] = {
            "train": {"last": "2025-12-01"},
            "validation": {"first": "2026-01-05", "last": "2026-06-30"},
            "test": {"first": "2026-08-03"},
            **trained_to,
        }
        return ModelFacts(splits=spans, last_session="2026-11-02", test=RankICSummary(rank_ic=0.02))

    plain, refit = facts(), facts(trained_to="2026-06-30")
    assert (plain.trained_to, refit.trained_to) == ("2025-12-01", "2026-06-30")
    days = ("2026-06-30", "2026-07-01", "2026-07-31", "2026-08-03")
    assert [plain.has_seen(day) for day in days] == [True, False, False, False]
    assert [refit.has_seen(day) for day in days] == [True, True, True, False]


def test_a_rollback_goes_to_the_model_before_and_is_written_down(tmp_path: Path) -> None:
    context = context_of(tmp_path)
    first, second = model_of(tmp_path), model_of(tmp_path, b"other weights")
    store = ModelStore(tmp_path / "models")
    store.record("promoted", first.id, at=NOON, run="run-1")
    with pytest.raises(GateError, match="no earlier champion"):
        champion(context, action="rollback")
    store.record("promoted", second.id, at=NOON, run="run-2")
    done = champion(context, action="rollback")
    assert done.text == f"champion is {first.id} again"
    assert (done.json["n"], done.json["action"], done.json["model"]) == (3, "rolled back", first.id)
    rows = champion(context, action="history").json["history"]
    assert [row["run"] for row in rows] == ["run-1", "run-2", ""]
    assert champion(context, action="show").json["model"] == first.id


def test_signals_go_on_while_a_model_is_scored_and_a_new_rival_is_met_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock is held for the verdict alone; one about a champion that has gone is not written down."""
    context, store = context_of(tmp_path), ModelStore(tmp_path / "models")
    first, second, ours = (model_of(tmp_path, content) for content in (b"1", b"2", b"3"))
    store.record("promoted", first.id, at=NOON)
    run = context.store.create("train", Config())
    met: list[str] = []

    def gate(_context: object, _run: object, _ours: Model, rival: Model) -> list[GateCondition]:
        assert not lock.is_held(tmp_path / "signals" / ".lock")
        if not met:
            store.record("promoted", second.id, at=NOON)
        met.append(rival.id)
        return [GateCondition(name="champion", passed=True, detail=f"against {rival.id}")]

    monkeypatch.setattr("engine.stages.promote.package", lambda *_: ours)
    monkeypatch.setattr("engine.stages.promote._gate", gate)
    done = promote(context, run=run.id, force_reason=None)
    assert met == [first.id, second.id]
    assert [entry.model for entry in store.history().history] == [first.id, second.id, ours.id]
    assert done.json["gate"][0]["detail"] == f"against {second.id}"


def test_a_challenger_is_trained_without_a_protocol(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its test days are the newest, which are sealed; the scheduler starts it, so nobody chooses."""
    keys = {"protocol.development_to": "2014-12-31", "protocol.confirmation_to": "2016-12-31"}
    rules = override(Config(), keys, origin="test")
    monkeypatch.setattr(Model, "config", lambda _: rules)
    found = _retraining_config(context_of(tmp_path), model_of(tmp_path))
    assert found.protocol == ProtocolConfig()
    assert (found.training, found.split) == (rules.training, rules.split)
