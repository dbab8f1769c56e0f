"""One run, live: what it learns, whether it is healthy, how long it will take."""

import asyncio
from typing import ClassVar

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.events import Resize
from textual.screen import Screen
from textual.widgets import Footer, Static

from atft_tui import format as fmt
from atft_tui.feed import RunFeed
from atft_tui.glyphs import GLYPHS
from atft_tui.messages import RunUpdated
from atft_tui.protocol import Cockpit
from atft_tui.screens.runs import MARKS
from atft_tui.sizes import TALL, WIDE, too_small
from atft_tui.widgets import panels
from atft_tui.widgets.chart import meter
from atft_tui.widgets.doctor_panel import DoctorPanel
from atft_tui.widgets.panel import StatePanel
from engine.runs.state import PhaseState, RunState, seconds_between
from engine.runs.store import Run

TICK_S = 0.25
"""At most one redraw of a panel in this time, however many events came."""
TABS = ("gradient", "gate", "loss", "spread", "variables", "doctor", "machine", "log")
PHASE_STYLES = {"pending": "dim", "running": "bold", "kept": "green", "rolled back": "yellow"}


class TrainScreen(Screen[None]):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,b", "app.show_runs", "runs", key_display="esc"),
        Binding("s", "stop", "stop"),
        Binding("r", "resume", "resume"),
        Binding("tab", "next_tab(1)", "next panel", priority=True),
        Binding("shift+tab", "next_tab(-1)", "previous panel", show=False, priority=True),
        Binding("n", "app.new_run", "new run", show=False),
        Binding("question_mark", "app.help", "help", key_display="?"),
        Binding("q", "app.quit", "quit"),
    ]

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.run_value = run
        self.state = RunState()
        self.status = "created"
        self.last_words = ""
        self.tab = TABS[0]

    def compose(self) -> ComposeResult:
        yield Static(id="headline")
        yield Static(id="timeline")
        with Container(id="grid"):
            yield panels.RankICPanel(id="rank-ic")
            yield panels.VerdictPanel(id="verdict")
            yield panels.GatePanel(id="gate")
            yield panels.SpreadPanel(id="spread")
            yield panels.GradientPanel(id="gradient")
            yield panels.LossPanel(id="loss")
            yield panels.MachinePanel(id="machine")
            yield panels.VariablesPanel(id="variables")
            yield panels.LogPanel(id="log")
            yield DoctorPanel(id="doctor")
        yield Static(id="tabs")
        yield Footer()

    def on_mount(self) -> None:
        self.lay_out()
        self.draw_headline()
        self.follow()

    @work(exclusive=True, group="feed")
    async def follow(self) -> None:
        """Fold what is new four times a second; one message however many events came."""
        feed = RunFeed(self.run_value)
        while True:
            news = await asyncio.to_thread(feed.poll)
            if news is not None:
                self.post_message(RunUpdated(*news))
            await asyncio.sleep(TICK_S)

    @on(RunUpdated)
    def take_news(self, message: RunUpdated) -> None:
        self.state, self.status = message.state, message.status
        self.last_words = message.last_words
        for panel in self.query(StatePanel):
            panel.state = message.state
        self.draw_headline()

    @on(Resize)
    def lay_out(self) -> None:
        """All panels at once where there is room, else the chosen one under RankIC and verdict."""
        wide = self.size.width >= WIDE and self.size.height >= TALL
        self.set_class(not wide, "narrow")
        for name in TABS:
            self.query_one(f"#{name}").display = wide or name == self.tab
        tabs = self.query_one("#tabs", Static)
        tabs.display = not wide
        text = Text(" ", no_wrap=True, overflow="ellipsis")
        for name in TABS:
            text.append(
                f"[{name}]" if name == self.tab else f" {name} ",
                "bold" if name == self.tab else "dim",
            )
        tabs.update(text)
        self.draw_headline()

    def action_next_tab(self, step: int) -> None:
        self.tab = TABS[(TABS.index(self.tab) + step) % len(TABS)]
        self.lay_out()

    def action_stop(self) -> None:
        if isinstance(self.app, Cockpit):
            self.app.stop_run(self.run_value.id)

    def action_resume(self) -> None:
        if isinstance(self.app, Cockpit):
            self.app.resume_run(self.run_value.id)

    def draw_headline(self) -> None:
        width = self.size.width
        small = too_small(width, self.size.height)
        self.query_one("#headline", Static).update(small or self.headline(width))
        self.query_one("#timeline", Static).update(
            timeline(self.state, width, live=self.status == "running")
        )

    def headline(self, width: int) -> Text:
        """Run, state, progress and time left; for a dead run what it said last and the way on."""
        state = self.state
        mark, style = MARKS.get(self.status, (GLYPHS.waiting, ""))
        text = Text(no_wrap=True, overflow="ellipsis")
        text.append(f" {mark} {self.status} ", style=f"{style} reverse".strip())
        text.append(f" {self.run_value.id} ", style="bold")
        if self.status == "crashed":
            saved = f", last checkpoint step {state.checkpoint.step}" if state.checkpoint else ""
            text.append(f" died{saved}: press r to resume  ", style="bold red")
            text.append(self.last_words, style="dim")
            return text
        if state.finished is not None and state.finished.error:
            text.append(f" {fmt.clean(state.finished.error)}", style="bold red")
            return text
        if width >= WIDE:
            text.append(f" {fmt.clean(state.device)} · {fmt.clean(state.mode)} ", style="dim")
        share = state.done_share
        if self.status == "running" and share:
            text.append(f" {meter(share, max(6, width // 10))} {fmt.percent(share)}")
            text.append(f"  eta {fmt.duration(state.eta_seconds)}", style="bold")
        elif self.status == "running":
            note = f" {state.advanced.done}/{state.advanced.total}" if state.advanced else ""
            text.append(f" {fmt.clean(state.stage)}{note} …")
        elif self.status == "created":
            text.append(" its process is starting …", style="dim")
        else:
            text.append(
                f" {fmt.duration(seconds_between(state.started, state.updated))}", style="dim"
            )
        return text


def timeline(state: RunState, width: int, *, live: bool) -> Text:
    """The phases in order: what is done, what is running or was left off, what was rolled back."""
    current = GLYPHS.running if live else GLYPHS.stopped
    text = Text(" ", no_wrap=True, overflow="ellipsis")
    for number, phase in enumerate(state.phases):
        if number:
            text.append(f" {GLYPHS.empty} ", style="dim")
        mark = {"pending": GLYPHS.waiting, "running": current, "kept": GLYPHS.done}
        text.append(
            f"{mark.get(phase.status, GLYPHS.failed)} {number} ", style=PHASE_STYLES[phase.status]
        )
        text.append(fmt.clean(phase.name), style=PHASE_STYLES[phase.status])
        text.append(_phase_detail(state, phase, width), style="dim")
    return text


def _phase_detail(state: RunState, phase: PhaseState, width: int) -> str:
    if phase.status == "running" and phase.first_epoch is not None:
        done = sum(event.epoch >= phase.first_epoch for event in state.epochs)
        return f" epoch {min(done + 1, phase.epochs)}/{phase.epochs}"
    if phase.status == "kept":
        return f" {phase.rank_ic:+.4f}"
    if phase.status == "rolled back":
        return f" {phase.rank_ic:+.4f} rolled back" if width >= WIDE else ""
    return ""
