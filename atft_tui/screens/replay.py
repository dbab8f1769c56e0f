"""A scrubber through any run, also one that died: every panel as it was at that moment."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.binding import BindingType
from textual.widget import Widget
from textual.widgets import Static

from atft_tui import format as fmt
from atft_tui.glyphs import GLYPHS
from atft_tui.keys import SCREENS, bindings
from atft_tui.readings.feed import chosen_or_newest
from atft_tui.readings.timeline import Mark, Timeline
from atft_tui.screens.base import CockpitScreen
from atft_tui.styles import DIM, RUNNING, STRONG, status
from atft_tui.widgets.run_lines import timeline
from atft_tui.widgets.run_panels import TABS, RunPanels
from atft_tui.widgets.scrubber import Scrub, Scrubber
from engine.runs.state import RunState
from engine.runs.store import Run

_TICK_S = 0.25
_CELLS = 100
"""Steps of the arrow keys through the whole run."""
PLAY_S = 60.0
"""Seconds in which the whole run is played at speed 1."""
_FASTEST = 64
_JUMPS = {
    "epoch": frozenset({"epoch"}),
    "phase": frozenset({"phase", "start", "end"}),
    "finding": frozenset({"finding"}),
}


@dataclass(frozen=True, slots=True)
class _Moment:
    """A run at a position of its stream."""

    run_id: str = ""
    status: str = ""
    length: int = 0
    position: int = 0
    complete: bool = True
    """The whole file is read."""
    state: RunState = field(default_factory=RunState)
    marks: tuple[Mark, ...] = ()


class ReplayScreen(CockpitScreen[_Moment]):
    """The chosen run, else the newest."""

    place: ClassVar[str] = "replay"
    poll_s: ClassVar[float] = _TICK_S
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(SCREENS["replay"])]

    def __init__(self) -> None:
        super().__init__()
        self.run_value: Run | None = None
        self.line: Timeline | None = None
        self.position: int | None = None
        """None follows the newest event."""
        self.speed = 0
        """Speed of the player; 0 stands still."""
        self.tab = TABS[0]

    def body(self) -> Iterable[Widget]:
        yield Static(id="timeline")
        yield Scrubber(id="scrubber")
        yield RunPanels(id="grid")
        yield Static(id="tabs")

    def on_mount(self) -> None:
        self.set_interval(_TICK_S, self.play_on)

    def read(self) -> _Moment:
        run = chosen_or_newest(self.cockpit.workspace, self.cockpit.chosen_run)
        if run is None:
            self.run_value = self.line = None
            return _Moment()
        if self.line is None or run != self.run_value:
            self.run_value, self.line, self.position = run, Timeline(run.events_path), None
        line = self.line
        line.read_on()
        if not line.complete:
            self.app.call_from_thread(self.reread)
        position = line.position if self.position is None else min(self.position, line.position)
        return _Moment(
            run_id=run.id,
            status=run.status(),
            length=line.position,
            position=position,
            complete=line.complete,
            state=line.at(position),
            marks=tuple(line.marks),
        )

    def show(self, value: _Moment) -> None:
        self.query_one(RunPanels).show_state(value.state)
        scrub = Scrub(value.length, value.position, value.marks, self.note(value))
        self.query_one(Scrubber).show_value(scrub if value.run_id else None)
        past = timeline(value.state, self.size.width, live=value.position == value.length)
        self.query_one("#timeline", Static).update(past)
        self.lay_out()

    def note(self, value: _Moment) -> str:
        last = [mark for mark in value.marks if mark.position <= value.position]
        at = value.state.updated[:19].replace("T", " ")
        words = f"{at} UTC, event {value.position:,} of {value.length:,}"
        return f"{words}; {fmt.clean(last[-1].label)}" if last else words

    def headline(self, width: int) -> Text:
        value = self.value or _Moment()
        if not value.run_id:
            return Text(" Replay: no run yet", style=STRONG)
        stands = status(value.status)
        text = Text(f" {value.run_id} ", style=STRONG)
        text.append(f"{stands.mark} {value.status} ", style=stands.style)
        if not value.complete:
            text.append(f" reading, {value.length:,} events so far …", style=DIM)
        elif value.position == value.length:
            text.append(" the newest moment", style=DIM)
        else:
            text.append(f" as it was at {fmt.percent(value.position / value.length)}", STRONG)
        if self.speed:
            text.append(f"   {GLYPHS.running} playing x{self.speed}", style=RUNNING)
        return text

    # ---- moving ----------------------------------------------------------------------------------

    @property
    def length(self) -> int:
        return self.value.length if self.value else 0

    def go_to(self, position: int) -> None:
        """The end of the stream follows it from then on."""
        position = max(1, position)
        self.position = None if position >= self.length else position
        self.reread()

    @on(Scrubber.Moved)
    def scrubbed(self, message: Scrubber.Moved) -> None:
        self.speed = 0
        self.go_to(message.position)

    @property
    def here(self) -> int:
        return self.length if self.position is None else self.position

    def action_move(self, cells: int) -> None:
        self.speed = 0
        self.go_to(self.here + cells * max(1, self.length // _CELLS))

    def action_event(self, step: int) -> None:
        self.speed = 0
        self.go_to(self.here + step)

    def action_jump(self, kind: str, step: int) -> None:
        self.speed = 0
        if self.line is not None:
            self.go_to(self.line.next_mark(self.here, step, _JUMPS[kind]))

    def action_ends(self, step: int) -> None:
        self.speed = 0
        self.go_to(self.length if step > 0 else 1)

    def action_play(self) -> None:
        """Start, or stand still; from the end it begins anew."""
        if self.speed:
            self.speed = 0
        elif self.length:
            self.speed = 1
            if self.position is None:
                self.go_to(1)
        self.draw_headline()

    def action_faster(self, factor: int) -> None:
        faster = self.speed * 2 if factor > 0 else self.speed // 2
        self.speed = max(1, min(_FASTEST, faster)) if self.speed else 0
        self.draw_headline()

    def play_on(self) -> None:
        if not self.speed or not self._in_front:
            return
        if self.position is None:
            self.speed = 0
            self.draw_headline()
            return
        self.go_to(self.here + max(1, round(self.length * _TICK_S / PLAY_S * self.speed)))

    # ---- layout ----------------------------------------------------------------------------------

    def action_next_tab(self, step: int) -> None:
        self.tab = TABS[(TABS.index(self.tab) + step) % len(TABS)]
        self.lay_out()

    def lay_out(self) -> None:
        """Show all panels where there is room, else the chosen one, as the training screen does."""
        there = self.run_value is not None
        wide = self.wide
        super().lay_out()
        self.query_one("#grid").display = there
        self.query_one("#timeline").display = there
        networks = self.value is not None and bool(self.value.state.networks)
        self.query_one(RunPanels).lay_out(self.tab, wide=wide, networks=networks)
        self.show_tabs(TABS, self.tab, seen=there and not wide)
