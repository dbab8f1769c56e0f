"""One run, live: what it learns, whether it is healthy, how long it will take."""

from collections.abc import Iterable
from typing import ClassVar

from rich.text import Text
from textual.binding import BindingType
from textual.containers import Container
from textual.widget import Widget
from textual.widgets import Static

from atft_tui import format as fmt
from atft_tui.glyphs import GLYPHS
from atft_tui.keys import SCREENS, bindings
from atft_tui.readings.feed import RunFeed, RunNews, chosen_or_newest
from atft_tui.screens.base import CockpitScreen
from atft_tui.screens.runs import MARKS
from atft_tui.sizes import TALL, WIDE
from atft_tui.widgets import panels
from atft_tui.widgets.chart import meter
from atft_tui.widgets.doctor_panel import DoctorPanel
from atft_tui.widgets.panel import StatePanel
from engine.runs.state import PhaseState, RunState, seconds_between
from engine.runs.store import Run

TICK_S = 0.25
"""At most one redraw of a panel in this time, however many events came."""
TABS = ("gradient", "gate", "loss", "spread", "variables", "doctor", "machine", "log")
EMPTY = (
    """No run to watch yet: n starts one; on a fresh workspace start with the demo (ctrl+p demo)."""
)
PHASE_STYLES = {"pending": "dim", "running": "bold", "kept": "green", "rolled back": "yellow"}


class TrainScreen(CockpitScreen[RunNews]):
    """The chosen run, else the newest that trains; without any, how to start one."""

    place: ClassVar[str] = "train"
    poll_s: ClassVar[float] = TICK_S
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(SCREENS["train"])]

    def __init__(self) -> None:
        super().__init__()
        self.feed: RunFeed | None = None
        self.tab = TABS[0]

    @property
    def state(self) -> RunState:
        return self.value.state if self.value else RunState()

    @property
    def status(self) -> str:
        return self.value.status if self.value else ""

    @property
    def run_value(self) -> Run | None:
        return self.feed.run if self.feed else None

    def body(self) -> Iterable[Widget]:
        yield Static(id="timeline")
        yield Static(Text(EMPTY), id="empty")
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

    def read(self) -> RunNews:
        run = chosen_or_newest(self.cockpit.workspace, self.cockpit.chosen_run)
        if run is None:
            self.feed = None
            return RunNews()
        if self.feed is None or self.feed.run != run:
            self.feed = RunFeed(run)
        return self.feed.news()

    def show(self, value: RunNews) -> None:
        for panel in self.query(StatePanel):
            panel.state = value.state
        self.lay_out()

    def on_mount(self) -> None:
        super().on_mount()
        self.lay_out()

    def on_resize(self) -> None:
        self.lay_out()

    def lay_out(self) -> None:
        """All panels at once where there is room, else the chosen one under RankIC and verdict."""
        there = self.run_value is not None
        self.query_one("#grid").display = there
        self.query_one("#timeline").display = there
        self.query_one("#empty").display = not there
        wide = self.size.width >= WIDE and self.size.height >= TALL
        self.set_class(not wide, "narrow")
        for name in TABS:
            self.query_one(f"#{name}").display = wide or name == self.tab
        tabs = self.query_one("#tabs", Static)
        tabs.display = there and not wide
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

    def action_new_run(self) -> None:
        self.cockpit.ask("train")

    def action_stop(self) -> None:
        if self.run_value is not None:
            self.cockpit.stop_run(self.run_value.id)

    def action_resume(self) -> None:
        if self.run_value is not None:
            self.cockpit.resume_run(self.run_value.id)

    def draw_headline(self) -> None:
        super().draw_headline()
        self.query_one("#timeline", Static).update(
            timeline(self.state, self.size.width, live=self.status == "running")
        )

    def headline(self, width: int) -> Text:
        """Run, state, progress and time left; for a dead run what it said last and the way on."""
        state, run = self.state, self.run_value
        if run is None:
            return Text(" Train: no run yet", style="bold")
        mark, style = MARKS.get(self.status, (GLYPHS.waiting, ""))
        text = Text(no_wrap=True, overflow="ellipsis")
        text.append(f" {mark} {self.status} ", style=f"{style} reverse".strip())
        text.append(f" {run.id} ", style="bold")
        if self.status == "crashed":
            saved = f", last checkpoint step {state.checkpoint.step}" if state.checkpoint else ""
            text.append(f" died{saved}: press r to resume  ", style="bold red")
            text.append(self.value.last_words if self.value else "", style="dim")
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
