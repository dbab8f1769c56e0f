"""A first evening with the cockpit, by keys only: empty workspace, demo, watch, backtest, report."""

from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.screen import ModalScreen

from atft_tui.app import CockpitApp
from atft_tui.screens.backtest import BacktestScreen
from atft_tui.screens.dialogs import ConfirmDialog
from atft_tui.screens.train import TrainScreen
from engine.runs.events import Paused
from engine.runs.store import Run
from tests.journeys.command import start_run
from tests.journeys.test_walkforward import WORDS
from tests.tui.steps import open_run, shown, told, visit

PATIENCE_S = 300.0
LONG = [*WORDS, "--set", "training.epochs=[40,1,1,1]"]
"""Two networks of the first fold stay at work until they are stopped."""


async def until(pilot: Pilot[None], what: str, condition: object) -> None:
    """The work of real processes takes as long as it takes."""
    assert callable(condition)
    waited = 0.0
    while not condition():
        await pilot.pause(0.5)
        waited += 0.5
        if waited > PATIENCE_S:
            raise AssertionError(f"{what}: not in {PATIENCE_S:.0f} s\n{shown(pilot.app.screen)}")


async def submit(pilot: Pilot[None]) -> None:
    """The form in front, as it stands."""
    await until(pilot, "form", lambda: isinstance(pilot.app.screen, ModalScreen))
    await pilot.pause(0.2)
    await pilot.press("ctrl+s")
    await until(pilot, "started", lambda: not isinstance(pilot.app.screen, ModalScreen))


@pytest.mark.long
@pytest.mark.slow
async def test_from_an_empty_workspace_to_a_report_by_keys(tmp_path: Path) -> None:
    async with CockpitApp(tmp_path).run_test(size=(160, 48)) as pilot:
        await visit(pilot, "home")
        assert "demo" in shown(pilot.app.screen)
        await pilot.press("d")
        await until(pilot, "form", lambda: isinstance(pilot.app.screen, ModalScreen))
        await pilot.pause(0.2)
        await pilot.press("space")  # the first field: a small market and few epochs
        assert "$ atft-tui demo --quick" in shown(pilot.app.screen)
        await submit(pilot)

        screen = pilot.app.screen
        assert isinstance(screen, TrainScreen)
        run = screen.value.run_id if screen.value else ""
        await until(pilot, "training", lambda: bool(screen.state.epochs))
        assert "gradient norm" in shown(screen)
        await until(pilot, "the demo's end", lambda: screen.news.status == "done")
        run = screen.value.run_id if screen.value else ""
        assert "start-up 7/7" in shown(screen)

        await visit(pilot, "backtest")
        assert isinstance(pilot.app.screen, BacktestScreen)
        await until(pilot, "figures", lambda: "net Sharpe" in shown(pilot.app.screen))
        await pilot.press("b")
        await submit(pilot)
        await until(pilot, "backtest", lambda: "atft-tui backtest" in told(pilot))

        await visit(pilot, "backtest")
        for path in (tmp_path / "runs" / run).glob("report.*"):
            path.unlink()
        await pilot.press("r")
        await submit(pilot)
        await until(pilot, "report", lambda: "atft-tui report" in told(pilot))
        assert (tmp_path / "runs" / run / "report.html").stat().st_size > 10_000
        await visit(pilot, "runs")
        assert run in shown(pilot.app.screen)


async def watch_both_pause_and_stop(market: Path, *words: str) -> Run:
    """A walk-forward of two networks at a time, by the keys of Train; the run that was stopped.

    The panels of both networks are seen to move, and both wait while the run is paused.
    """
    process, run = start_run(market, *words)
    async with CockpitApp(market).run_test(size=(160, 48)) as pilot:
        screen = await open_run(pilot, run)

        def steps() -> dict[str, int]:
            return {
                task.name: max((step.step for step in task.state.steps), default=0)
                for task in screen.state.training
            }

        def waiting() -> set[str]:
            return {event.task for event in run.events() if isinstance(event, Paused)}

        await until(pilot, "two at work", lambda: sum(step > 0 for step in steps().values()) == 2)
        begun = steps()
        seen = []
        for _ in begun:
            await pilot.press("v")
            await pilot.pause()
            seen.append(screen.state.of_task(screen.seen).seen)
            assert "2 at work" in shown(screen)
        assert set(seen) == begun.keys()
        await until(pilot, "both move", lambda: all(steps()[n] > begun[n] for n in begun))

        await pilot.press("p")
        await until(pilot, "pause", lambda: screen.news.status == "paused")
        await until(pilot, "both wait", lambda: waiting() == begun.keys())
        held = steps()
        await pilot.pause(1.0)
        assert steps() == held
        await pilot.press("p")
        await until(pilot, "going on", lambda: screen.news.status == "running")
        await pilot.press("s")
        await until(pilot, "question", lambda: isinstance(pilot.app.screen, ConfirmDialog))
        await pilot.press("y")
        await until(pilot, "stop", lambda: screen.news.status == "stopped")
    process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130
    return run


@pytest.mark.long
@pytest.mark.slow
async def test_two_networks_beside_each_other_are_watched_paused_and_stopped(market: Path) -> None:
    run = await watch_both_pause_and_stop(market, *LONG, "--jobs", "2", "--quiet")
    assert run.status() == "stopped"
