"""The signals screen by its keys: sessions, pages, views, jobs; empty, broken and whole; two sizes."""

import datetime as dt
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from atft_tui.app import CockpitApp
from atft_tui.screens.command_form import CommandForm
from atft_tui.screens.dialogs import ConfirmDialog, RowDialog
from atft_tui.screens.signals import PAGES, SignalsScreen
from atft_tui.widgets.card import DiffPanel
from atft_tui.widgets.panel import PlacePanel
from atft_tui.widgets.why_panel import WhyPanel
from engine.records import record
from engine.records.seal import ATTEMPT
from tests.tui import signal_desk
from tests.tui.readings.test_desk import write_job
from tests.tui.signal_desk import DAYS, MODEL, NOW

WIDE, NARROW = (160, 48), (80, 24)


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """``ws`` beside the test: a path that is the same on every machine; the clock stands still."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("atft_tui.screens.signals.utc_now", lambda: NOW + dt.timedelta(minutes=1))
    return Path("ws")


async def wait(pilot: Pilot[None], condition: Callable[[], bool]) -> None:
    """Patient on a busy machine, quick on a quiet one."""
    for _ in range(400):
        if condition():
            return
        await pilot.pause(0.02)
    raise AssertionError("it did not come to that")


async def opened(pilot: Pilot[None]) -> SignalsScreen:
    await pilot.press("7")
    screen = pilot.app.screen
    assert isinstance(screen, SignalsScreen)
    await wait(pilot, lambda: screen.value is not None and (screen.rows or screen.value.is_empty))
    await wait(pilot, lambda: not screen.value or screen.value.is_empty or bool(screen.value.cards))
    await pilot.pause()
    return screen


def said(screen: SignalsScreen, name: str) -> str:
    return str(screen.query_one(f"#{name}", Static).render())


def drawn(screen: SignalsScreen, panel: type[PlacePanel[Any]]) -> str:
    one = screen.query_one(panel)
    return one.drawing(one.size.width, one.size.height).plain


async def test_sessions_views_and_reasons_by_keys(workspace: Path) -> None:
    signal_desk.whole(workspace)
    app = CockpitApp(workspace)
    async with app.run_test(size=WIDE) as pilot:
        screen = await opened(pilot)
        assert said(screen, "headline").split()[:4] == [DAYS[2], "XTKS", "✓", "TRADE"]
        assert [line.code for line in screen.table.rows] == ["130A", "7203", "6758", "0050", "9984"]
        assert "reversal_5" in drawn(screen, WhyPanel)
        await pilot.press("down")
        await wait(pilot, lambda: "トヨタ自動車" in drawn(screen, WhyPanel))
        assert "signals.explain_names" in drawn(screen, WhyPanel)
        await pilot.press("l", "l")
        assert [line.code for line in screen.table.rows] == ["6758"]
        assert "6758" in drawn(screen, WhyPanel)
        await pilot.press("left")
        await wait(pilot, lambda: DAYS[1] in said(screen, "headline"))
        assert screen.table.rows == []
        await pilot.press("right")
        await wait(pilot, lambda: DAYS[2] in said(screen, "headline"))
        assert screen.chosen is None
        signal_desk.seal(workspace, DAYS[2], revision=1, reason="late prices")
        await wait(pilot, lambda: "revision 1: late prices" in said(screen, "signals-bar"))
        await pilot.press("s")
        await wait(pilot, lambda: isinstance(app.screen, RowDialog))
        await pilot.press("end", "enter")
        await wait(pilot, lambda: DAYS[0] in said(screen, "headline"))


async def test_what_the_keys_start(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    signal_desk.whole(workspace)
    started: list[tuple[str, ...]] = []
    app = CockpitApp(workspace)

    def start(words: Sequence[str]) -> None:
        started.append(tuple(words))

    monkeypatch.setattr(app, "start_job", start)
    async with app.run_test(size=WIDE) as pilot:
        screen = await opened(pilot)
        await pilot.press("v", "p", "L", "c", "d")
        pair = (f"{DAYS[1]}-r0", f"{DAYS[2]}-r0")
        assert started == [
            ("verify", pair[1]), ("replay", pair[1]), ("ledger",), ("schedule", "once"),
            ("diff", *pair),
        ]  # fmt: skip
        assert screen.page == "diff"
        told = {
            "before": pair[0],
            "after": pair[1],
            "changed": ["session"],
            "stocks": 5,
            "moved": 4,
        }
        write_job(workspace, 1, ("diff", *pair), told)
        screen.reread()
        await wait(pilot, lambda: "4 of 5 ranks moved" in drawn(screen, DiffPanel))
        for key, values in (
            ("n", {"date": ""}),
            ("u", {"date": DAYS[2], "revise": True}),
            ("D", {"before": pair[0], "after": pair[1]}),
        ):
            await pilot.press(key)
            await wait(pilot, lambda: isinstance(app.screen, CommandForm))
            form = app.screen
            assert isinstance(form, CommandForm)
            assert values.items() <= form.values().items()
            await pilot.press("escape")
            await wait(pilot, lambda: app.screen is screen)
        await pilot.press("z")
        await wait(pilot, lambda: isinstance(app.screen, ConfirmDialog))
        question = app.screen
        assert isinstance(question, ConfirmDialog)
        assert f"aaaa000011112222 champion again instead of {MODEL}" in question.question
        await pilot.press("y")
        await wait(pilot, lambda: started[-1] == ("champion", "rollback"))


async def test_one_page_at_a_time_where_there_is_little_room(workspace: Path) -> None:
    signal_desk.whole(workspace)
    app = CockpitApp(workspace)
    async with app.run_test(size=NARROW) as pilot:
        screen = await opened(pilot)
        for page in (*PAGES[1:], PAGES[0]):
            await pilot.press("tab")
            shown = [name for name in PAGES if screen.query_one(f"#signals-{name}").display]
            assert shown == [page]
            assert f"[{page}]" in said(screen, "tabs")
        await pilot.press("enter")
        assert screen.page == "why"
        await pilot.press("down")
        await wait(pilot, lambda: "7203" in drawn(screen, WhyPanel))
        await pilot.resize_terminal(*WIDE)
        await pilot.pause()
        assert screen.query_one("#signals-list").display
        assert screen.query_one("#signals-card").display


async def test_a_seal_that_breaks_before_the_eyes_is_not_shown_as_valid(workspace: Path) -> None:
    signal_desk.whole(workspace)
    app = CockpitApp(workspace)
    async with app.run_test(size=WIDE) as pilot:
        screen = await opened(pilot)
        path = workspace / "signals" / DAYS[2] / "orders.csv"
        path.write_bytes(path.read_bytes().replace(b"1000", b"9000"))
        await wait(pilot, lambda: "NOT VALID" in said(screen, "headline"))
        assert screen.table.rows == []
        assert "orders.csv" in said(screen, "signals-bar")
        record.write(workspace / ATTEMPT, signal_desk.card("2026-11-26", "HOLD"))
        await wait(pilot, lambda: "HOLD" in said(screen, "headline"))
        assert "data incomplete 2,812/3,950" in said(screen, "headline")
        assert "not sealed" in said(screen, "signals-bar")
        (workspace / ATTEMPT).write_text("{")
        await wait(pilot, lambda: "attempt.json" in said(screen, "headline"))


@pytest.mark.parametrize("full", [True, False], ids=["full", "empty"])
@pytest.mark.parametrize("size", [NARROW, WIDE], ids=["80x24", "160x48"])
def test_pictures(workspace: Path, snap_compare: Any, size: tuple[int, int], full: bool) -> None:
    if full:
        signal_desk.whole(workspace)

    async def show(pilot: Pilot[None]) -> None:
        await opened(pilot)
        await pilot.pause(0.1)

    assert snap_compare(CockpitApp(workspace), terminal_size=size, run_before=show)
