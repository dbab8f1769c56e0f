"""What the tests of the screens do again and again: wait, look, open."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from textual.pilot import Pilot
from textual.screen import Screen

from atft_tui.app import CockpitApp
from atft_tui.screens.train import TrainScreen
from atft_tui.widgets.bars import TopBar
from engine.runs.store import Run


async def wait_until(pilot: Pilot[None], condition: Callable[[], bool]) -> None:
    """Patient on a busy machine, quick on a quiet one."""
    for _ in range(400):
        if condition():
            return
        await pilot.pause(0.05)
    raise AssertionError("it did not happen in 20 s")


async def settle(pilot: Pilot[None]) -> None:
    """Longer than one tick of the feed."""
    await pilot.pause(0.45)
    await pilot.pause()


def shown(screen: Screen[Any]) -> str:
    """Everything that stands on the screen, line by line."""
    _width, height = screen.size
    lines = screen.app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in line) for line in lines[:height])


def told(pilot: Pilot[None]) -> str:
    """What the notifications say."""
    return "\n".join(note.message for note in pilot.app._notifications)


def hide_workspace(pilot: Pilot[None]) -> None:
    """A picture must not show the path of this test: the top bar is drawn with another one."""
    app = pilot.app
    assert isinstance(app, CockpitApp)
    kept, app.workspace = app.workspace, Path("/workspace")
    app.screen.query_one(TopBar).draw()
    app.workspace = kept


async def visit(pilot: Pilot[None], place: str) -> None:
    """Go to a place by its key and wait until it has read its files once."""
    from atft_tui.keys import PLACES
    from atft_tui.screens.base import CockpitScreen

    await pilot.press(next(one.key for one in PLACES if one.name == place))
    await pilot.pause()
    screen = pilot.app.screen
    assert isinstance(screen, CockpitScreen)
    assert screen.place == place
    await wait_until(pilot, lambda: screen.value is not None or bool(screen.trouble))
    await pilot.pause()


async def open_run(pilot: Pilot[None], run: Run) -> TrainScreen:
    """The training screen on this run, all its events folded."""
    app = pilot.app
    assert isinstance(app, CockpitApp)
    app.open_run(run.id)
    await pilot.pause()
    screen = app.screen
    assert isinstance(screen, TrainScreen)
    lines = run.events_path.read_bytes().count(b"\n") if run.events_path.exists() else 0
    await wait_until(pilot, lambda: screen.state.n_events >= lines)
    await settle(pilot)
    return screen
