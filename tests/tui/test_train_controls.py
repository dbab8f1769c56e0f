"""Keys of Train that do something: what they ask of a run, how the answer comes back, the start form."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from textual.widgets import Static

from atft_tui.app import CockpitApp
from atft_tui.readings.config import changes
from atft_tui.screens import forms
from atft_tui.screens.dialogs import ConfirmDialog, TextDialog
from atft_tui.screens.forms import TrainForm, checks_text
from atft_tui.widgets.table import BrowseTable
from engine.errors import ConfigError
from engine.records import record
from engine.records.preflight import PreflightResult, PreflightRow
from engine.runs import launch
from engine.runs.events import (
    Continued,
    ControlAnswered,
    FoldStarted,
    Paused,
    RunEvent,
    StageStarted,
)
from engine.runs.launch import ControlFiles
from engine.runs.store import Run
from tests.engine.runs.samples import searching, started, training
from tests.tui.conftest import MakeRun, append
from tests.tui.steps import open_run, settle, shown, told, visit, wait_until

EVENTS = training()


def checks(answer: dict[str, object]) -> tuple[PreflightRow, ...]:
    return record.convert(answer, PreflightResult, "preflight").told()


ROWS = [
    {"name": "device", "value": "cpu", "verdict": "ok", "hint": ""},
    {"name": "data", "value": "no market data yet", "verdict": "stop", "hint": "run `ingest`"},
]


async def test_every_control_by_its_key(tmp_path: Path, make_run: MakeRun) -> None:
    run = make_run(EVENTS[:40])
    files = ControlFiles.of(run)
    with run.lock():
        async with CockpitApp(tmp_path).run_test(size=(160, 48)) as pilot:
            screen = await open_run(pilot, run)
            await pilot.press("c")
            assert files.asked() == {"checkpoint"}
            await wait_until(pilot, lambda: "checkpoint asked" in shown(screen))
            files.withdraw("checkpoint")
            append(run, [ControlAnswered(action="checkpoint", done=True, step=9, detail="saved!")])
            await wait_until(pilot, lambda: "saved!" in told(pilot))

            await pilot.press("p")
            assert files.asked() == {"pause"}
            files.mark_paused()
            append(run, [Paused(step=9)])
            await wait_until(pilot, lambda: screen.news.status == "paused")
            await settle(pilot)
            assert "p goes on" in shown(screen)
            await pilot.press("p")
            assert files.asked() == frozenset()
            files.unmark_paused()
            append(run, [Continued(step=9, seconds=3.0)])
            await wait_until(pilot, lambda: screen.news.status == "running")

            await pilot.press("z")
            await pilot.pause()
            assert isinstance(pilot.app.screen, ConfirmDialog)
            await pilot.press("n")
            await pilot.pause()
            assert files.asked() == frozenset()
            await pilot.press("z", "y")
            await pilot.pause()
            assert files.asked() == {"rollback"}
            files.withdraw("rollback")
            refused = ControlAnswered(action="rollback", done=False, step=9, detail="nothing there")
            append(run, [refused])
            await wait_until(pilot, lambda: "nothing there" in told(pilot))

            await pilot.press("h")
            await pilot.pause()
            assert isinstance(pilot.app.screen, TextDialog)
            assert "Five criteria" in shown(pilot.app.screen)
            await pilot.press("escape", "x")
            await pilot.pause()
            assert pilot.app.screen.place == "runs"  # type: ignore[attr-defined]
            assert "goes on" in told(pilot)


async def test_a_run_that_nobody_works_on_refuses_every_control(
    tmp_path: Path, make_run: MakeRun
) -> None:
    run = make_run(EVENTS)
    async with CockpitApp(tmp_path).run_test(size=(100, 30)) as pilot:
        await open_run(pilot, run)
        for key in "cpz":
            await pilot.press(key)
            await pilot.pause()
        assert told(pilot).count("nobody is working on it") == 3
    assert ControlFiles.of(run).asked() == frozenset()


async def test_of_two_networks_at_work_either_can_be_seen(
    tmp_path: Path, make_run: MakeRun
) -> None:
    events: list[RunEvent] = [started()]
    for n, last in ((0, 60), (1, 30)):
        own = [FoldStarted(fold=n, folds=2, seed=1), *EVENTS[5:last]]
        events += [replace(event, task=f"fold-{n}-seed-1") for event in own]
    run = make_run(events, command="walkforward")
    with run.lock():
        async with CockpitApp(tmp_path).run_test(size=(160, 48)) as pilot:
            screen = await open_run(pilot, run)
            first = shown(screen)
            assert "2 at work, network 2 of 2: fold 1 of 2, seed 1" in first
            await pilot.press("v")
            await pilot.pause()
            assert "2 at work, network 2 of 2: fold 2 of 2, seed 1" in shown(screen)
            await pilot.press("v")
            await pilot.pause()
            assert shown(screen) == first


async def test_a_walk_forward_shows_its_networks_and_a_search_its_trials(
    tmp_path: Path, make_run: MakeRun
) -> None:
    plain = make_run([started(), StageStarted(stage="simulate")], command="sweep")
    folds = make_run(
        [started(), FoldStarted(fold=0, folds=3, seed=1), *EVENTS[5:60]], command="walkforward"
    )
    search = make_run([started(), *searching()], command="tune")
    with folds.lock():
        async with CockpitApp(tmp_path).run_test(size=(160, 48)) as pilot:
            screen = await open_run(pilot, folds)
            assert screen.query_one("#networks").display
            assert "network 1 of 3: fold 1 of 3, seed 1" in shown(screen)
            assert "fold 1/3 seed 1" in shown(screen)
            await pilot.press("f")
            assert screen.query_one("#log").display
            assert not screen.query_one("#networks").display

            await open_run(pilot, search)
            assert not screen.query_one("#grid").display
            table = screen.query_one("#tried", BrowseTable)
            await wait_until(pilot, lambda: table.current_key is not None)
            text = shown(screen)
            assert "trial 2" in text
            assert "loss nan is not finite" in text

            await open_run(pilot, plain)
            assert screen.query_one("#grid").display
    assert screen.news.command == "sweep"


async def test_without_a_chosen_run_other_commands_are_not_taken_for_a_training(
    tmp_path: Path, make_run: MakeRun
) -> None:
    make_run([started()], command="trial")
    async with CockpitApp(tmp_path).run_test(size=(100, 30)) as pilot:
        await visit(pilot, "train")
        assert "no run yet" in shown(pilot.app.screen)


async def test_the_start_form_shows_what_changes_and_refuses_on_red(
    tmp_path: Path, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []
    answers: list[dict[str, Any]] = [{"rows": ROWS}, {"rows": ROWS[:1]}]
    begun: list[Any] = []

    def start(*given: Any) -> Run:
        begun.append(given)
        return make_run([started()])

    async def preflight(workspace: Path, words: list[str]) -> dict[str, Any]:
        asked.append(words)
        return answers[min(len(asked), 2) - 1]

    monkeypatch.setattr(forms, "_QUIET_S", 0.05)
    monkeypatch.setattr(forms, "answer_of", preflight)
    monkeypatch.setattr(launch, "start", start)
    async with CockpitApp(tmp_path).run_test(size=(160, 48)) as pilot:
        await visit(pilot, "train")
        await pilot.press("n")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, TrainForm))
        form = pilot.app.screen
        assert isinstance(form, TrainForm)
        await wait_until(pilot, lambda: form.found is not None)
        await pilot.pause()
        assert "a run could not start: 1 red" in shown(form)
        await pilot.press("ctrl+s")
        await pilot.pause()
        assert begun == []
        form._overrides.value = "training.seed=7"
        await wait_until(pilot, lambda: len(asked) == 2 and form.found is not None)
        await pilot.pause()
        assert asked[1] == ["preflight", "--set", "training.seed=7"]
        text = shown(form)
        assert "a run can start" in text
        assert "training.seed" in text
        await pilot.press("ctrl+s")
        await pilot.pause()
    assert len(begun) == 1


async def test_a_start_that_was_asked_for_waits_for_the_preflight(
    tmp_path: Path, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[Any] = []
    gate = asyncio.Event()

    def start(*given: Any) -> Run:
        begun.append(given)
        return make_run([started()])

    async def preflight(workspace: Path, words: list[str]) -> dict[str, Any]:
        await gate.wait()
        return {"rows": ROWS[:1]}

    monkeypatch.setattr(forms, "_QUIET_S", 0.0)
    monkeypatch.setattr(forms, "answer_of", preflight)
    monkeypatch.setattr(launch, "start", start)
    async with CockpitApp(tmp_path).run_test(size=(100, 40)) as pilot:
        await visit(pilot, "train")
        await pilot.press("n")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, TrainForm))
        await pilot.press("ctrl+s")
        await pilot.pause()
        assert begun == []
        gate.set()
        await wait_until(pilot, lambda: len(begun) == 1)


async def test_a_preflight_that_still_looks_can_be_passed_over_by_asking_twice(
    tmp_path: Path, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forms, "_QUIET_S", 60.0)
    begun: list[Any] = []

    def start(*given: Any) -> Run:
        begun.append(given)
        return make_run([started()])

    monkeypatch.setattr(launch, "start", start)
    async with CockpitApp(tmp_path).run_test(size=(80, 24)) as pilot:
        await visit(pilot, "train")
        await pilot.press("n")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, TrainForm))
        await pilot.press("ctrl+s")
        await pilot.pause()
        problem = pilot.app.screen.query_one("#problem", Static)
        assert "press again" in str(problem.render())
        assert begun == []
        await pilot.press("ctrl+s")
        await pilot.pause()
    assert len(begun) == 1


def test_changes_name_key_default_value_and_origin(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[model]\ndropout = 0.11\n")
    found = {change.key: change for change in changes(tmp_path, "large", ["training.seed=9"])}
    assert found["model.hidden"].value == "256"
    assert found["model.hidden"].origin == "preset large"
    assert found["model.dropout"].value == "0.11"
    assert found["model.dropout"].origin.endswith("config.toml:2")
    assert (found["training.seed"].value, found["training.seed"].origin) == ("9", "--set")
    assert found["training.seed"].default != "9"
    assert "split.window" not in found
    phases = {change.key: change for change in changes(tmp_path, "cpu-small", [])}
    epochs = phases["training.phases.adaptive-norm.epochs"]
    assert (epochs.value, epochs.origin) == ("1", "preset cpu-small")
    with pytest.raises(ConfigError, match="seed"):
        changes(tmp_path, None, ["training.seed=x"])


def test_a_preflight_without_rows_is_one_red_row() -> None:
    (row,) = checks({"error": "config.toml:3: broken", "hint": "mend it", "exit_code": 2})
    assert (row.verdict, row.value, row.hint) == ("stop", "config.toml:3: broken", "mend it")
    (row,) = checks({})
    assert row.verdict == "stop"
    text = checks_text(checks({"rows": ROWS})).plain
    assert "stop data       no market data yet" in text
    assert "run `ingest`" in text
