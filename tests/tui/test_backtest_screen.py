"""The backtest screen, from an empty workspace to a second backtest of the same run."""

from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Select, Static

from atft_tui.app import CockpitApp
from atft_tui.screens.backtest import BacktestScreen
from atft_tui.screens.command_form import CommandForm
from atft_tui.styles import THEMES
from atft_tui.widgets.backtest.equity import EquityPanel
from atft_tui.widgets.backtest.panels import ORDER, SIDE, TABS
from atft_tui.widgets.table import BrowseTable
from engine.files import read_json, read_parquet, write_json, write_parquet
from engine.runs.store import Run
from tests.tui.backtest_files import sessions, without, write_backtest, write_holdings, write_sweep
from tests.tui.conftest import MakeRun
from tests.tui.steps import wait_until


async def opened(pilot: Pilot[None], *, figures: bool = True) -> BacktestScreen:
    app = pilot.app
    assert isinstance(app, CockpitApp)
    app.go("backtest")
    await wait_until(pilot, lambda: isinstance(app.screen, BacktestScreen))
    screen = app.screen
    assert isinstance(screen, BacktestScreen)
    await wait_until(pilot, lambda: screen.value is not None)
    if figures:
        await wait_until(pilot, lambda: screen.book is not None or not holds(screen))
    await pilot.pause()
    return screen


def holds(screen: BacktestScreen) -> bool:
    return screen.value is not None and screen.value.has_holdings


def told(screen: BacktestScreen, name: str) -> str:
    return str(screen.query_one(f"#{name}", Static).render())


async def test_from_nothing_to_a_second_backtest(tmp_path: Path, make_run: MakeRun) -> None:
    app = CockpitApp(tmp_path)
    async with app.run_test(size=(160, 48)) as pilot:
        screen = await opened(pilot, figures=False)
        assert "no run has one yet" in told(screen, "headline")
        assert screen.query_one("#empty").display
        chosen = make_run()
        app.chosen_run = chosen.id
        screen.reread()
        await wait_until(pilot, lambda: f"{chosen.id} has no backtest yet" in told(screen, "empty"))
        app.chosen_run = None
        run = write_backtest(make_run(), count=300)
        screen.reread()
        await wait_until(pilot, lambda: screen.book is not None)
        saved = read_json(run.path("backtest.json"))
        line = told(screen, "headline")
        for figure in ("sharpe", "sharpe_low", "sharpe_high"):
            assert f"{saved[figure]:+.2f}" in line
        assert f"target 0.849: {saved['verdict']}" in line
        assert "LightGBM +0.40" in line
        assert "equal weight +1.02" in line
        assert "note: made by hand" in told(screen, "backtest-conditions")
        assert "neutral" not in told(screen, "backtest-conditions")
        assert not screen.query_one("#backtest-changes").display
        shown = [name for name in ORDER if screen.part(name).display]
        assert shown == [name for name in ORDER if name not in SIDE or name == "exposures"]

        # The cursor: a day back, a month back, never beyond the ends; the book follows.
        days = sessions(300)
        assert screen.cursor == 299
        await pilot.press("left", "shift+left")
        assert screen.cursor == 299 - 22
        await wait_until(pilot, lambda: screen.book is not None and screen.book.date == days[277])
        table = screen.query_one("#backtest-holdings", BrowseTable)
        assert str(days[277]) in str(table.border_title)
        assert table.rows[0].symbol == "1312"
        await pilot.press("ctrl+left", "ctrl+left", "right", "full_stop")
        assert screen.cursor == 2
        await pilot.click(EquityPanel, offset=(3, 5))
        assert screen.cursor == 0

        # tab brings a side panel up when it comes to it; l is the scale.
        for _ in range(12):
            await pilot.press("tab")
            focused = screen.focused_part(ORDER)
            assert focused is not None
            assert screen.part(focused).display
        await pilot.press("i")
        assert [name for name in SIDE if screen.part(name).display] == [screen.side]
        await pilot.press("l")
        assert screen.query_one(EquityPanel).view.log

        # Another theme repaints what is drawn in its colours.
        await pilot.press("t")
        await wait_until(pilot, lambda: app.theme in (screen.panel("sharpe")._drawn or ()))
        assert app.theme != THEMES[0].name

        # Another backtest of the same run: what it changed.
        write_json(
            run.path("backtest.json"),
            saved | {"sharpe": 0.8, "costs": saved["costs"] | {"commission_bps": 2.0}},
        )
        screen.reread()
        await wait_until(pilot, lambda: bool(screen.query_one("#backtest-changes").display))
        assert "+0.80" in told(screen, "headline")
        words = told(screen, "backtest-changes")
        assert "Sharpe +0.40" in words
        assert "commission_bps 5" in words
        assert screen.cursor == 0, "the days are the same, so the cursor stays"


