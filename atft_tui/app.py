"""The cockpit: eight places, one palette. It watches runs and starts commands; it computes nothing.

Only the first place is imported at the start; what comes up later is loaded when it does.
"""

import signal
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, TypeVar

from textual import work
from textual.app import SystemCommand
from textual.binding import BindingType
from textual.screen import ModalScreen, Screen

from atft_tui import format as fmt
from atft_tui.habits import HabitualApp
from atft_tui.jobs import Job, JobBook
from atft_tui.keys import EVERYWHERE, PLACES, help_rows, written
from atft_tui.readings.feed import is_damaged
from atft_tui.readings.steps import FirstStep, upcoming
from atft_tui.screens.base import CockpitScreen, focused_words
from atft_tui.widgets.bars import KeyBar, TopBar
from engine import hashes
from engine.commands import BY_NAME, COMMANDS
from engine.errors import EngineError, EnvironmentProblem, UsageError
from engine.runs import launch
from engine.runs.store import RunStore

if TYPE_CHECKING:
    from atft_tui.readings.home import HomeNews
    from atft_tui.screens.command_form import CommandRequest

_T = TypeVar("_T")
_JOB_POLL_S = 0.5


class CockpitApp(HabitualApp):
    """The application: it holds the workspace and the chosen run, opens places and starts commands."""

    TITLE = "atft-tui"
    CSS_PATH = "app.tcss"
    ENABLE_COMMAND_PALETTE = True
    BINDINGS: ClassVar[list[BindingType]] = [*EVERYWHERE]
    MODES = {place.name: place.make for place in PLACES}  # noqa: RUF012 - textual's own type
    DEFAULT_MODE = "home"

    def __init__(self, workspace: Path, *, read_only: bool = False) -> None:
        super().__init__(workspace, read_only=read_only)
        self.chosen_run: str | None = None
        """The run that Train, Replay and Backtest show; None means the newest that fits."""
        self.jobs = JobBook(workspace)
        self.coming: FirstStep | None = None
        """What comes next in the workspace, as far as that is known."""
        self._there: frozenset[Path] = frozenset()
        """Folder and list of hashes of the workspace, as far as they have been there."""

    @property
    def store(self) -> RunStore:
        """The runs of the workspace."""
        return RunStore(self.workspace / "runs")

    def require_workspace(self) -> None:
        """EnvironmentProblem where the workspace was there and is gone: it must not look like a new one."""
        marks = (self.workspace, self.workspace / hashes.LIST)
        there = frozenset(path for path in marks if path.exists())
        if gone := self._there - there:
            raise EnvironmentProblem(
                f"the workspace is gone, what is shown was read before ({min(gone)} is not there)"
            )
        self._there = there

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Every command of the command line, then what only a screen has: places, themes, keys."""
        for command in COMMANDS:
            if not command.hidden:
                ask = partial(self.ask, command.name)
                yield SystemCommand(command.name, command.help, ask)
        for place in PLACES:
            go = partial(self.go, place.name)
            yield SystemCommand(f"go to {place.title}", place.about, go)
        for theme in self.themes:
            use = partial(self.use_theme, theme.name)
            yield SystemCommand(f"theme {theme.name}", "Colours of the screen.", use)
        for key in EVERYWHERE:
            if key.action in (
                "next_step",
                "help",
                "jobs",
                "switch_workspace",
                "copy",
                "export",
                "maximize",
                "jump",
                "edit",
            ):
                run = partial(self.call_later, self.run_action, key.action)
                yield SystemCommand(
                    f"screen: {key.description}", f"Key {written(key, self.keymap)}.", run
                )
        yield SystemCommand("quit", "Close the screen; runs go on.", self.exit)

    # ---- what the screens ask for ----------------------------------------------------------------

    def go(self, place: str) -> None:
        """Show a place; nothing happens while a dialog is open."""
        if isinstance(self.screen, ModalScreen):
            return
        self.switch_mode(place)

    def open_run(self, run_id: str, place: str = "train") -> None:
        """Choose a run and show it; an unknown one is refused in words."""
        try:
            self.chosen_run = self.store.open(run_id).id
        except (EngineError, OSError) as error:
            self.refuse(error)
            return
        self.go(place)
        self.reread()

    def ask(self, command: str, given: Mapping[str, str] | None = None) -> None:
        """Open the form of a command, some of its parameters filled in."""
        from atft_tui.screens.command_form import CommandForm
        from atft_tui.screens.forms import IngestForm, TrainForm

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
        from engine.config.file import resolve_new

        try:
            self.require_writable()
            found = resolve_new(self.workspace, preset=request.preset, overrides=request.overrides)
            run = launch.start(self.workspace, command.name, found.config, request.own)
        except (EngineError, OSError) as error:
            self.refuse(error)
            return
        self.open_run(run.id)

    def start_job(self, words: Sequence[str]) -> None:
        """Carry out a command in a process of its own; its end is told."""
        try:
            self.require_writable()
            job_id = self.jobs.start(words)
        except (EngineError, OSError) as error:
            self.refuse(error)
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
        self.look_ahead(aloud=True)

    @work(group="ahead", exclusive=True)
    async def look_ahead(self, *, aloud: bool = False, take: bool = False) -> None:
        """Find out what comes next; say it, or take the step."""
        import asyncio

        from atft_tui.readings.home import read_home
        from atft_tui.screens.base import utc_now

        self.foresee(await asyncio.to_thread(read_home, self.workspace, utc_now()))
        if take and self.coming is not None:
            self.take(self.coming)
        elif take:
            self.notify("Nothing is left to do: a signal comes after each session.")
        elif aloud and self.coming is not None:
            self.notify(f"> {self.coming.name}: {self.coming.what}", title="next", markup=False)

    def foresee(self, news: "HomeNews") -> None:
        """Take the step that comes next in the workspace, and name it in the line of keys."""
        coming = upcoming(news)
        if coming != self.coming:
            self.coming = coming
            for screen in self.places():
                for bar in screen.query(KeyBar):  # none yet where a place is just being made
                    bar.draw()

    def take(self, step: FirstStep) -> None:
        """Go where a step is taken, or open the form of its command with what is known filled in."""
        if step.place:
            self.go(step.place)
        else:
            self.ask(step.command, step.given)

    def tell(self, job: Job) -> None:
        """Say how a job ended: what it answered, or why it was refused or failed."""
        self.desktop(f"{job.line}: {job.status}")
        if job.refusal:
            self.refuse(EngineError(f"{job.words[0]}: {job.refusal}"))
            return
        if job.status == "done":
            words = (word for word in job.answer.values() if isinstance(word, str))
            files = [word for word in words if word.startswith("/")]
            verdict = job.answer.get("verdict")
            said = job.answer.get("action") or (f"verdict: {verdict}" if verdict else job.last)
            told = "\n".join([job.line, str(said), *files]).strip()
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

    def stop_run(self, run_id: str) -> None:
        """Ask a run to stop at the end of its step, after a confirmation."""

        def stop() -> None:
            try:
                self.require_writable()
                launch.request_stop(self.store.open(run_id))
            except (EngineError, OSError) as error:
                self.refuse(error)
            else:
                self.notify("stopping: the run saves a checkpoint at the end of its step")

        self.confirm(f"Stop {run_id}? It saves a checkpoint and can be resumed.", stop)

    def resume_run(self, run_id: str) -> None:
        """Go on with a run that was stopped, failed or died."""
        try:
            run = self.store.open(run_id)
            if run.status() not in ("stopped", "crashed", "failed") or is_damaged(run):
                self.notify(f"{run_id} is {run.status()}: nothing to resume", severity="warning")
                return
            self.require_writable()
            launch.resume(self.workspace, run)
        except (EngineError, OSError) as error:
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
        from atft_tui.screens.dialogs import TextDialog, help_text

        place = self.screen.place if isinstance(self.screen, CockpitScreen) else ""
        title, told = focused_words(self.screen)
        self._open(TextDialog(help_text(help_rows(place, self.keymap), title, told)))

    def action_next_step(self) -> None:
        if not isinstance(self.screen, ModalScreen):
            self.look_ahead(take=True)

    def action_jobs(self) -> None:
        from atft_tui.screens.dialogs import JobsDialog

        self._open(JobsDialog(self.jobs))

    def action_switch_workspace(self) -> None:
        from atft_tui.screens.dialogs import WorkspaceDialog

        if self.is_web:  # who may look at this one may not look at every folder
            self.refuse(UsageError("a cockpit in a browser stays in its workspace"))
            return
        self._open(WorkspaceDialog(self.workspace), self.use_workspace)

    def _open(self, dialog: Screen[_T], then: Callable[[_T | None], None] | None = None) -> None:
        """One dialog at a time."""
        if not isinstance(self.screen, ModalScreen):
            self.push_screen(dialog, then)

    def use_workspace(self, workspace: Path | None) -> None:
        """Every place shows the other workspace from now on; what runs in this one goes on."""
        if workspace is None:
            return
        self.workspace, self.chosen_run = workspace, None
        self.jobs, self._there = JobBook(workspace), frozenset()
        self.coming = None
        self.take_own()
        for screen in self.places():
            screen.reread()
            screen.query_one(TopBar).draw()


def run(workspace: Path, *, read_only: bool = False) -> int:
    """Open the cockpit; returns the exit code. A dropped connection restores the terminal."""
    app = CockpitApp(workspace, read_only=read_only)

    def leave(_number: int, _frame: object) -> None:
        app.call_later(app.exit)

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGHUP, leave)
    app.run()
    with suppress(EngineError, OSError):  # the next visit begins at Home
        app.remember()
    return app.return_code or 0
