"""A search that is killed goes on to the same trials; none of them ever scores a test day."""

import json
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from engine.data.store import PanelStore
from engine.errors import Interrupted, UsageError
from engine.files import strict
from engine.runs.events import EpochEvaluated, FoldStarted, StepLogged, TrialFinished
from engine.runs.sink import read_new
from engine.runs.store import Run, RunStore
from engine.runs.trials import count_trials
from engine.stages.tune import tune
from tests.journeys.command import SETTINGS, atft_here, start_run, wait_for_event
from tests.journeys.here import Here

SPACE = (
    'tune.space=[{key="model.hidden",choices=[8,16]},{key="training.learning_rate",low=3e-4,high=1e-2,'
    'log=true},{key="model.dropout",low=0.1,high=0.5},{key="loss.rank_ic",low=0.0,high=1.0}]'
)
SHORT = (
    "training.mode=safe", "training.epochs=[1,0,1,0]", "training.day_stride=16", "tune.folds=2",
    "tune.fold_sessions=40", "tune.startup_trials=2", "tune.prune_from=0", SPACE,
)  # fmt: skip
WORDS = [*SETTINGS, *(word for setting in SHORT for word in ("--set", setting))]
TRIALS = 3
LABEL, TEST, EMBARGO = 2, 60, 21
"""Sessions: the shortest label ends at t + 1 + 1; test days and embargo of the settings."""


def command(study: str, trials: int = TRIALS) -> list[str]:
    return ["tune", "--study", study, "--trials", str(trials), *WORDS]


@pytest.fixture(scope="module")
def unbroken(market: Path) -> dict[str, Any]:
    return dict(tune(Here(market, SHORT).context(), trials=TRIALS, study="unbroken").json)


