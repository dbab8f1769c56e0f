"""The run list, dialogs, palette and themes."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.command import CommandPalette
from textual.pilot import Pilot
from textual.widgets import DataTable, Input, OptionList, Select

from atft_tui.app import CockpitApp
from atft_tui.screens.dialogs import BacktestDialog, ConfirmDialog, HelpDialog, StartDialog
from atft_tui.screens.runs import RunsScreen
from atft_tui.screens.train import TrainScreen
from engine.config import Config
from engine.runs import launch
from engine.runs.store import Run, RunStore
from tests.engine.runs.samples import training
from tests.tui.conftest import MakeRun
from tests.tui.test_train_screen import settle, shown, wait_until

EVENTS = training()


def told(pilot: Pilot[None]) -> str:
    """What the notifications say."""
    return "\n".join(note.message for note in pilot.app._notifications)


async def test_an_empty_workspace_says_how_to_begin(tmp_path: Path) -> None:
    async with CockpitApp(tmp_path).run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        text = shown(pilot.app.screen)  # type: ignore[arg-type]
    assert "No runs in this workspace yet" in text
    assert "demo" in text


async def test_runs_are_listed_newest_first_and_opened_with_enter(
    tmp_path: Path, make_run: MakeRun
) -> None:
    first, second = make_run(EVENTS), make_run(EVENTS[:20])
    async with CockpitApp(tmp_path).run_test(size=(160, 48)) as pilot:
        await settle(pilot)
        text = shown(pilot.app.screen)  # type: ignore[arg-type]
        assert text.index(second.id) < text.index(first.id)
        assert "crashed" in text
        assert "+0.0210 ± 0.0090" in text
        await pilot.press("down", "enter")
        await settle(pilot)
        assert isinstance(pilot.app.screen, TrainScreen)
        assert pilot.app.screen.run_value.id == first.id
        await pilot.press("escape")
        await pilot.pause()
        assert isinstance(pilot.app.screen, RunsScreen)


async def test_a_run_that_cannot_be_read_is_one_bad_row(tmp_path: Path, make_run: MakeRun) -> None:
    good, bad = make_run(EVENTS), make_run(EVENTS)
    bad.path("backtest.json").write_text("{ not json")
    async with CockpitApp(tmp_path).run_test(size=(160, 48)) as pilot:
        await settle(pilot)
        text = shown(pilot.app.screen)  # type: ignore[arg-type]
        assert "unreadable" in text
        assert good.id in text
        assert pilot.app.screen.query_one(DataTable).row_count == 2


async def test_the_dialog_starts_a_detached_run_with_what_was_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def start(workspace: Path, command: str, config: Config) -> Run:
        asked.append((workspace, command, config))
        return RunStore(workspace / "runs").create(command, config)

    monkeypatch.setattr(launch, "start", start)
    async with CockpitApp(tmp_path).run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        await pilot.press("n")
        await pilot.pause()
        assert isinstance(pilot.app.screen, StartDialog)
        pilot.app.screen.query_one("#preset", Select).value = "cpu-small"
        pilot.app.screen.query_one("#overrides", Input).value = "training.seed=9 graph.k=3"
        await pilot.click("#start")
        await settle(pilot)
        assert isinstance(pilot.app.screen, TrainScreen)
    workspace, command, config = asked[0]
    assert (workspace, command) == (tmp_path, "train")
    assert (config.training.seed, config.graph.k, config.model.hidden) == (9, 3, 64)


async def test_a_wrong_override_is_refused_with_its_name_and_nothing_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "start", lambda *args: pytest.fail("started"))
    async with CockpitApp(tmp_path).run_test(size=(120, 30)) as pilot:
        await settle(pilot)
        await pilot.press("n")
        await pilot.pause()
        pilot.app.screen.query_one("#overrides", Input).value = "training.sed=9"
        await pilot.click("#start")
        await settle(pilot)
        assert "did you mean seed" in told(pilot)
    assert list(RunStore(tmp_path / "runs")) == []


async def test_stopping_asks_first(
    tmp_path: Path, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(EVENTS[:20])
    stopped: list[str] = []
    monkeypatch.setattr(launch, "request_stop", lambda run: stopped.append(run.id))
    with run.lock():
        async with CockpitApp(tmp_path).run_test(size=(100, 30)) as pilot:
            await settle(pilot)
            for answer, expected in (("n", []), ("y", [run.id])):
                await pilot.press("s")
                await pilot.pause()
                assert isinstance(pilot.app.screen, ConfirmDialog)
                await pilot.press(answer)
                await pilot.pause()
                assert stopped == expected


async def test_only_a_dead_run_is_resumed(
    tmp_path: Path, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    done, dead = make_run(EVENTS), make_run(EVENTS[:20])
    resumed: list[str] = []
    monkeypatch.setattr(launch, "resume", lambda workspace, run: resumed.append(run.id))
    async with CockpitApp(tmp_path).run_test(size=(120, 30)) as pilot:
        await settle(pilot)
        await pilot.press("r")
        await pilot.press("down", "r")
        await settle(pilot)
        assert "nothing to resume" in told(pilot)
    assert resumed == [dead.id] != [done.id]


@pytest.mark.parametrize("size", [(80, 24), (160, 48)])
async def test_help_lists_the_keys_and_commands(tmp_path: Path, size: tuple[int, int]) -> None:
    async with CockpitApp(tmp_path).run_test(size=size) as pilot:
        await settle(pilot)
        await pilot.press("question_mark")
        await pilot.pause()
        assert isinstance(pilot.app.screen, HelpDialog)
        text = shown(pilot.app.screen)  # type: ignore[arg-type]
        assert "new run" in text
        await pilot.press("escape")
        await pilot.pause()
        assert isinstance(pilot.app.screen, RunsScreen)


async def test_both_themes_and_the_palette(tmp_path: Path, make_run: MakeRun) -> None:
    make_run(EVENTS)
    async with CockpitApp(tmp_path).run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        first = pilot.app.theme
        await pilot.press("t")
        await pilot.pause()
        assert pilot.app.theme != first
        await pilot.press("ctrl+p")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, CommandPalette))
        await pilot.press(*"walkf")
        hits = pilot.app.screen.query_one(OptionList)
        await wait_until(pilot, lambda: hits.option_count == 1)
        await pilot.press("enter")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, StartDialog))
        screen = pilot.app.screen
        assert isinstance(screen, StartDialog)
        assert screen.command == "walkforward"


def child(tmp_path: Path, printed: str, code: int) -> Callable[..., list[str]]:
    """Stands for the command's process: notes its words, prints, exits."""
    script = tmp_path / "child.py"
    script.write_text(
        "import sys, pathlib\n"
        f"pathlib.Path({str(tmp_path / 'words')!r}).write_text('\\n'.join(sys.argv[1:]))\n"
        f"print({printed!r})\nsys.exit({code})\n"
    )
    return lambda workspace, words: [sys.executable, str(script), *words]


