"""Pictures of the two sizes people use; `pytest --snapshot-update` after a wanted change, then look."""

from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from atft_tui.app import CockpitApp
from tests.engine.runs.samples import training
from tests.tui.conftest import MakeRun
from tests.tui.steps import hide_workspace, open_run, settle, visit


@pytest.mark.parametrize("size", [(80, 24), (160, 48)], ids=["80x24", "160x48"])
def test_training_screen(
    tmp_path: Path, make_run: MakeRun, snap_compare: Any, size: tuple[int, int]
) -> None:
    run = make_run(training())

    async def show(pilot: Pilot[None]) -> None:
        await open_run(pilot, run)
        await settle(pilot)
        hide_workspace(pilot)
        await pilot.pause()

    assert snap_compare(CockpitApp(tmp_path), terminal_size=size, run_before=show)


@pytest.mark.parametrize("content", ["empty", "full"])
@pytest.mark.parametrize("size", [(80, 24), (160, 48)], ids=["80x24", "160x48"])
def test_replay_screen(
    tmp_path: Path, make_run: MakeRun, snap_compare: Any, size: tuple[int, int], content: str
) -> None:
    """In the middle of a run that died."""
    if content == "full":
        make_run(training()[:150])

    async def show(pilot: Pilot[None]) -> None:
        await visit(pilot, "replay")
        if content == "full":
            await pilot.press("left_square_bracket")
        await settle(pilot)
        hide_workspace(pilot)
        await pilot.pause()

    assert snap_compare(CockpitApp(tmp_path), terminal_size=size, run_before=show)
