"""Controls over the real command line: a run that was paused and saved by hand ends like one that was not."""

import signal
import time
from pathlib import Path

import pytest

from engine.runs.events import Continued, Noted, Paused, RunEvent, StepLogged
from engine.runs.store import Run
from tests.journeys.command import atft_here, start_run, wait_for_event
from tests.journeys.test_resume import TRAIN, assert_same_result, reached, unbroken

__all__ = ["unbroken"]
pytestmark = pytest.mark.slow


def is_paused(event: RunEvent) -> bool:
    return isinstance(event, Paused)


def test_checkpoint_pause_and_continue_change_no_bit(market: Path, unbroken: Run) -> None:
    process, run = start_run(market, *TRAIN, "--quiet")
    wait_for_event(run.events_path, reached(2))
    saved = atft_here(market, "checkpoint", run.id, "--json")
    assert saved.code == 0, saved.err
    assert saved.json["detail"].startswith("saved at step")
    paused = atft_here(market, "pause", run.id, "--json")
    assert paused.code == 0, paused.err
    assert atft_here(market, "show", run.id, "--json").json["status"] == "paused"
    steps = [event.step for event in run.events() if isinstance(event, StepLogged)]
    time.sleep(1.0)
    assert [event.step for event in run.events() if isinstance(event, StepLogged)] == steps
    again = atft_here(market, "pause", run.id)
    assert again.code == 2
    assert "paused already" in again.err
    on = atft_here(market, "continue", run.id)
    assert on.code == 0, on.err
    process.communicate()
    assert run.status() == "done"
    assert any(isinstance(event, Continued) for event in run.events())
    assert_same_result(run, unbroken)
    late = atft_here(market, "checkpoint", run.id)
    assert late.code == 2
    assert "nobody is working on it" in late.err


def test_killed_in_a_pause_and_resumed(market: Path, unbroken: Run) -> None:
    process, run = start_run(market, *TRAIN, "--quiet")
    wait_for_event(run.events_path, reached(4))
    assert atft_here(market, "pause", run.id, "--wait", "0").code == 0
    wait_for_event(run.events_path, is_paused)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert run.status() == "crashed"
    done = atft_here(market, "train", "--resume", run.id, "--json", "--quiet")
    assert done.code == 0, done.err
    assert_same_result(run, unbroken)


def test_a_paused_run_can_be_stopped(market: Path) -> None:
    process, run = start_run(market, *TRAIN, "--quiet")
    wait_for_event(run.events_path, reached(2))
    assert atft_here(market, "pause", run.id).code == 0
    assert atft_here(market, "stop", run.id).code == 0
    process.communicate()
    assert run.status() == "stopped"


def test_rollback_by_hand(market: Path) -> None:
    process, run = start_run(market, *TRAIN, "--quiet")
    wait_for_event(run.events_path, reached(3))
    back = atft_here(market, "rollback", run.id, "--json")
    assert back.code == 0, back.err
    assert "healthy checkpoint" in back.json["detail"]
    process.communicate()
    assert run.status() == "done"
    notes = [event.message for event in run.events() if isinstance(event, Noted)]
    assert any("rolled back from step" in note and "x 0.5" in note for note in notes)
