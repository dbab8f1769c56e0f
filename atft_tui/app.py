"""The cockpit: eight places, one palette. It watches runs and starts commands; it computes nothing.

Only the first place is imported at the start; what comes up later is loaded when it does.
"""

import signal
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.app import SystemCommand
from textual.binding import BindingType
from textual.screen import ModalScreen, Screen

from atft_tui import format as fmt
from atft_tui.jobs import Job, JobBook
from atft_tui.keys import EVERYWHERE, bindings, help_rows
from atft_tui.navigation import PLACES
from atft_tui.reporting import ReportingApp
from atft_tui.screens.base import CockpitScreen
from atft_tui.themes import BY_NAME as THEME_OF
from atft_tui.themes import THEMES, palette
from engine.commands import BY_NAME, COMMANDS
from engine.errors import EngineError
from engine.runs import launch
from engine.runs.store import RunStore
from engine.workspace import config_files

if TYPE_CHECKING:
    from atft_tui.screens.command_form import CommandRequest

_JOB_POLL_S = 0.5


class CockpitApp(ReportingApp):
    """The application: it holds the workspace and the chosen run, opens places and starts commands."""

    TITLE = "atft-tui"
    CSS_PATH = "app.tcss"
    ENABLE_COMMAND_PALETTE = True
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(EVERYWHERE)]
    MODES = {place.name: place.make for place in PLACES}  # noqa: RUF012 - textual's own type
    DEFAULT_MODE = "home"

    def __init__(self, workspace: Path) -> None:
        super().__init__()
        self.workspace = workspace
        self.chosen_run: str | None = None
        self.jobs = JobBook(workspace)
        # Before anything is mounted: a theme set later would style every widget twice.
        for theme in THEMES:
            self.register_theme(theme)
        self.use_theme(THEMES[0].name)

    @property
    def store(self) -> RunStore:
        """The runs of the workspace."""
        return RunStore(self.workspace / "runs")

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Every command of the command line, then what only a screen has: places, themes, keys."""
        for command in COMMANDS:
            if not command.hidden:
                yield SystemCommand(
                    command.name, command.help, lambda name=command.name: self.ask(name)
                )
        for place in PLACES:
            yield SystemCommand(
                f"go to {place.title}", place.about, lambda name=place.name: self.go(name)
            )
        for theme in THEMES:
            yield SystemCommand(
                f"theme {theme.name}",
                "Colours of the screen.",
                lambda name=theme.name: self.use_theme(name),
            )
        for key in EVERYWHERE:
            if key.action in ("help", "jobs", "switch_workspace", "copy", "export", "maximize"):
                yield SystemCommand(
                    f"screen: {key.label}",
                    f"Key {key.written}.",
                    lambda action=key.action: self.call_later(self.run_action, action),
                )
        yield SystemCommand("quit", "Close the screen; runs go on.", self.exit)

    # ---- what the screens ask for (atft_tui.protocol) --------------------------------------------

    def go(self, place: str) -> None:
        """Show a place; nothing happens while a dialog is open."""
        if isinstance(self.screen, ModalScreen):
            return
        self.switch_mode(place)

    def open_run(self, run_id: str, place: str = "train") -> None:
        """Choose a run and show it; an unknown one is refused in words."""
        try:
            self.chosen_run = self.store.open(run_id).id
        except EngineError as error:
            self.refuse(error)
            return
        self.go(place)
        self.reread()

    def ask(self, command: str, given: Mapping[str, str] | None = None) -> None:
        """Open the form of a command, some of its parameters filled in."""
        from atft_tui.screens.command_form import CommandForm
        from atft_tui.screens.ingest_form import IngestForm
        from atft_tui.screens.train_form import TrainForm

        forms = {"train": TrainForm, "ingest": IngestForm}
        form = forms.get(command, CommandForm)
        self.push_screen(form(command, self.workspace, given), self.take_request)

    def take_request(self, request: "CommandRequest | None") -> None:
        """A command with a run of its own starts detached and is watched; another becomes a job."""
        if request is None:
            return
        command = BY_NAME[request.command]
        if not command.launchable or "--resume" in request.own:
            self.start_job(request.words)
            return
        from engine.config.file import resolve

        try:
            files = config_files(self.workspace)
            config = resolve(files, preset=request.preset, overrides=request.overrides).config
            run = launch.start(self.workspace, command.name, config, request.own)
        except EngineError as error:
            self.refuse(error)
            return
        self.open_run(run.id)

    def start_job(self, words: Sequence[str]) -> None:
        """Carry out a command in a process of its own; its end is told."""
        try:
            job_id = self.jobs.start(words)
        except OSError as error:
            self.refuse(EngineError(f"cannot start {words[0]}: {error}"))
            return
        self.notify(" ".join(words), title="started", markup=False)
        self.await_job(self.jobs, job_id)

    @work(group="jobs")
    async def await_job(self, book: JobBook, job_id: str) -> None:
        """Tell the job's end; leaving the screen does not stop it."""
        import asyncio

        while (job := await asyncio.to_thread(book.read, job_id)).status == "running":
            await asyncio.sleep(_JOB_POLL_S)
        self.tell(job)
        self.reread()

    def tell(self, job: Job) -> None:
        """Say how a job ended: what it answered, or why it was refused or failed."""
        if job.refusal:
            hint = "a --force-reason goes against the gate, and is written down"
            self.refuse(EngineError(f"{job.words[0]}: {job.refusal}", hint=hint))
            return
        if job.status == "done":
            files = [
                str(v) for v in job.answer.values() if isinstance(v, str) and v.startswith("/")
            ]
            told = "\n".join([job.line, job.last, *files]).strip()
            self.notify(fmt.clean_lines(told), title="done", markup=False, timeout=8)
            return
        error = str(job.answer.get("error", job.last or "it ended without an answer"))
        self.refuse(EngineError(f"{job.words[0]}: {error}", hint=str(job.answer.get("hint", ""))))

    def confirm(self, question: str, then: Callable[[], None]) -> None:
        """Ask before something that cannot be taken back."""
        from atft_tui.screens.dialogs import ConfirmDialog

        def answer(yes: bool | None) -> None:
            if yes:
                then()

        self.push_screen(ConfirmDialog(question), answer)

    def refuse(self, error: EngineError) -> None:
        """Say what was not done, and the way out."""
        text = f"{error.message}\n{error.hint}" if error.hint else error.message
        self.notify(fmt.clean_lines(text), title="not done", severity="error", markup=False,
                    timeout=10)  # fmt: skip

    def stop_run(self, run_id: str) -> None:
        """Ask a run to stop at the end of its step, after a confirmation."""

        def stop() -> None:
            try:
                launch.request_stop(self.store.open(run_id))
            except EngineError as error:
                self.refuse(error)
            else:
                self.notify("stopping: the run saves a checkpoint at the end of its step")

        self.confirm(f"Stop {run_id}? It saves a checkpoint and can be resumed.", stop)

    def resume_run(self, run_id: str) -> None:
        """Go on with a run that was stopped, failed or died."""
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

    def reread(self) -> None:
        """The place in front reads its files now."""
        for screen in self.screen_stack:
            if isinstance(screen, CockpitScreen):
                screen.reread()

    # ---- actions ---------------------------------------------------------------------------------

    def action_go(self, place: str) -> None:
        self.go(place)

    def action_help(self) -> None:
        from atft_tui.screens.dialogs import HelpDialog

        if not isinstance(self.screen, ModalScreen):
            place = self.screen.place if isinstance(self.screen, CockpitScreen) else ""
            self.push_screen(HelpDialog(help_rows(place)))

    def action_jobs(self) -> None:
        from atft_tui.screens.jobs import JobsDialog

        if not isinstance(self.screen, ModalScreen):
            self.push_screen(JobsDialog(self.jobs))

    def action_switch_workspace(self) -> None:
        from atft_tui.screens.dialogs import WorkspaceDialog

        if not isinstance(self.screen, ModalScreen):
            self.push_screen(WorkspaceDialog(self.workspace), self.use_workspace)

    def use_workspace(self, workspace: Path | None) -> None:
        """Every place shows the other workspace from now on; what runs in this one goes on."""
        if workspace is None:
            return
        from atft_tui.widgets.topbar import TopBar

        self.workspace, self.chosen_run = workspace, None
        self.jobs = JobBook(workspace)
        for stack in self._screen_stacks.values():
            for screen in stack:
                if isinstance(screen, CockpitScreen):
                    screen.reread()
                    screen.query_one(TopBar).draw()

    def action_next_theme(self) -> None:
        names = [theme.name for theme in THEMES]
        self.use_theme(names[(names.index(self.theme) + 1) % len(names)])

    def use_theme(self, name: str) -> None:
        """Colours of the widgets, and what the ANSI colours in their texts look like."""
        theme = THEME_OF[name]
        colours = palette(theme)
        if theme.dark:
            self.ansi_theme_dark = colours
        else:
            self.ansi_theme_light = colours
        self.theme = name
        if self.is_running:
            self._repaint()

    def _repaint(self) -> None:
        """Pictures of an `Ink` keep the colours they were made with: make them again."""
        from atft_tui.widgets.panel import PlacePanel
        from atft_tui.widgets.topbar import TopBar

        for stack in self._screen_stacks.values():
            for screen in stack:
                for bar in screen.query(TopBar):
                    bar.draw()
                for panel in screen.query(PlacePanel):
                    panel.draw(force=True)
                if isinstance(screen, CockpitScreen):
                    screen.draw_headline()

    def action_maximize(self) -> None:
        screen = self.screen
        if screen.maximized is not None:
            screen.minimize()
        elif screen.focused is not None:
            screen.maximize(screen.focused)

    def action_copy(self) -> None:
        from atft_tui.export import focused_text

        text = focused_text(self.screen)
        if text is None:
            self.notify("focus a table or a panel first (tab)", severity="warning")
            return
        self.copy_to_clipboard(text)
        self.notify("copied")

    def action_export(self) -> None:
        from atft_tui.export import export_focused

        try:
            path = export_focused(self.screen, self.workspace / "exports")
        except OSError as error:
            self.refuse(EngineError(f"cannot export: {error}"))
            return
        if path is None:
            self.notify("focus a table or a panel first (tab)", severity="warning")
        else:
            self.notify(str(path), title="exported", markup=False)


def run(workspace: Path) -> int:
    """Open the cockpit; returns the exit code. A dropped connection restores the terminal."""
    app = CockpitApp(workspace)

    def leave(_number: int, _frame: object) -> None:
        app.call_later(app.exit)

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGHUP, leave)
    app.run()
    return app.return_code or 0