async def test_commands_open_with_this_run_and_its_settings(
    tmp_path: Path, make_run: MakeRun
) -> None:
    run = write_backtest(make_run(), count=40)
    saved = read_json(run.path("backtest.json"))
    write_json(
        run.path("backtest.json"), saved | {"costs": saved["costs"] | {"commission_bps": 2.0}}
    )
    app = CockpitApp(tmp_path)
    async with app.run_test(size=(100, 40)) as pilot:
        await opened(pilot)
        for key, command in (("b", "backtest"), ("s", "sweep"), ("r", "report")):
            await pilot.press(key)
            await wait_until(pilot, lambda: isinstance(app.screen, CommandForm))
            form = app.screen
            assert isinstance(form, CommandForm)
            assert form.command.name == command
            assert form.query_one("#p-run", Input).value == run.id
            if command != "report":
                assert form.query_one("#p-strategy", Select).value == "long_short_quantile"
            if command == "backtest":
                assert "costs.commission_bps=2.0" in form.query_one("#overrides", Input).value
            await pilot.press("escape")
            await wait_until(pilot, lambda: isinstance(app.screen, BacktestScreen))


async def test_a_small_screen_shows_one_tab_and_older_files_say_what_to_do(
    tmp_path: Path, make_run: MakeRun
) -> None:
    run = write_backtest(make_run(), count=1)
    without(run.path("backtest.json"), "factor.lags", "factor.quantile_returns")
    run.path("holdings.parquet").unlink()
    app = CockpitApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot)
        assert "older version" in told(screen, "backtest-conditions")
        for name in TABS:
            assert screen.tab == name
            shown = [part for part in ORDER if screen.part(part).display]
            assert sorted(shown) == sorted(TABS[name])
            await pilot.press("tab")
        assert "older version" in str(screen.query_one("#backtest-holdings").border_title)
        for size in ((60, 15), (20, 5), (300, 100), (120, 32)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
        assert screen.panel("equity").display


async def test_eight_thousand_holdings_with_hostile_names(
    tmp_path: Path, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = write_backtest(make_run(), count=2)
    write_holdings(run, sessions(2), 8000)
    hostile(run)
    app = CockpitApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot)
        await pilot.press(*["tab"] * list(TABS).index("holdings"))
        table = screen.query_one("#backtest-holdings", BrowseTable)
        assert len(table.rows) == 8000
        await pilot.press("G")
        assert table.grid.cursor == 7999
        await pilot.press("slash", *"1305")
        await wait_until(pilot, lambda: len(table.rows) < 8000)
        await pilot.press("left")
        assert screen.cursor == 1, "in the filter, the arrow belongs to the text"
        lines = screen._compositor.render_strips()
        text = "".join(segment.text for line in lines for segment in line)
        assert "\x1b" not in text


def hostile(run: Run) -> None:
    import polars as pl

    path = run.path("holdings_names.parquet")
    evil = "\x1b]0;title\x07[/red]\u202e" + "x" * 300
    named = read_parquet(path).with_columns(name=pl.lit(evil), sector=pl.lit(evil))
    write_parquet(path, named)


@pytest.mark.parametrize("size", [(80, 24), (160, 48)], ids=["80x24", "160x48"])
@pytest.mark.parametrize("full", [False, True], ids=["empty", "full"])
def test_snapshots(
    tmp_path: Path, make_run: MakeRun, snap_compare: Any, monkeypatch: pytest.MonkeyPatch,
    size: tuple[int, int], full: bool,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)  # the top bar shows the workspace's path
    if full:
        write_sweep(write_backtest(make_run(), count=700))

    async def show(pilot: Pilot[None]) -> None:
        await opened(pilot, figures=full)

    assert snap_compare(CockpitApp(Path()), terminal_size=size, run_before=show)


async def test_a_book_of_neutral_scores_says_so(tmp_path: Path, make_run: MakeRun) -> None:
    run = make_run()
    portfolio = {"strategy": "long_short_quantile", "neutral_to": ["beta", "size"]}
    write_backtest(run, changes={"portfolio": portfolio})
    async with CockpitApp(tmp_path).run_test(size=(160, 48)) as pilot:
        screen = await opened(pilot)
        line = told(screen, "backtest-conditions")
        horizon = read_json(run.path("backtest.json"))["horizon"]
        assert f"long_short_quantile, {horizon} sessions, neutral to beta, size, 20" in line
