"""The loop of a search around trials that fail, are not a number, or do not fit; nothing is trained here."""

import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from engine.errors import EnvironmentProblem, GateError
from engine.files import read_json, write_json
from engine.runs.events import TrialFinished, Warned
from engine.runs.sink import read_new
from engine.runs.store import Run, RunStore
from engine.stages import workers
from engine.stages.context import StageContext, run_session
from engine.stages.tune import tune
from tests.journeys.here import Here

SHORT = (
    "tune.folds=2", "tune.fold_sessions=40",
    'tune.space=[{key="model.hidden",choices=[8,16]},{key="model.dropout",low=0.1,high=0.5}]',
)  # fmt: skip
Outcomes = Callable[[Iterator[float | Exception]], None]


@pytest.fixture
def outcomes(monkeypatch: pytest.MonkeyPatch) -> Outcomes:
    """Trials end with these values of their objective, or with these errors, in order."""

    def plant(ends: Iterator[float | Exception]) -> None:
        def run_trial(
            context: StageContext, run: Run, *, resume: bool = False, load: object = None
        ) -> None:
            with run_session(context, run, resumed=resume):
                end = next(ends)
                if isinstance(end, Exception):
                    raise end
                figures = {"rank_ic": end + 0.01, "rank_ic_se": 0.01, "n_dates": 80, "seconds": 1.0}
                result = {
                    "run_id": run.id,
                    "state": "complete",
                    "value": end,
                    "folds": [],
                    "parameters": 10,
                    **figures,
                }
                write_json(run.path("trial.json"), result)

        monkeypatch.setattr(workers, "run_trial", run_trial)

    return plant


def search(market: Path, study: str, trials: int, *more: str) -> Mapping[str, Any]:
    return tune(Here(market, SHORT).context(*more), trials=trials, study=study).json


def test_a_trial_that_fails_is_told_and_the_search_goes_on(
    market: Path, outcomes: Outcomes
) -> None:
    nan = GateError("loss nan is not finite")
    outcomes(iter([0.01, nan, math.nan, 0.03, 0.02]))
    summary = search(market, "failing", 5)
    assert [row["state"] for row in summary["trials"]] == [
        "complete", "failed", "failed", "complete", "complete",
    ]  # fmt: skip
    assert summary["counts"] == {"complete": 3, "pruned": 0, "failed": 2}
    assert summary["best"]["value"] == 0.03
    assert summary["trials"][1]["error"] == "loss nan is not finite"
    run = RunStore(market / "runs").open(summary["run_id"])
    told = [e for e in read_new(run.events_path, 0)[0] if isinstance(e, TrialFinished)]
    assert [event.best for event in told] == [True, False, False, True, False]
    assert [bool(event.error) for event in told] == [False, True, True, False, False]


def test_when_every_trial_fails_the_search_says_why(market: Path, outcomes: Outcomes) -> None:
    outcomes(GateError("loss nan is not finite") for _ in range(9))
    with pytest.raises(GateError, match="no trial came to its end; loss nan is not finite"):
        search(market, "hopeless", 2)
    assert read_json(market / "tune" / "hopeless" / "study.json")["counts"]["failed"] == 2


def test_a_problem_of_the_machine_stops_the_search_and_the_trial_goes_on_later(
    market: Path, outcomes: Outcomes
) -> None:
    outcomes(iter([0.01, EnvironmentProblem("no space left on device"), 0.02, 0.03]))
    with pytest.raises(EnvironmentProblem, match="no space left"):
        search(market, "full-disk", 3)
    store = RunStore(market / "runs")
    cut = next(run for run in store.tagged("trial", study="full-disk", trial=1))
    summary = search(market, "full-disk", 3)
    assert [row["value"] for row in summary["trials"]] == [0.01, 0.02, 0.03]
    assert summary["trials"][1]["run_id"] == cut.id
    assert len(list(store.tagged("trial", study="full-disk"))) == 3


def test_values_that_do_not_go_together_are_a_failed_trial_without_a_run(
    market: Path, outcomes: Outcomes
) -> None:
    outcomes(0.01 for _ in range(20))
    space = 'tune.space=[{key="model.hidden",choices=[8,12]},{key="model.attention_heads",choices=[2,8]}]'
    summary = search(market, "unfit", 12, space)
    unfit = [row for row in summary["trials"] if row["state"] == "failed"]
    assert 0 < len(unfit) < 12
    for row in summary["trials"]:
        values = row["parameters"]
        fits = values["model.hidden"] % values["model.attention_heads"] == 0
        assert (row["state"] == "complete") == fits
        assert (row["run_id"] is None) == (not fits)


def test_a_value_that_the_configuration_refuses_is_told(market: Path, outcomes: Outcomes) -> None:
    outcomes(0.01 for _ in range(5))
    summary = search(market, "refused", 1, 'tune.space=[{key="model.hidden",choices=[8,9]}]')
    run = RunStore(market / "runs").open(summary["run_id"])
    warned = [e for e in read_new(run.events_path, 0)[0] if isinstance(e, Warned)]
    assert [event.code for event in warned] == ["config"]
    assert "model.hidden = 9" in warned[0].message
