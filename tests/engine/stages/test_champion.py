"""`champion`: what is shown, and the way back."""

from pathlib import Path

import pytest

from engine.errors import GateError, UsageError
from engine.signals.models import ModelStore
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
        f"champion {model.id}, 1 networks, promoted 2026-11-25T12:00:00+00:00\n"
        "trained on data to 2026-11-02, test RankIC h=5  +0.0200 ± 0.0040  null ±0.0100 (n=250)"
    )
    assert (done.json["model"], done.json["run_id"]) == (model.id, "run-1")
    assert done.json["splits"]["validation"]["last"] == "2026-06-30"
    assert done.json["test"]["null_band"] == 0.01


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
