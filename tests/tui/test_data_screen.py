"""The Data screen: what it answers, how a finding leads to its stock, and what it does with torn files."""

from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from atft_tui.app import CockpitApp
from atft_tui.screens import data as data_screen
from atft_tui.screens.command_form import CommandForm
from atft_tui.screens.data import BOXES, TABS, DataScreen
from atft_tui.widgets.coverage import CoveragePanel
from atft_tui.widgets.data_panels import StockPanel
from engine.data.store import PanelStore
from tests.tui.data_market import NOW, REPEATED
from tests.tui.steps import shown, wait_until

SIZES = [(80, 24), (160, 48)]


@pytest.fixture(autouse=True)
def frozen_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_screen, "utc_now", lambda: NOW)


async def open_data(pilot: Pilot[None]) -> DataScreen:
    await pilot.press("2")
    screen = pilot.app.screen
    assert isinstance(screen, DataScreen)
    await wait_until(pilot, lambda: screen.value is not None)
    stock = screen.query_one(StockPanel)
    await wait_until(
        pilot,
        lambda: not stock.display or stock.value is None or stock.value.bars is not None,
    )
    await pilot.pause()
    return screen


def text_of(screen: DataScreen) -> str:
    return shown(screen)


async def test_from_the_verdict_to_the_offending_bar_by_keys(data_market: Path) -> None:
    async with CockpitApp(data_market).run_test(size=(160, 48)) as pilot:
        screen = await open_data(pilot)
        text = text_of(screen)
        for said in ("quality degraded", "audit passed 3h ago", "synthetic(seed=7)"):
            assert said in text.split("\n")[1]
        assert all(screen.query_one(f"#data-{name}").display for name in BOXES)
        assert "トヨタ自動車" in text
        screen.table("findings").focus()
        screen.table("findings").move_to("negative_volume")
        await pilot.press("enter")
        assert "negative_volume: 3 of 3 shown" in text_of(screen)
        await pilot.press("down", "enter")
        panel = screen.query_one(StockPanel)
        await wait_until(
            pilot, lambda: panel.value is not None and panel.value.stock.symbol == "S0002"
        )
        assert panel.value is not None
        assert panel.value.day == panel.value.examples[1].date
        assert screen.focused is screen.table("stocks").grid
        await wait_until(pilot, lambda: panel.value is not None and panel.value.bars is not None)
        assert "三菱ＵＦＪ" in text_of(screen)
        await pilot.press("shift+tab", "escape")
        assert screen.drilled is None


async def test_days_zoom_and_marks_at_80x24(data_market: Path) -> None:
    async with CockpitApp(data_market).run_test(size=(80, 24)) as pilot:
        screen = await open_data(pilot)
        panel = screen.query_one(CoveragePanel)
        assert panel.value is not None
        assert panel.at == panel.points() - 1
        await pilot.press("left_square_bracket")
        assert panel.at == REPEATED
        await pilot.press(*["plus"] * 4, "right")
        assert panel.view.right - panel.view.left == 1 / 16
        assert panel.at == REPEATED + 1
        await pilot.press("left", "enter")
        assert screen.drilled == ("day", panel.value.dates[REPEATED])
        assert "repeated_session" in text_of(screen)
        await pilot.press("enter")
        assert screen.tab == "coverage"
        seen = []
        for _ in TABS:
            seen.append(screen.tab)
            assert screen.focused_part((screen.tab,)) == screen.tab
            await pilot.press("tab")
        assert seen == list(TABS)
        await pilot.press("c")
        assert isinstance(pilot.app.screen, CommandForm)
        assert pilot.app.screen.command.name == "check"
        await pilot.press("escape", "i")
        assert isinstance(pilot.app.screen, CommandForm)
        assert pilot.app.screen.values()["source"] == "synthetic"


async def test_new_data_and_torn_files_while_it_is_open(dirty_market: Path) -> None:
    async with CockpitApp(dirty_market).run_test(size=(160, 48)) as pilot:
        screen = await open_data(pilot)
        store = PanelStore(dirty_market / "data")
        raw = store.snapshot().raw()
        new = store.save(raw.as_of(raw.bars["date"].unique().sort()[390]))
        screen.reread()
        await wait_until(
            pilot, lambda: screen.reading.current is not None and screen.reading.current.id == new
        )
        await pilot.pause()
        assert "quality degraded of older data: c" in text_of(screen)
        assert "audit passed 3h ago, on older data: a" in text_of(screen)
        quality = dirty_market / "data" / "quality.json"
        whole = quality.read_bytes()
        quality.write_bytes(whole[:500])
        screen.reread()
        await wait_until(pilot, lambda: bool(screen.reading.trouble))
        await pilot.pause()
        assert "quality.json" in text_of(screen).split("\n")[1]
        assert "return_1" in text_of(screen)
        quality.write_bytes(whole)
        screen.reread()
        await wait_until(pilot, lambda: not screen.reading.trouble)


async def test_a_stock_chosen_while_its_list_is_hidden_is_in_sight(data_market: Path) -> None:
    async with CockpitApp(data_market).run_test(size=(80, 24)) as pilot:
        screen = await open_data(pilot)
        last = screen.table("stocks").rows[-1].symbol
        screen.table("stocks").move_to(last)
        screen.to_tab("stocks")
        await pilot.pause(0.1)
        lines = text_of(screen).split("\n")
        assert sum(last in line for line in lines) == 2


async def test_without_data_it_says_what_to_press(tmp_path: Path) -> None:
    async with CockpitApp(tmp_path).run_test(size=(80, 24)) as pilot:
        screen = await open_data(pilot)
        assert "i ingests market data" in text_of(screen)
        await pilot.press("tab", "left", "plus", "enter", "escape", "f")
        assert isinstance(pilot.app.screen, CommandForm)
        assert pilot.app.screen.values()["action"] == "list"


@pytest.mark.parametrize("full", [False, True], ids=["empty", "full"])
@pytest.mark.parametrize("size", SIZES, ids=["80x24", "160x48"])
def test_pictures(
    data_market: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    snap_compare: Any,
    size: tuple[int, int],
    full: bool,
) -> None:
    monkeypatch.chdir(data_market.parent if full else tmp_path)

    async def show(pilot: Pilot[None]) -> None:
        await open_data(pilot)
        await pilot.press("left_square_bracket")
        await pilot.pause()

    assert snap_compare(CockpitApp(Path("ws")), terminal_size=size, run_before=show)
