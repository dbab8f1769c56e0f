"""What every screen must bear: any size, no data, any text, files that are torn, going back and forth."""

import shutil
from pathlib import Path

import pytest
from msgspec.structs import replace

from atft_tui.app import CockpitApp
from atft_tui.keys import PLACES
from atft_tui.screens.base import CockpitScreen
from engine.hashes import LIST
from engine.runs.events import Noted, RunFinished, Warned
from tests.engine.runs.samples import started, training
from tests.tui.conftest import MakeRun
from tests.tui.steps import shown, visit, wait_until

EVENTS = training()
SIZES = [(20, 5), (40, 12), (60, 20), (80, 24), (160, 48), (300, 100)]
FEW = [(1, 1), (79, 23), (300, 100)]
NASTY = "[bold red]markup[/] \x1b[2J\x1b]0;title\x07 \u202egnp.exe\u202c \u200b日本語 " + "x" * 300


@pytest.mark.parametrize("content", ["empty", "full"])
async def test_no_size_breaks_any_place(tmp_path: Path, make_run: MakeRun, content: str) -> None:
    """Every place at every size, then a storm of sizes; below 60x20 a notice, and the keys work."""
    if content == "full":
        make_run(EVENTS)
    async with CockpitApp(tmp_path).run_test(size=(80, 24)) as pilot:
        for place in PLACES:
            await visit(pilot, place.name)
            for width, height in SIZES if content == "full" else FEW:
                await pilot.resize_terminal(width, height)
                await pilot.pause()
                assert pilot.app.screen.size == (width, height)
                if (width, height) == (40, 12):
                    assert "needs 60x20, has 40x12" in shown(pilot.app.screen)
                if (width, height) == (80, 24):
                    assert "needs 60x20" not in shown(pilot.app.screen)
        await pilot.resize_terminal(30, 8)
        await visit(pilot, "runs")
        for step in range(40):
            await pilot.resize_terminal(20 + 7 * step % 180, 5 + 11 * step % 60)
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        assert "needs 60x20" not in shown(pilot.app.screen)


async def test_hostile_text_reaches_no_place(tmp_path: Path, make_run: MakeRun) -> None:
    run = make_run(
        [
            replace(started(), device=NASTY),
            *EVENTS[1:20],
            Noted(message=NASTY),
            Warned(code=NASTY, message=NASTY, hint=NASTY),
            RunFinished(status="failed", error=NASTY, summary={"device": NASTY}),
        ]
    )
    run.log_path.write_text(NASTY)
    workspace = tmp_path / ("ws" + NASTY[:40].replace("/", ""))
    shutil.copytree(tmp_path / "runs", workspace / "runs")
    (tmp_path / "runs").rename(tmp_path / "gone")
    async with CockpitApp(workspace).run_test(size=(120, 40)) as pilot:
        for place in PLACES:
            await visit(pilot, place.name)
            text = shown(pilot.app.screen)
            assert not [c for c in text if c != "\n" and (ord(c) < 32 or 127 <= ord(c) < 160)]
            assert not set(text) & set("\u202e\u202c\u200b")
            await pilot.press("question_mark", "escape")


async def test_torn_files_are_said_and_read_again(tmp_path: Path, make_run: MakeRun) -> None:
    """Every JSON and event file cut in the middle: no place dies."""
    run = make_run(EVENTS)
    for path in (run.directory / "manifest.json", run.events_path):
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        async with CockpitApp(tmp_path).run_test(size=(100, 30)) as pilot:
            for place in PLACES:
                await visit(pilot, place.name)
        path.write_bytes(whole)


async def test_a_workspace_that_is_deleted_is_said_and_not_shown_as_a_new_one(
    tmp_path: Path, make_run: MakeRun
) -> None:
    make_run(EVENTS)
    async with CockpitApp(tmp_path).run_test(size=(120, 40)) as pilot:
        await visit(pilot, "runs")
        assert "train-0001" in shown(pilot.app.screen)
        shutil.rmtree(tmp_path / "runs")
        (tmp_path / LIST).unlink()
        for place in ("runs", "home"):
            await visit(pilot, place)
            await wait_until(pilot, lambda: "the workspace is gone" in shown(pilot.app.screen))
            assert "An empty workspace" not in shown(pilot.app.screen)


async def test_a_place_that_is_left_reads_no_more(
    tmp_path: Path, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_run(EVENTS)
    async with CockpitApp(tmp_path).run_test(size=(100, 30)) as pilot:
        await visit(pilot, "runs")
        runs = pilot.app.screen
        assert isinstance(runs, CockpitScreen)
        await visit(pilot, "train")
        await pilot.pause(0.3)
        read = 0
        really = runs.read

        def counted() -> object:
            nonlocal read
            read += 1
            return really()

        monkeypatch.setattr(runs, "read", counted)
        await pilot.pause(1.2)
        assert read == 0
        await visit(pilot, "runs")
        await wait_until(pilot, lambda: read >= 1)
