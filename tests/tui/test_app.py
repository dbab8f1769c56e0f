"""The frame: places, forms, jobs, palette, themes, help."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.command import CommandPalette
from textual.pilot import Pilot
from textual.widgets import Checkbox, Input, OptionList, Select

from atft_tui.app import CockpitApp
from atft_tui.jobs import JobBook, answer_lines
from atft_tui.keys import PLACES
from atft_tui.screens.base import CockpitScreen
from atft_tui.screens.command_form import CommandForm, CommandRequest
from atft_tui.screens.dialogs import ConfirmDialog, JobsDialog, TextDialog, WorkspaceDialog
from atft_tui.screens.runs import RunsScreen
from atft_tui.screens.train import TrainScreen
from atft_tui.styles import THEMES, status
from atft_tui.widgets.table import BrowseTable
from engine.commands import COMMANDS
from engine.config import Config
from engine.runs import launch
from engine.runs.store import Run, RunStore
from tests.engine.runs.samples import training
from tests.tui.conftest import MakeRun
from tests.tui.steps import settle, shown, told, visit, wait_until

EVENTS = training()


async def test_an_empty_workspace_says_how_to_begin(tmp_path: Path) -> None:
    async with CockpitApp(tmp_path).run_test(size=(80, 24)) as pilot:
        await visit(pilot, "runs")
        text = shown(pilot.app.screen)
    assert "No runs in this workspace yet" in text
    assert "demo" in text


async def test_number_keys_go_to_every_place_and_the_bar_names_it(tmp_path: Path) -> None:
    async with CockpitApp(tmp_path).run_test(size=(120, 40)) as pilot:
        for place in PLACES:
            await visit(pilot, place.name)
            assert f"{place.key} {place.title}" in shown(pilot.app.screen)
        await pilot.click("#topbar", offset=(3, 0))
        await pilot.pause()
        screen = pilot.app.screen
        assert isinstance(screen, CockpitScreen)
        assert screen.place == "home"


async def test_runs_are_listed_newest_first_and_opened_with_enter(
    tmp_path: Path, make_run: MakeRun
) -> None:
    first, second = make_run(EVENTS), make_run(EVENTS[:20])
    async with CockpitApp(tmp_path).run_test(size=(160, 48)) as pilot:
        await visit(pilot, "runs")
        text = shown(pilot.app.screen)
        assert text.index(second.id) < text.index(first.id)
        assert "crashed" in text
        assert "+0.0210 ± 0.0090" in text
        await pilot.press("down", "enter")
        await settle(pilot)
        assert isinstance(pilot.app.screen, TrainScreen)
        assert pilot.app.screen.run_value == first
        await pilot.press("4")
        await pilot.pause()
        assert isinstance(pilot.app.screen, RunsScreen)


async def test_a_run_that_cannot_be_read_is_one_bad_row(tmp_path: Path, make_run: MakeRun) -> None:
    good, bad = make_run(EVENTS), make_run(EVENTS)
    bad.path("backtest.json").write_text("{ not json")
    async with CockpitApp(tmp_path).run_test(size=(160, 48)) as pilot:
        await visit(pilot, "runs")
        text = shown(pilot.app.screen)
        assert "unreadable" in text
        assert good.id in text
        assert len(pilot.app.screen.query_one(BrowseTable).rows) == 2


async def form(pilot: Pilot[None], command: str, **given: str) -> CommandForm:
    app = pilot.app
    assert isinstance(app, CockpitApp)
    app.ask(command, given)
    await pilot.pause()
    assert isinstance(app.screen, CommandForm)
    return app.screen


async def test_the_form_starts_a_detached_run_with_what_was_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def start(workspace: Path, command: str, config: Config, words: tuple[str, ...]) -> Run:
        asked.append((workspace, command, config, words))
        return RunStore(workspace / "runs").create(command, config)

    monkeypatch.setattr(launch, "start", start)
    async with CockpitApp(tmp_path).run_test(size=(100, 30)) as pilot:
        dialog = await form(pilot, "walkforward")
        dialog.query_one("#preset", Select).value = "cpu-small"
        dialog.query_one("#p-seeds", Input).value = "3"
        dialog.query_one("#overrides", Input).value = "training.seed=9 graph.k=3"
        await pilot.pause()
        assert "$ atft-tui walkforward --seeds 3 --preset cpu-small" in shown(dialog)
        dialog.query_one("#p-confirm", Checkbox).value = True
        await pilot.pause()
        assert "walkforward --seeds 3 --confirm --preset cpu-small" in shown(dialog)
        await pilot.press("ctrl+s")
        await settle(pilot)
        assert isinstance(pilot.app.screen, TrainScreen)
    workspace, command, config, words = asked[0]
    assert (workspace, command) == (tmp_path, "walkforward")
    assert (config.training.seed, config.graph.k, config.model.hidden) == (9, 3, 64)
    assert words == ("--seeds", "3", "--confirm")


async def test_what_is_wrong_is_said_in_the_form_and_nothing_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "start", lambda *args: pytest.fail("started"))
    monkeypatch.setattr(JobBook, "start", lambda *args: pytest.fail("started"))
    async with CockpitApp(tmp_path).run_test(size=(120, 30)) as pilot:
        dialog = await form(pilot, "check", set="training.sed=9")
        await pilot.press("ctrl+s")
        await pilot.pause()
        assert pilot.app.screen is dialog
        assert "did you mean seed" in shown(dialog)
        await pilot.press("escape")
        dialog = await form(pilot, "backtest")
        await pilot.press("ctrl+s")
        await pilot.pause()
        assert "needs run" in shown(dialog)
    assert list(RunStore(tmp_path / "runs")) == []


async def test_stopping_asks_first(
    tmp_path: Path, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(EVENTS[:20])
    stopped: list[str] = []
    monkeypatch.setattr(launch, "request_stop", lambda run: stopped.append(run.id))
    with run.lock():
        async with CockpitApp(tmp_path).run_test(size=(100, 30)) as pilot:
            await visit(pilot, "runs")
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
        await visit(pilot, "runs")
        await pilot.press("r")
        await pilot.press("down", "r")
        await settle(pilot)
        assert "nothing to resume" in told(pilot)
    assert resumed == [dead.id] != [done.id]


@pytest.mark.parametrize("size", [(80, 24), (160, 48)])
async def test_help_lists_the_keys_and_commands(tmp_path: Path, size: tuple[int, int]) -> None:
    async with CockpitApp(tmp_path).run_test(size=size) as pilot:
        await visit(pilot, "runs")
        for closes in ("escape", "question_mark", "q"):
            await pilot.press("question_mark")
            await pilot.pause()
            assert isinstance(pilot.app.screen, TextDialog)
            assert "new run" in shown(pilot.app.screen)
            await pilot.press(closes)
            await pilot.pause()
            assert isinstance(pilot.app.screen, RunsScreen)


async def test_the_palette_holds_every_command_of_the_command_line_and_the_other_way_round(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a form then does is compared word for word in test_words."""
    asked: list[str] = []
    app = CockpitApp(tmp_path)
    monkeypatch.setattr(app, "ask", asked.append)
    async with app.run_test(size=(120, 40)):
        entries = {entry.title: entry for entry in app.get_system_commands(app.screen)}
        own = {f"go to {place.title}" for place in PLACES} | {"quit"}
        of_screen = {
            title for title in entries if title.startswith(("theme ", "screen: ")) or title in own
        }
        commands = {command.name for command in COMMANDS if not command.hidden}
        assert set(entries) - of_screen == commands
        for name in sorted(commands):
            entries[name].callback()
        assert asked == sorted(commands)


