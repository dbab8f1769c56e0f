"""A killed training goes on as if nothing had happened."""

import json
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch

from engine.runs.events import CheckpointSaved, Noted, RunEvent, RunFinished, StepLogged
from engine.runs.sink import decode
from engine.runs.store import Run, RunStore
from engine.training.snapshots import _load_checkpoint
from tests.journeys.command import SETTINGS, atft, atft_here, start, start_run, wait_for_event

# More epochs than elsewhere, so that a kill finds an epoch to be in the middle of, and a gate that the
# doctor calls stuck, so that what it remembers is carried over.
CHANGES = (
    "training.epochs=[2,1,2,1]",
    "training.baseline_horizons=[5]",
    "model.alpha_init=0.99",
    "training.averaging=ema",
)
TRAIN = ("train", "--mode", "safe", *SETTINGS, *(w for c in CHANGES for w in ("--set", c)))
REFITTED = "checkpoints/refit/resume"
LAST_WORDS = (
    "best", "test", "phases", "horizons", "kept_blocks", "score_std_ratio", "steps", "monitors",
    "scoreboard", "graph_worth", "blocks_worth",
)  # fmt: skip


@pytest.fixture(scope="module")
def unbroken(market: Path) -> Run:
    done = atft_here(market, *TRAIN, "--json", "--quiet")
    assert done.code == 0, done.err
    found = {finding["code"] for finding in done.json["monitors"]["diagnoses"]}
    assert "gate_stuck" in found, "planted by alpha_init"
    assert set(done.json["blocks_worth"]) >= set(done.json["kept_blocks"])
    assert ("graph_worth" in done.json) == ("gat" in done.json["kept_blocks"])
    return RunStore(market / "runs").open(done.json["run_id"])


def summary(run: Run) -> dict[str, Any]:
    whole = json.loads(run.path("train.json").read_text())
    return {key: whole.get(key) for key in LAST_WORDS}


def reached(step: int) -> Callable[[RunEvent], bool]:
    return lambda event: isinstance(event, StepLogged) and event.step >= step


def assert_same_result(run: Run, other: Run) -> None:
    a, b = (_load_checkpoint(r.path("checkpoints"), "kept") for r in (run, other))
    assert a.tensors.keys() == b.tensors.keys()
    assert all(torch.equal(a.tensors[name], b.tensors[name]) for name in a.tensors)
    assert summary(run) == summary(other)
    scores = [pl.read_parquet(r.path("predictions.parquet")) for r in (run, other)]
    assert scores[0].equals(scores[1])


@pytest.mark.parametrize(
    "kill_after",
    [pytest.param(1, marks=pytest.mark.slow), 8, pytest.param(17, marks=pytest.mark.slow)],
)
def test_kill_9_in_mid_epoch_then_resume_equals_an_unbroken_run_bit_for_bit(
    market: Path, unbroken: Run, kill_after: int
) -> None:
    process, run = start_run(market, *TRAIN, "--quiet")
    wait_for_event(run.events_path, reached(kill_after))
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert run.status() == "crashed"
    assert not run.path("train.json").exists()

    done = atft(market, "train", "--resume", run.id, "--json", "--quiet")
    assert done.code == 0, done.err
    assert run.status() == "done"
    assert_same_result(run, unbroken)

    events = [decode(line) for line in run.events_path.read_bytes().splitlines()]
    seen = [event for event in events if event is not None]
    assert [event.seq for event in seen] == list(range(len(seen)))
    notes = [event.message for event in seen if isinstance(event, Noted)]
    # Killed before the first checkpoint, it starts over; later it must not.
    assert any("resumed at step" in note for note in notes) == (kill_after > 1)


@pytest.mark.slow
def test_kill_9_in_the_refit_then_resume_equals_an_unbroken_run_bit_for_bit(market: Path) -> None:
    words = ("train", "--mode", "safe", *SETTINGS, "--set", "training.refit=true", "--quiet")
    done = atft_here(market, *words, "--json")
    assert done.code == 0, done.err
    unbroken = RunStore(market / "runs").open(done.json["run_id"])
    process, run = start_run(market, *words)
    wait_for_event(
        run.events_path, lambda e: isinstance(e, CheckpointSaved) and run.path(REFITTED).exists()
    )
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not run.path("train.json").exists()
    done = atft_here(market, "train", "--resume", run.id, "--json", "--quiet")
    assert done.code == 0, done.err
    assert_same_result(run, unbroken)
    a, b = (_load_checkpoint(r.path(REFITTED).parent, "kept") for r in (run, unbroken))
    assert all(torch.equal(a.tensors[name], b.tensors[name]) for name in a.tensors)
    notes = [event.message for event in run.events() if isinstance(event, Noted)]
    assert sum(note.startswith("refit of ") for note in notes) == 2
    assert sum(note.startswith("resumed at step") for note in notes) == 2, (
        "the chosen fit only reads"
    )


@pytest.mark.long
@pytest.mark.slow
def test_kill_9_at_ten_random_moments_of_one_run(market: Path, unbroken: Run) -> None:
    """Killed ten times on its way, in steps, validations and while it writes; then left alone."""
    rng = random.Random(20261125)
    total = summary(unbroken)["steps"]
    # Far enough from the last step: a process that has trained to its end reaches no moment any more.
    moments = sorted(rng.sample(range(1, total * 2 // 3), 10))
    process, run = start_run(market, *TRAIN, "--quiet")
    for number, moment in enumerate(moments):
        if number:
            process = start(market, "train", "--resume", run.id, "--quiet")
        offset = run.events_path.stat().st_size if run.events_path.exists() else 0
        wait_for_event(run.events_path, reached(moment), offset)
        time.sleep(rng.uniform(0.0, 0.2))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert run.status() == "crashed", (moment, number)
    done = atft_here(market, "train", "--resume", run.id, "--json", "--quiet")
    assert done.code == 0, done.err
    assert_same_result(run, unbroken)


def test_a_stopped_run_saves_its_step_and_goes_on(market: Path, unbroken: Run) -> None:
    process, run = start_run(market, *TRAIN, "--json", "--quiet")
    wait_for_event(run.events_path, reached(6))
    asked = atft_here(market, "stop", run.id)
    assert asked.code == 0, asked.err
    out, _ = process.communicate()
    assert process.returncode == 0
    assert json.loads(out)["status"] == "stopped"
    assert run.status() == "stopped"
    assert isinstance(run.last_event(), RunFinished)

    done = atft_here(market, "train", "--resume", run.id, "--json", "--quiet")
    assert done.code == 0, done.err
    assert_same_result(run, unbroken)
    again = atft_here(market, "train", "--resume", run.id, "--quiet")
    assert again.code == 2
    assert "already done" in again.err
