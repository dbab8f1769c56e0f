"""Train without a run, and with one that died, at the two sizes; one that is done: test_snapshots."""

from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from atft_tui.app import CockpitApp
from engine.runs.events import CheckpointSaved
from tests.engine.runs.samples import training
from tests.tui.conftest import MakeRun
from tests.tui.steps import hide_workspace, open_run, settle, visit

SIZES = pytest.mark.parametrize("size", [(80, 24), (160, 48)], ids=["80x24", "160x48"])


@SIZES
def test_no_run_yet(tmp_path: Path, snap_compare: Any, size: tuple[int, int]) -> None:
    async def show(pilot: Pilot[None]) -> None:
        await visit(pilot, "train")
        hide_workspace(pilot)
        await pilot.pause()

    assert snap_compare(CockpitApp(tmp_path), terminal_size=size, run_before=show)


@SIZES
def test_a_run_that_died(
    tmp_path: Path, make_run: MakeRun, snap_compare: Any, size: tuple[int, int]
) -> None:
    saved = CheckpointSaved(name="resume", step=24, epoch=4, is_best=False)
    run = make_run([*training()[:120], saved])
    run.exit_path.write_text("137\n")
    run.log_path.write_text("epoch 4\nKilled\n")

    async def show(pilot: Pilot[None]) -> None:
        await open_run(pilot, run)
        await settle(pilot)
        hide_workspace(pilot)
        await pilot.pause()

    assert snap_compare(CockpitApp(tmp_path), terminal_size=size, run_before=show)
