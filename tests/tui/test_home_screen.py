"""Home on the screen: first steps by keys alone, doors to the other places, pictures at two sizes."""

import contextlib
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import OptionList

from atft_tui.app import CockpitApp
from atft_tui.screens import home
from atft_tui.screens.base import CockpitScreen
from atft_tui.screens.command_form import CommandForm
from atft_tui.screens.dialogs import RowDialog
from atft_tui.screens.home import HomeScreen
from atft_tui.widgets.backtest.equity import EquityPanel
from engine.records import record
from engine.records.preflight import DRILL, DrillOutcome, DrillResult
from engine.runs import lock
from tests.engine.runs.samples import training
from tests.tui import home_workspace as made
from tests.tui.backtest_files import sessions, write_backtest
from tests.tui.conftest import MakeRun
from tests.tui.home_workspace import NOW
from tests.tui.steps import shown, wait_until
from tests.tui.test_home_widgets import MACHINE


class Still:
    """A machine that always does the same."""

    def read(self, workspace: Path) -> object:
        return MACHINE


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A relative one: the top bar shows it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(home, "utc_now", lambda: NOW)
    monkeypatch.setattr("atft_tui.readings.home.MachineReader", Still)
    return Path("workspace")


def at_home(pilot: Pilot[None]) -> HomeScreen:
    screen = pilot.app.screen
    assert isinstance(screen, HomeScreen)
    return screen


async def ready(pilot: Pilot[None]) -> HomeScreen:
    """Both readings are shown: the first leaves the machine out."""
    screen = at_home(pilot)
    await wait_until(pilot, lambda: screen.value is not None and screen.value.more is not None)
    await pilot.pause()
    return screen


async def test_the_first_steps_by_keys_alone(workspace: Path) -> None:
    async with CockpitApp(workspace).run_test(size=(80, 24)) as pilot:
        screen = await ready(pilot)
        text = shown(screen)
        assert "An empty workspace" in text
        assert "next step: demo" in text
        for step in ("demo", "watch", "backtest", "report", "ingest", "promote", "schedule"):
            assert step in text
        assert isinstance(screen.focused, OptionList)
        await pilot.press("enter")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, CommandForm))
        assert isinstance(pilot.app.screen, CommandForm)
        assert pilot.app.screen.command.name == "demo"
        await pilot.press("escape", "down", "enter")
        await wait_until(pilot, lambda: getattr(pilot.app.screen, "place", "") == "train")
        await pilot.press("1", "p")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, CommandForm))
        assert pilot.app.screen.given == {"action": "run"}
        await pilot.press("escape")
        made.full(workspace)
        await wait_until(pilot, lambda: "STOP" in shown(at_home(pilot)))
        assert not at_home(pilot).query_one("#home-steps").display
        await pilot.press("f")
        await pilot.pause()
        assert at_home(pilot).query_one("#home-steps").display


async def test_every_panel_is_a_door(workspace: Path, make_run: MakeRun) -> None:
    made.full(workspace)
    run = make_run(training())
    run.directory.parent.rename(workspace / "runs")
    app = CockpitApp(workspace)
    async with app.run_test(size=(160, 48)) as pilot:
        screen = await ready(pilot)

        def place() -> str:
            return app.screen.place if isinstance(app.screen, CockpitScreen) else ""

        for door, where in home.DOORS.items():
            await pilot.press("1")
            await wait_until(pilot, lambda: place() == "home")
            screen.query_one(f"#{door}").focus()
            await pilot.press("enter")
            await wait_until(pilot, lambda where=where: place() == where)  # type: ignore[misc]
        await pilot.press("1")
        await wait_until(pilot, lambda: place() == "home")
        await pilot.click("#home-data")
        await wait_until(pilot, lambda: place() == "data")
        await pilot.press("1")
        await wait_until(pilot, lambda: place() == "home")
        screen.query_one("#home-runs").query_one("Grid").focus()
        await pilot.press("enter")
        await wait_until(pilot, lambda: place() == "train")
        assert app.chosen_run == run.id


@pytest.mark.parametrize("size", [(80, 24), (160, 48)], ids=["80x24", "160x48"])
@pytest.mark.parametrize("filled", [False, True], ids=["empty", "full"])
def test_home(
    workspace: Path, make_run: MakeRun, snap_compare: Any, size: tuple[int, int], filled: bool
) -> None:
    held = contextlib.ExitStack()
    if filled:
        made.full(workspace)
        champion = write_backtest(make_run(training()))
        champion.directory.rename(champion.directory.with_name(made.RUN))
        for _ in range(3):
            run = make_run(training())
        run.directory.parent.rename(workspace / "runs")
        held.enter_context(lock.hold(workspace / "runs" / run.id / "lock"))

    async def show(pilot: Pilot[None]) -> None:
        await ready(pilot)
        await pilot.pause(0.2)

    with held:
        assert snap_compare(CockpitApp(workspace), terminal_size=size, run_before=show)


async def test_the_champion_s_curve_is_read_by_keys_and_opens_its_place(
    workspace: Path, make_run: MakeRun
) -> None:
    """Its last day first; one step back is the day before. Another run's backtest never stands for it."""
    made.full(workspace)
    run = write_backtest(make_run(training()), count=60)
    run.directory.parent.rename(workspace / "runs")
    place = workspace / "runs" / run.id
    async with CockpitApp(workspace).run_test(size=(160, 48)) as pilot:
        screen = await ready(pilot)
        panel = screen.query_one(EquityPanel)

        def drawn() -> str:
            return panel.drawing(90, 12).plain

        assert panel.value is None
        assert "No backtest yet" in drawn()
        place.rename(place.with_name(made.RUN))
        await wait_until(pilot, lambda: panel.value is not None)
        days = sessions(60)
        panel.focus()
        assert f"{days[-1]}" in drawn()
        await pilot.press("left")
        await wait_until(pilot, lambda: f"{days[-2]}" in drawn())
        await pilot.press("enter")
        await wait_until(pilot, lambda: getattr(pilot.app.screen, "place", "") == "backtest")
        assert isinstance(pilot.app, CockpitApp)
        assert pilot.app.chosen_run == made.RUN


async def test_x_shows_the_last_drill_and_offers_one_where_there_was_none(workspace: Path) -> None:
    async with CockpitApp(workspace).run_test(size=(120, 30)) as pilot:
        await ready(pilot)
        await pilot.press("x")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, CommandForm))
    row = DrillOutcome(
        case="kill-train", kind="kill", verdict="silent", done="killed", seen="other \x1b[31mscores"
    )
    found = DrillResult(at="2026-11-29T22:00:00+00:00", seconds=1, outcomes=(row,))
    record.write(workspace / DRILL, found)
    async with CockpitApp(workspace).run_test(size=(120, 30)) as pilot:
        await ready(pilot)
        await pilot.press("x")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, RowDialog))
        await pilot.pause()
        text = shown(pilot.app.screen)
        assert "Drill of 2026-11-29: survived 0, failed 0, silent 1, not tried 0" in text
        assert "kill-train" in text
        assert "silent" in text
        assert "\x1b" not in text
