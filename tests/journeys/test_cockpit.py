"""A first evening with the cockpit, by keys only: empty workspace, demo, watch, backtest, report."""

from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.screen import ModalScreen

from atft_tui.app import CockpitApp
from atft_tui.screens.backtest import BacktestScreen
from atft_tui.screens.train import TrainScreen
from tests.tui.steps import shown, told, visit

PATIENCE_S = 300.0


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
