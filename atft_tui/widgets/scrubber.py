"""Where in a run one is: a line of time with marks, and a click that goes there."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text
from textual import events
from textual.message import Message

from atft_tui.glyphs import GLYPHS
from atft_tui.readings.timeline import Mark
from atft_tui.styles import DIM, HERE, STRONG, WARN
from atft_tui.widgets.panel import PlacePanel

_WEIGHTS = ("checkpoint", "epoch", "start", "phase", "end", "finding")
"""Kinds of marks; where several fall into one cell the last of these is shown."""
_STYLES = {"finding": WARN, "phase": STRONG, "end": STRONG, "start": STRONG}


@dataclass(frozen=True, slots=True)
class Scrub:
    length: int
    position: int
    marks: tuple[Mark, ...]
    note: str
    """Time and what is at the position."""


class Scrubber(PlacePanel[Scrub]):
    title = "time"
    empty = "No run to replay yet: 4 Runs, enter on one; or n there to start one."

    @dataclass
    class Moved(Message):
        position: int

    def picture(self, value: Scrub, width: int, height: int) -> Text:
        return scrub_lines(value, width)

    def on_click(self, event: events.Click) -> None:
        if self.value is not None and self.value.length:
            x = min(max(0, int(event.x) - self.gutter.left), self.size.width - 1)
            share = x / max(1, self.size.width - 1)
            self.post_message(self.Moved(max(1, round(share * self.value.length))))


def scrub_lines(value: Scrub, width: int) -> Text:
    """Marks, the line with the position, and the note: three lines of at most ``width`` cells."""
    marks = _mark_line(value.marks, value.length, width)
    at = _cell_of(value.position, value.length, width)
    line = Text(no_wrap=True)
    line.append(GLYPHS.full * at, style=STRONG)
    line.append(GLYPHS.point, style=HERE)
    line.append(GLYPHS.empty * (width - at - 1), style=DIM)
    note = Text(value.note, no_wrap=True)
    note.truncate(width, overflow="ellipsis")
    return Text("\n").join((marks, line, note))


def _cell_of(position: int, length: int, width: int) -> int:
    return min(width - 1, round((width - 1) * position / length)) if length else 0


def _mark_line(marks: Sequence[Mark], length: int, width: int) -> Text:
    letters = {"checkpoint": ".", "epoch": GLYPHS.bar, "start": "S", "phase": "P", "end": "E",
               "finding": "!"}  # fmt: skip
    cells: dict[int, str] = {}
    for mark in marks:
        cell = _cell_of(mark.position, length, width)
        old = cells.get(cell)
        if old is None or _WEIGHTS.index(mark.kind) > _WEIGHTS.index(old):
            cells[cell] = mark.kind
    text = Text(no_wrap=True)
    for x in range(width):
        kind = cells.get(x)
        text.append(letters[kind] if kind else " ", _STYLES.get(kind or "", DIM))
    return text