async def test_b_backtests_the_selected_run_with_a_strategy_of_the_list(
    tmp_path: Path, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(EVENTS)
    answer = '{"sharpe": 0.42, "sharpe_low": -0.5, "sharpe_high": 1.3, "verdict": "undecided"}'
    monkeypatch.setattr(launch, "argv", child(tmp_path, answer, 0))
    async with CockpitApp(tmp_path).run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("b")
        await settle(pilot)
        dialog = pilot.app.screen
        assert isinstance(dialog, BacktestDialog)
        assert set(dialog.summaries) >= {"long_short_quantile", "hysteresis_band"}
        dialog.query_one("#strategy", Select).value = "hysteresis_band"
        dialog.query_one("#overrides", Input).value = "portfolio.band=1.0 costs.slippage_bps=2"
        await settle(pilot)
        assert "band" in shown(dialog)  # type: ignore[arg-type]
        await pilot.click("#start")
        await wait_until(pilot, lambda: "net Sharpe +0.42 [-0.50, +1.30]" in told(pilot))
    words = (tmp_path / "words").read_text().splitlines()
    assert words == [
        "backtest", run.id, "--strategy", "hysteresis_band", "--quiet",
        "--set", "portfolio.band=1.0", "--set", "costs.slippage_bps=2",
    ]  # fmt: skip


async def test_a_backtest_that_fails_says_why(
    tmp_path: Path, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_run(EVENTS)
    failed = '{"error": "no [/] scores", "hint": "train first", "exit_code": 4}'
    for printed, words in ((failed, "no [/] scores\ntrain first"), ("killed", "code 4")):
        monkeypatch.setattr(launch, "argv", child(tmp_path, printed, 4))
        async with CockpitApp(tmp_path).run_test(size=(80, 24)) as pilot:
            await settle(pilot)
            await pilot.press("b")
            await settle(pilot)
            await pilot.click("#start")
            await wait_until(pilot, lambda words=words: words in told(pilot))  # type: ignore[misc]
