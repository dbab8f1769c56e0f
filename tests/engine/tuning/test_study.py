"""The memory of a search: what a kill leaves, and that it changes nothing."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.config import Config
from engine.errors import UsageError
from engine.tuning.space import usable
from engine.tuning.study import Study, open_study

EPOCHS = 4
STEPS = 8
TRIALS = 12


def opened(directory: Path, **changes: Any) -> Study:
    config = Config()
    given: dict[str, Any] = {
        "name": "s",
        "identity": {
            "data": "f00d",
            "search space": [{"key": "model.hidden"}],
            "model.dropout": 0.3,
        },
        "space": usable(config.tune.space, config),
        "config": config.tune,
        "epochs_per_fold": EPOCHS,
        "seed": 3,
        "parallel": False,
    }
    return open_study(directory / "journal.jsonl", **{**given, **changes})


def worth(parameters: dict[str, Any]) -> float:
    """A stand-in for training: best near 1e-3, wider is better."""
    rate = parameters["training.learning_rate"]
    return float(parameters["model.hidden"]) / 100 - abs(math.log(rate / 1e-3))


def finish(study: Study, number: int, parameters: dict[str, Any], first: int = 0) -> bool:
    """Report and end an asked trial; True if it was pruned."""
    value = worth(parameters)
    for step in range(first, STEPS):
        if study.report(number, step, value + step / 100):
            study.tell(number, "pruned")
            return True
    study.tell(number, "complete", value)
    return False


def unbroken(directory: Path) -> list[tuple[dict[str, Any], bool]]:
    study, seen = opened(directory), []
    for _ in range(TRIALS):
        asked = study.ask()
        seen.append((asked.parameters, finish(study, asked.number, asked.parameters)))
    return seen


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[dict[str, Any], bool]]:
    return unbroken(tmp_path_factory.mktemp("plain"))


def test_the_search_learns_and_prunes(plain: list[tuple[dict[str, Any], bool]]) -> None:
    assert any(pruned for _, pruned in plain[5:]), "a bad trial must be cut"
    assert not any(pruned for _, pruned in plain[:5]), "startup trials are never cut"
    values = [worth(parameters) for parameters, _ in plain]
    assert sum(values[5:]) / 7 > sum(values[:5]) / 5, "later proposals are better than random ones"


def killed_before_its_run(study: Study) -> None:
    study.ask()


def killed_in_mid_training(study: Study) -> None:
    asked = study.ask()
    study.set_run(asked.number, "20260105-090000-trial-0001")
    study.report(asked.number, 0, 0.1)


@pytest.mark.parametrize("death", [killed_before_its_run, killed_in_mid_training])
@pytest.mark.parametrize("at", [0, 3, 9])
def test_a_search_killed_in_a_trial_goes_on_as_if_nothing_had_happened(
    tmp_path: Path,
    plain: list[tuple[dict[str, Any], bool]],
    death: Callable[[Study], None],
    at: int,
) -> None:
    study, seen = opened(tmp_path), []
    for number in range(TRIALS):
        if number == at:
            death(study)
            with (tmp_path / "journal.jsonl").open("ab") as file:
                file.write(b'{"op_code": 6, "worker_id": "half a li')
            study = opened(tmp_path)
            cut = study.recover()
            assert [told.state for told in cut] == ["failed"]
            assert study.recover() == []
        asked = study.ask()
        if number == at and death is killed_in_mid_training:
            assert asked.run == cut[0].run_id
            assert asked.parameters == cut[0].parameters
        seen.append((asked.parameters, finish(study, asked.number, asked.parameters)))
    assert seen == plain
    assert len(list(study.ended())) == TRIALS, "the trial that was cut off counts once"


def test_another_space_or_other_data_are_refused_with_what_differs(tmp_path: Path) -> None:
    opened(tmp_path)
    opened(tmp_path)
    for changed, words in (
        ({"data": "beef"}, "data: was f00d, is beef"),
        ({"search space": [{"key": "model.dropout"}]}, "search space"),
        ({"model.dropout": 0.4}, r"model\.dropout: was 0\.3, is 0\.4"),
    ):
        identity = {
            "data": "f00d",
            "search space": [{"key": "model.hidden"}],
            "model.dropout": 0.3,
            **changed,
        }
        with pytest.raises(UsageError, match=words) as caught:
            opened(tmp_path, identity=identity)
        assert "another --study" in caught.value.hint


def test_a_failed_trial_counts_as_ended_but_is_never_the_best(tmp_path: Path) -> None:
    study = opened(tmp_path)
    asked = study.ask()
    study.tell(asked.number, "failed")
    assert study.best() is None
    other = study.ask()
    finish(study, other.number, other.parameters)
    best = study.best()
    assert best is not None
    assert best.number == other.number
    assert best.value == worth(other.parameters)
    assert [told.state for told in study.ended()] == ["failed", "complete"]


def test_without_a_pruner_nothing_is_cut(tmp_path: Path) -> None:
    config = Config().tune.model_copy(update={"pruner": "none"})
    study = opened(tmp_path, config=config)
    for _ in range(TRIALS):
        asked = study.ask()
        assert not finish(study, asked.number, asked.parameters)
