"""The cockpit: screens, keys, palette. It watches runs and starts them; it computes nothing.

Only the run list is imported at the start; what comes up later is loaded when it does.
"""

import asyncio
import json
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual import work
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen

from atft_tui import format as fmt
from atft_tui.screens.runs import RunsScreen
from atft_tui.themes import DARK, LIGHT
from engine.commands import BY_NAME, COMMANDS
from engine.errors import EngineError
from engine.runs import launch
from engine.runs.store import RunStore
from engine.strategy_list import strategy_summaries
from engine.workspace import config_files

if TYPE_CHECKING:
    from atft_tui.screens.dialogs import BacktestRequest, StartRequest


class CockpitApp(App[None]):
    TITLE = "atft-tui"
    CSS_PATH = "app.tcss"
    ENABLE_COMMAND_PALETTE = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("t", "toggle_theme", "theme", show=False),
        Binding("ctrl+c", "quit", "quit", show=False),
    ]

    def __init__(self, workspace: Path) -> None:
        super().__init__()
        self.workspace = workspace
        # Before anything is mounted: a theme set later would style every widget twice.
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        self.theme = DARK.name

    @property
    def store(self) -> RunStore:
        return RunStore(self.workspace / "runs")

    def get_default_screen(self) -> Screen[None]:
        return RunsScreen(id="_default")

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Every command of the command line that the screen can carry out, and a few of its own."""
        for command in COMMANDS:
            if command.launchable:
                yield SystemCommand(
                    command.name, command.help, lambda name=command.name: self.action_new_run(name)
                )
        for name, summary in strategy_summaries().items():
            yield SystemCommand(
                f"backtest with {name}",
                summary,
                lambda name=name: self.backtest_run("last", name),
            )
        yield SystemCommand("runs", "Back to the list of runs.", self.action_show_runs)
        yield SystemCommand("theme", "Light or dark.", self.action_toggle_theme)
        yield SystemCommand("help", "Keys and commands.", self.action_help)
        yield SystemCommand("quit", "Close the screen; runs go on.", self.action_quit_now)

    # ---- what the screens ask for --------------------------------------------------------------

    def open_run(self, run_id: str) -> None:
        from atft_tui.screens.train import TrainScreen

        try:
            self.push_screen(TrainScreen(self.store.open(run_id)))
        except EngineError as error:
            self.refuse(error)

    def stop_run(self, run_id: str) -> None:
        from atft_tui.screens.dialogs import ConfirmDialog

        def answer(yes: bool | None) -> None:
            if not yes:
                return
            try:
                launch.request_stop(self.store.open(run_id))
            except EngineError as error:
                self.refuse(error)
            else:
                self.notify("stopping: the run saves a checkpoint at the end of its step")

        question = f"Stop {run_id}? It saves a checkpoint and can be resumed."
        self.push_screen(ConfirmDialog(question), answer)

    def resume_run(self, run_id: str) -> None:
        try:
            run = self.store.open(run_id)
            if run.status() not in ("stopped", "crashed", "failed"):
                self.notify(f"{run_id} is {run.status()}: nothing to resume", severity="warning")
                return
            launch.resume(self.workspace, run)
        except EngineError as error:
            self.refuse(error)
        else:
            self.notify(f"resuming {run_id}")

    def backtest_run(self, run_id: str, strategy: str | None = None) -> None:
        """Ask for the settings; the simulation runs in a process of its own."""
        from atft_tui.screens.dialogs import BacktestDialog

        try:
            run = self.store.open(run_id)
            chosen = strategy or run.config().portfolio.strategy
        except EngineError as error:
            self.refuse(error)
            return
        self.push_screen(BacktestDialog(run.id, chosen), self.start_backtest)

    def start_backtest(self, request: "BacktestRequest | None") -> None:
        if request is not None:
            self.notify(f"backtest of {request.run_id} with {request.strategy}", markup=False)
            self.await_backtest(request)

    @work(group="backtest", exit_on_error=False)
    async def await_backtest(self, request: "BacktestRequest") -> None:
        """Run the command and tell its answer; leaving the screen does not stop it."""
        words = ["backtest", request.run_id, "--strategy", request.strategy, "--quiet"]
        for override in request.overrides:
            words += ["--set", override]
        process = await asyncio.create_subprocess_exec(
            *launch.argv(self.workspace, words),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        answer = _answer((await process.communicate())[0])
        if process.returncode:
            words_of_it = answer.get("error", f"it ended with code {process.returncode}")
            self.refuse(EngineError(str(words_of_it), hint=str(answer.get("hint", ""))))
            return
        low, value, high = (
            fmt.number(answer[name], 2) for name in ("sharpe_low", "sharpe", "sharpe_high")
        )
        self.notify(
            f"{request.strategy}: net Sharpe {value} [{low}, {high}], {answer['verdict']}",
            title="backtest done",
            markup=False,
            timeout=10,
        )

    def refuse(self, error: EngineError) -> None:
        text = f"{error.message}\n{error.hint}" if error.hint else error.message
        self.notify(text, title="not done", severity="error", markup=False, timeout=10)

    # ---- actions -------------------------------------------------------------------------------

    def action_new_run(self, command: str = "train") -> None:
        from atft_tui.screens.dialogs import StartDialog

        self.push_screen(StartDialog(command), self.start_run)

    def start_run(self, request: "StartRequest | None") -> None:
        """Create the run from the configuration and start its process, detached from this one."""
        if request is None:
            return
        from engine.config_file import resolve

        preset = request.preset or BY_NAME[request.command].preset
        files = config_files(self.workspace)
        try:
            config = resolve(files, preset=preset, overrides=request.overrides).config
            run = launch.start(self.workspace, request.command, config)
        except EngineError as error:
            self.refuse(error)
            return
        self.open_run(run.id)

    def action_show_runs(self) -> None:
        if len(self.screen_stack) > 1:
            self.pop_screen()

    def action_help(self) -> None:
        from atft_tui.screens.dialogs import HelpDialog

        if isinstance(self.screen, HelpDialog):
            return
        keys = [
            (binding.key_display or binding.key.split(",")[0], binding.description)
            for binding in (*self.screen.BINDINGS, *self.BINDINGS)
            if isinstance(binding, Binding) and binding.description
        ]
        self.push_screen(HelpDialog(keys))

    def action_toggle_theme(self) -> None:
        self.theme = LIGHT.name if self.theme == DARK.name else DARK.name

    def action_quit_now(self) -> None:
        self.exit()


def _answer(printed: bytes) -> dict[str, Any]:
    """The JSON object that a command printed; empty if it died before printing one."""
    try:
        found = json.loads(printed)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def run(workspace: Path) -> int:
    """Open the cockpit; returns the exit code. A dropped connection restores the terminal."""
    app = CockpitApp(workspace)

    def leave(_number: int, _frame: object) -> None:
        app.call_later(app.exit)

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGHUP, leave)
    app.run()
    return app.return_code or 0