async def test_themes_and_the_palette_by_keys(tmp_path: Path) -> None:
    async with CockpitApp(tmp_path).run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        seen = []
        for _ in range(4):
            seen.append(pilot.app.theme)
            await pilot.press("t")
            await pilot.pause()
        assert len(set(seen)) == 3
        assert seen[0] == seen[3]
        await pilot.press("ctrl+p")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, CommandPalette))
        await pilot.press(*"walkf")
        hits = pilot.app.screen.query_one(OptionList)
        await wait_until(pilot, lambda: hits.option_count == 1)
        await pilot.press("enter")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, CommandForm))
        screen = pilot.app.screen
        assert isinstance(screen, CommandForm)
        assert screen.command.name == "walkforward"


def child(tmp_path: Path, printed: str, code: int) -> Callable[..., list[str]]:
    """Stands for the command's process: notes its words, tells a line, prints, exits."""
    script = tmp_path / "child.py"
    script.write_text(
        "import sys, pathlib\n"
        f"pathlib.Path({str(tmp_path / 'words')!r}).write_text('\\n'.join(sys.argv[1:]))\n"
        "sys.stderr.write('simulating\\n')\n"
        f"print({printed!r})\nsys.exit({code})\n"
    )
    return lambda workspace, words: [sys.executable, str(script), *words]


