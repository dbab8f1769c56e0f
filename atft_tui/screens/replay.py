"""A scrubber through any run, also one that died: every panel as it was at that moment."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar

from rich.text import Text
from textual import events, on
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from atft_tui import format as fmt
from atft_tui.glyphs import GLYPHS
from atft_tui.keys import following
from atft_tui.readings.feed import Mark, Timeline, chosen_or_newest
from atft_tui.screens.base import CockpitScreen
from atft_tui.styles import DIM, HERE, RUNNING, STRONG, WARN, status
from atft_tui.widgets.lines import cut, line, painted
from atft_tui.widgets.panel import PlacePanel
from atft_tui.widgets.run_lines import timeline
from atft_tui.widgets.run_panels import TABS, RunPanels
from engine.runs.state import RunState
from engine.runs.store import Run

_MARKS = {
    "checkpoint": (".", DIM),
    "epoch": (GLYPHS.bar, DIM),
    "start": ("S", STRONG),
    "phase": ("P", STRONG),
    "end": ("E", STRONG),
    "finding": ("!", WARN),
}
"""Sign and style of each kind of mark; where several fall into one cell the last of these is shown."""
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
class Moment:
    """A run at a position of its stream."""

    run_id: str = ""
    status: str = ""
    length: int = 0
    position: int = 0
    complete: bool = True
    """The whole file is read."""
    state: RunState = field(default_factory=RunState)
    marks: tuple[Mark, ...] = ()

    @property
    def note(self) -> str:
        """Time, and what is at the position."""
        last = [mark for mark in self.marks if mark.position <= self.position]
        at = self.state.updated[:19].replace("T", " ")
        words = f"{at} UTC, event {self.position:,} of {self.length:,}"
        return f"{words}; {fmt.clean(last[-1].label)}" if last else words


class Scrubber(PlacePanel[Moment]):
    """Where in a run one is: a line of time with marks, and a click that goes there."""

    title = "time"
    empty = "No run to replay yet: 4 Runs, enter on one; or n there to start one."

    @dataclass
    class Moved(Message):
        """A moment was clicked."""

        position: int

    def depends(self, value: Moment) -> tuple[object, ...]:
        """What the three lines show."""
        return (value.length, value.position, value.marks, value.note)

    def picture(self, value: Moment, width: int, height: int) -> Text:
        """Marks, the line with the position, and the note: three lines of at most ``width`` cells."""
        kinds, order = [""] * width, ["", *_MARKS]
        for mark in value.marks:
            x = self._cell(mark.position, value.length, width)
            kinds[x] = max(kinds[x], mark.kind, key=order.index)
        at = self._cell(value.position, value.length, width)
        before, after = GLYPHS.full * at, GLYPHS.empty * (width - at - 1)
        now = line((before, STRONG), (GLYPHS.point, HERE), (after, DIM))
        return cut(
            (painted(_MARKS.get(k, (" ", DIM)) for k in kinds), now, line(value.note)), width, 3
        )

    def on_click(self, event: events.Click) -> None:
        if self.value is not None and self.value.length:
            x = min(max(0, int(event.x) - self.gutter.left), self.size.width - 1)
            share = x / max(1, self.size.width - 1)
            self.post_message(self.Moved(max(1, round(share * self.value.length))))

    @staticmethod
    def _cell(position: int, length: int, width: int) -> int:
        return min(width - 1, round((width - 1) * position / length)) if length else 0


class ReplayScreen(CockpitScreen[Moment]):
    """The chosen run, else the newest."""

    place: ClassVar[str] = "replay"
    poll_s: ClassVar[float] = _TICK_S

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

    def read(self) -> Moment:
        run = chosen_or_newest(self.cockpit.workspace, self.cockpit.chosen_run)
        if run is None:
            self.run_value = self.line = None
            return Moment()
        if self.line is None or run != self.run_value:
            self.run_value, self.line, self.position = run, Timeline(run.events_path), None
        line = self.line
        line.read_on()
        if not line.complete:
            self.app.call_from_thread(self.reread)
        position = line.position if self.position is None else min(self.position, line.position)
        return Moment(
            run_id=run.id,
            status=run.status(),
            length=line.position,
            position=position,
            complete=line.complete,
            state=line.at(position),
            marks=tuple(line.marks),
        )

    def show(self, value: Moment) -> None:
        self.query_one(RunPanels).show_state(value.state)
        self.query_one(Scrubber).show_value(value if value.run_id else None)
        past = timeline(value.state, self.size.width, live=value.position == value.length)
        self.query_one("#timeline", Static).update(past)
        self.lay_out()

    def headline(self, width: int) -> Text:
        value = self.value or Moment()
        if not value.run_id:
            return Text(" Replay: no run yet", style=STRONG)
        stands = status(value.status)
        when = (" the newest moment", DIM)
        if not value.complete:
            when = (f" reading, {fmt.counted(value.length, 'event')} so far …", DIM)
        elif value.position != value.length:
            when = (f" as it was at {fmt.percent(value.position / value.length)}", STRONG)
        playing = f"   {GLYPHS.running} playing x{self.speed}" if self.speed else ""
        now = (f"{stands.mark} {value.status} ", stands.style)
        return line((f" {value.run_id} ", STRONG), now, when, (playing, RUNNING))

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
        """Go to the moment that was clicked."""
        self.stop_at(message.position)

    @property
    def here(self) -> int:
        return self.length if self.position is None else self.position

    def stop_at(self, position: int) -> None:
        """Go there and stand still."""
        self.speed = 0
        self.go_to(position)

    def action_move(self, cells: int) -> None:
        self.stop_at(self.here + cells * max(1, self.length // _CELLS))

    def action_event(self, step: int) -> None:
        self.stop_at(self.here + step)

    def action_jump(self, kind: str, step: int) -> None:
        if self.line is not None:
            self.stop_at(self.line.next_mark(self.here, step, _JUMPS[kind]))

    def action_ends(self, step: int) -> None:
        self.stop_at(self.length if step > 0 else 1)

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
        self.tab = following(TABS, self.tab, step)
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