def told(summary: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """What must not depend on how often a search was interrupted."""
    keys = ("state", "parameters", "value", "rank_ic", "rank_ic_se", "n_dates", "folds")
    return [tuple(row[key] for key in keys) for row in summary["trials"]]


def test_the_answer_is_complete_and_each_trial_is_a_run(
    market: Path, unbroken: dict[str, Any]
) -> None:
    assert {"study", "run_id", "best", "trials", "counts", "score_horizon", "seconds"} <= set(
        unbroken
    )
    assert sum(unbroken["counts"].values()) == len(unbroken["trials"]) == TRIALS
    best = unbroken["best"]
    complete = [row for row in unbroken["trials"] if row["state"] == "complete"]
    assert best["value"] == max(row["value"] for row in complete)
    assert best["value"] == pytest.approx(best["rank_ic"] - best["rank_ic_se"])
    store = RunStore(market / "runs")
    for row in unbroken["trials"]:
        run = store.open(row["run_id"])
        assert run.status() == "done"
        assert run.config().model.hidden == row["parameters"]["model.hidden"]
        assert run.manifest.parameters == row["parameters"]
    events, _ = read_new(store.open(unbroken["run_id"]).events_path, 0)
    finished = [event for event in events if isinstance(event, TrialFinished)]
    assert [event.trial_run for event in finished] == [row["run_id"] for row in unbroken["trials"]]
    fragment = (market / "tune" / "unbroken" / "best.toml").read_text()
    assert f"hidden = {best['parameters']['model.hidden']}" in fragment


def test_no_trial_scores_a_test_day(market: Path, unbroken: dict[str, Any]) -> None:
    """The test days are the newest 60 with a label; the inner folds end an embargo before them."""
    store = RunStore(market / "runs")
    calendar = PanelStore(market / "data").snapshot().raw().bars["date"].unique().sort()
    last = calendar[:-LABEL][-TEST - EMBARGO - 1]
    seen = []
    for row in unbroken["trials"]:
        run = store.open(row["run_id"])
        assert not run.path("predictions.parquet").exists()
        assert not run.path("train.json").exists()
        for path in run.path("folds").glob("*.parquet"):
            frame = pl.read_parquet(path)
            assert set(frame["split"].unique()) == {"validation"}
            seen += frame["date"].to_list()
    assert max(seen) == last


def kill_in_second_trial(market: Path, study: str, trials: int) -> tuple[Run, Run]:
    """Kill -9 in the second trial, after an epoch of its first fold; the search's run and the trial's."""
    process, run = start_run(market, *command(study, trials), "--quiet")
    wait_for_event(run.events_path, lambda event: isinstance(event, TrialFinished))
    store = RunStore(market / "runs")
    while not (found := [r for r in store.tagged("trial", study=study) if r.manifest.trial == 1]):
        assert process.poll() is None, process.communicate()
    events = found[0].events_path
    wait_for_event(events, lambda event: isinstance(event, EpochEvaluated))
    offset = events.stat().st_size
    wait_for_event(events, lambda event: isinstance(event, StepLogged), offset=offset)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return run, found[0]


def test_killed_in_a_trial_it_goes_on_in_that_trial_to_the_same_bits(
    market: Path, unbroken: dict[str, Any]
) -> None:
    run, cut = kill_in_second_trial(market, "killed", TRIALS)
    assert (run.status(), cut.status()) == ("crashed", "crashed")
    before = count_trials(RunStore(market / "runs"))
    done = atft_here(market, *command("killed"), "--json")
    assert done.code == 0, done.err
    assert f"it goes on in {cut.id}" in done.err
    assert done.json["run_id"] == run.id
    assert told(done.json) == told(strict(unbroken))
    assert done.json["trials"][1]["run_id"] == cut.id
    assert cut.status() == run.status() == "done"
    assert count_trials(RunStore(market / "runs")) == before + 1, "only the third trial is new"


def test_other_settings_are_refused_and_the_same_again_runs_nothing(
    market: Path, unbroken: dict[str, Any]
) -> None:
    here = Here(market, SHORT)
    with pytest.raises(UsageError, match=r"training\.weight_decay: was 0\.01, is 0\.05") as caught:
        tune(here.context("training.weight_decay=0.05"), trials=TRIALS, study="unbroken")
    assert "another --study" in caught.value.hint
    space = 'tune.space=[{key="model.hidden",choices=[8,16,32]}]'
    with pytest.raises(UsageError, match="search space"):
        tune(here.context(space), trials=TRIALS, study="unbroken")
    with pytest.raises(UsageError, match="--study"):
        tune(here.context(), trials=TRIALS, study="../elsewhere")
    runs = len(list(RunStore(market / "runs")))
    again = tune(here.context(), trials=TRIALS, study="unbroken").json
    assert json.dumps(again["trials"]) == json.dumps(unbroken["trials"])
    assert len(list(RunStore(market / "runs"))) == runs


def test_a_stop_between_two_steps_leaves_everything_for_the_next_start(
    market: Path, unbroken: dict[str, Any]
) -> None:
    here = Here(market, SHORT)
    here.stop.requested = True
    with pytest.raises(Interrupted, match="stopped after 0 of 3"):
        tune(here.context(), trials=TRIALS, study="stopped")
    here.stop.requested = False
    summary = tune(here.context(), trials=TRIALS, study="stopped").json
    assert told(summary) == told(unbroken)


@pytest.mark.long
@pytest.mark.slow
def test_twenty_trials_killed_in_the_middle_equal_twenty_unbroken(market: Path) -> None:
    whole = tune(Here(market, SHORT).context(), trials=20, study="twenty").json
    kill_in_second_trial(market, "twenty-killed", 20)
    done = atft_here(market, *command("twenty-killed", 20), "--json", "--quiet")
    assert done.code == 0, done.err
    assert told(done.json) == told(whole)
    assert len(whole["trials"]) == 20
    assert whole["counts"]["pruned"] > 0


@pytest.mark.long
@pytest.mark.slow
def test_two_trials_beside_each_other_and_a_kill_of_the_search(market: Path) -> None:
    process, run = start_run(market, *command("beside", 4), "--jobs", "2", "--quiet")
    store = RunStore(market / "runs")
    while len(found := list(store.tagged("trial", study="beside"))) < 2:
        assert process.poll() is None, process.communicate()
    wait_for_event(found[0].events_path, lambda event: isinstance(event, FoldStarted))
    process.send_signal(signal.SIGKILL)
    process.communicate()
    done = atft_here(market, *command("beside", 4), "--jobs", "2", "--json", "--quiet")
    assert done.code == 0, done.err
    assert len(done.json["trials"]) == 4
    assert {trial.id for trial in found} <= {row["run_id"] for row in done.json["trials"]}
    assert run.status() == "done"
    for row in done.json["trials"]:
        assert store.open(row["run_id"]).status() == "done"