async def test_b_backtests_the_selected_run_and_the_job_is_kept(
    tmp_path: Path, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(EVENTS)
    monkeypatch.setattr(launch, "argv", child(tmp_path, '{"sharpe": 0.42}', 0))
    async with CockpitApp(tmp_path).run_test(size=(100, 30)) as pilot:
        await visit(pilot, "runs")
        await pilot.press("b")
        await pilot.pause()
        dialog = pilot.app.screen
        assert isinstance(dialog, CommandForm)
        assert dialog.query_one("#p-run", Input).value == run.id
        dialog.query_one("#p-strategy", Select).value = "hysteresis_band"
        dialog.query_one("#overrides", Input).value = "portfolio.band=1.0 costs.slippage_bps=2"
        await pilot.press("ctrl+s")
        await wait_until(pilot, lambda: "simulating" in told(pilot))
        await pilot.press("j")
        await settle(pilot)
        assert isinstance(pilot.app.screen, JobsDialog)
        text = shown(pilot.app.screen)
        assert "sharpe  0.42" in text
        assert "done" in text
    words = (tmp_path / "words").read_text().splitlines()
    assert words == [
        "backtest", run.id, "--strategy", "hysteresis_band",
        "--set", "portfolio.band=1.0", "--set", "costs.slippage_bps=2",
    ]  # fmt: skip


def test_an_answer_is_told_in_lines() -> None:
    """Names with their values; rows of a short list, the number of a long one; nothing too deep."""
    answer = {
        "verdict": "ok", "passed": True, "error_bp": 4.87912, "none": None, "leaks": [],
        "days": ["2026-01-02", "2026-01-05"], "many": list(range(20)),
        "gate": [{"name": "noise", "passed": False, "of": {"deep": 1}}],
        "sample": {"stocks": 130},
    }  # fmt: skip
    assert answer_lines(answer) == [
        "verdict  ok", "passed  yes", "error bp  4.879", "leaks  none",
        "days  2026-01-02, 2026-01-05", "many  20 rows", "gate", "  noise  no",
        "sample", "  stocks  130",
    ]  # fmt: skip


REFUSED = """{"action": "refused", "gate": [
{"name": "noise", "passed": true, "detail": "fine"},
{"name": "audit", "passed": false, "detail": "never run \\u00b1"}]}"""


async def test_a_refused_job_reads_refused_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not "done", and no raw JSON; the same of what any gate refuses, by its exit code."""
    gated = '{"error": "sees ahead", "hint": "mend it", "exit_code": 6}'
    async with CockpitApp(tmp_path).run_test(size=(100, 30)) as pilot:
        app = pilot.app
        assert isinstance(app, CockpitApp)
        leak = '{"verdict": "failed", "leaks": [{"name": "peek", "detail": "return_1"}]}'
        asked = ((REFUSED, "audit: never run ±"), (gated, "sees ahead"), (leak, "peek: return_1"))
        for printed, words in asked:
            monkeypatch.setattr(launch, "argv", child(tmp_path, printed, 6))
            app.start_job(["promote", "last"])
            await wait_until(pilot, lambda words=words: words in told(pilot))  # type: ignore[misc]
            await pilot.press("j")
            await settle(pilot)
            text = shown(pilot.app.screen)
            assert f"{status('refused').mark} refused" in text
            assert words in text
            assert "{" not in text
            assert "force" not in told(pilot)
            await pilot.press("escape")


async def test_the_next_step_is_a_key_away(tmp_path: Path) -> None:
    async with CockpitApp(tmp_path).run_test(size=(80, 24)) as pilot:
        await visit(pilot, "config")
        await wait_until(pilot, lambda: "next: demo" in shown(pilot.app.screen))
        await pilot.press("greater_than_sign")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, CommandForm))
        form = pilot.app.screen
        assert isinstance(form, CommandForm)
        assert form.command.name == "demo"
        await wait_until(pilot, lambda: "[ ] no" in shown(form))
        form.fields["quick"].focus()
        await pilot.press("space")
        await wait_until(pilot, lambda: "[x] yes" in shown(form))


async def test_the_theme_is_remembered(tmp_path: Path) -> None:
    async with CockpitApp(tmp_path).run_test() as pilot:
        await pilot.press("t")
        chosen = pilot.app.theme
    assert chosen != THEMES[0].name
    assert CockpitApp(tmp_path / "other").theme == chosen


async def test_what_cannot_be_written_is_told(tmp_path: Path) -> None:
    """An export into a folder that is a file; whoever runs the tests may be root."""
    (tmp_path / "exports").write_text("")
    async with CockpitApp(tmp_path).run_test() as pilot:
        await visit(pilot, "config")
        await pilot.press("e")
        await pilot.pause()
        assert "cannot write" in told(pilot)


async def test_a_job_that_fails_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = '{"error": "no [/] scores", "hint": "train first", "exit_code": 4}'
    async with CockpitApp(tmp_path).run_test(size=(80, 24)) as pilot:
        app = pilot.app
        assert isinstance(app, CockpitApp)
        for printed, words in ((failed, "no [/] scores\ntrain first"), ("killed", "simulating")):
            monkeypatch.setattr(launch, "argv", child(tmp_path, printed, 4))
            app.start_job(["check"])
            await wait_until(pilot, lambda words=words: words in told(pilot))  # type: ignore[misc]


async def test_a_cockpit_that_only_looks_on_starts_asks_and_writes_nothing(
    tmp_path: Path, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second one on the workspace of a colleague: whatever is pressed, no process and no file."""
    run = make_run(EVENTS[:-1])
    started: list[object] = []
    for name in ("start", "resume", "request", "request_stop", "go_on"):
        monkeypatch.setattr(launch, name, lambda *_, **__: started.append(1))
    monkeypatch.setattr(JobBook, "start", lambda *_: started.append(1))
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    async with CockpitApp(tmp_path, read_only=True).run_test(size=(160, 40)) as pilot:
        app = pilot.app
        assert isinstance(app, CockpitApp)
        await visit(pilot, "runs")
        assert "read-only" in shown(app.screen)
        await pilot.press("e")
        app.start_job(["check"])
        app.take_request(CommandRequest("train", ("train",), (), None, ()))
        app.resume_run(run.id)
        app.stop_run(run.id)
        await wait_until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
        await pilot.press("y")
        await visit(pilot, "config")
        await pilot.press("enter")
        await visit(pilot, "train")
        await pilot.press("p")
        await wait_until(pilot, lambda: told(pilot).count("this cockpit is read-only") == 7)
    assert started == []
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


async def test_another_workspace_is_shown_at_once(tmp_path: Path, make_run: MakeRun) -> None:
    run = make_run(EVENTS)
    (tmp_path / "file").write_text("")
    async with CockpitApp(tmp_path / "other").run_test(size=(100, 30)) as pilot:
        await visit(pilot, "runs")
        assert "No runs" in shown(pilot.app.screen)
        await pilot.press("w")
        await pilot.pause()
        dialog = pilot.app.screen
        assert isinstance(dialog, WorkspaceDialog)
        dialog.query_one("#path", Input).value = str(tmp_path / "file")
        await pilot.press("enter")
        await pilot.pause()
        assert "is not a directory" in shown(dialog)
        dialog.query_one("#path", Input).value = str(tmp_path)
        await pilot.press("enter")
        await wait_until(pilot, lambda: run.id in shown(pilot.app.screen))
