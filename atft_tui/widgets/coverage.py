"""Stocks per session over the whole span: a hole is seen however many sessions share a column."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from rich.style import Style
from rich.text import Text

from atft_tui import format as fmt
from atft_tui.glyphs import GLYPHS
from atft_tui.readings.data import Coverage, Mark
from atft_tui.styles import BAD, BAR, DIM, PLAIN, REFERENCE, REVERSE, STRONG, WARN
from atft_tui.widgets.canvas import Canvas
from atft_tui.widgets.lines import cut, line
from atft_tui.widgets.panel import PlacePanel

AXIS_WIDTH = 7
MARKS: dict[Mark, tuple[str, Style, str]] = {
    "missing": ("x", BAD, "session without any bar"),
    "excluded": ("!", BAD, "excluded: no bar was kept"),
    "thin": ("v", WARN, "thin: far fewer stocks than usual"),
    "unknown": ("?", WARN, "no session of the exchange"),
}
"""Sign, style and meaning, the gravest first."""
_GRAVEST = tuple(MARKS)


@dataclass(frozen=True, slots=True)
class CoverageView:
    """What is drawn: sessions ``first`` up to ``stop``, and the one under the cursor."""

    coverage: Coverage
    first: int
    stop: int
    cursor: int

    @property
    def size(self) -> int:
        """Sessions of the whole span."""
        return len(self.coverage.dates)

    @classmethod
    def whole(cls, coverage: Coverage) -> "CoverageView":
        """All sessions, the cursor on the last."""
        n = len(coverage.dates)
        return cls(coverage, 0, n, max(0, n - 1))

    def moved(self, step: int) -> "CoverageView":
        """Cursor by so many sessions; the window follows."""
        cursor = min(max(0, self.cursor + step), max(0, self.size - 1))
        return self._around(cursor, self.stop - self.first)

    def to(self, date: str) -> "CoverageView":
        """Cursor on a day, or on the first session after it."""
        dates = self.coverage.dates
        at = next((i for i, day in enumerate(dates) if day >= date), self.size - 1)
        return self.moved(at - self.cursor)

    def zoomed(self, factor: float) -> "CoverageView":
        """So many times closer (above 1) or farther; the cursor stays in sight."""
        span = min(self.size, max(min(self.size, 10), round((self.stop - self.first) / factor)))
        middle = self.cursor - span // 2
        first = min(max(0, middle), max(0, self.size - span))
        return CoverageView(self.coverage, first, first + span, self.cursor)

    def marked(self, step: int) -> "CoverageView":
        """Cursor on the next (or, with -1, the last) session that something is wrong with."""
        marks = self.coverage.marks
        places = range(self.cursor + step, self.size if step > 0 else -1, step)
        found = next((i for i in places if marks[i]), None)
        return self if found is None else self.moved(found - self.cursor)

    def _around(self, cursor: int, span: int) -> "CoverageView":
        first = min(self.first, cursor) if cursor < self.stop else cursor - span + 1
        return CoverageView(self.coverage, first, first + span, cursor)


class CoveragePanel(PlacePanel[CoverageView]):
    """Stocks per session, drawn by `coverage_picture`."""

    title: ClassVar[str] = "stocks with a bar per session"
    empty: ClassVar[str] = (
        "No session checked yet.\n\nc checks what is stored: its sessions, findings and stocks come here."
    )

    def picture(self, value: CoverageView, width: int, height: int) -> Text:
        """Day told, bars with the universe's size as a line, marks, axis: ``height`` lines."""
        columns, rows = max(1, width - AXIS_WIDTH), max(1, height - 3)
        groups = _groups(value, columns)
        marks = Text(" " * AXIS_WIDTH, no_wrap=True)
        for group in groups:
            marks_here = value.coverage.marks[group.start : group.stop]
            mark: Mark = next((mark for mark in _GRAVEST if mark in marks_here), "")
            sign, style, _ = MARKS[mark] if mark else (" ", PLAIN, "")
            if value.cursor in group:
                sign, style = sign.replace(" ", "^"), style + REVERSE
            marks.append(sign, style=style)
        bars = _bars(value, groups, rows) if groups else ()
        return cut((_told_day(value), *bars, marks, _axis(value, width)), width, height)

    def show_coverage(self, coverage: Coverage) -> None:
        """The whole span; the cursor stays on its day unless it was on the last one."""
        view = self.value
        if view is not None and view.coverage is coverage:
            return
        fresh = CoverageView.whole(coverage)
        if view is not None and fresh.size and view.cursor < view.size - 1:
            fresh = fresh.to(view.coverage.dates[view.cursor])
        self.show_value(fresh if fresh.size else None)

    def change(self, what: Literal["day", "mark", "zoom"], by: float) -> None:
        """Move by columns, to a marked day, or zoom."""
        view = self.value
        if view is None:
            return
        if what == "zoom":
            self.show_value(view.zoomed(by))
        elif what == "mark":
            self.show_value(view.marked(int(by)))
        else:
            columns = max(1, self.size.width - AXIS_WIDTH)
            self.show_value(view.moved(int(by) * max(1, (view.stop - view.first) // columns)))


def _told_day(view: CoverageView) -> Text:
    """``2016-03-04  2,812 stocks  universe 1,204  thin: ...`` for the session under the cursor."""
    if not view.size:
        return Text("no session", style=DIM)
    coverage, i = view.coverage, view.cursor
    text = line((fmt.clean(coverage.dates[i]), STRONG), (f"  {coverage.names[i]:,} stocks", BAR))
    members, mark = coverage.members[i], coverage.marks[i]
    if members is not None:
        text.append(f"  universe {members:,}", style=REFERENCE)
    elif all(count is None for count in coverage.members):
        text.append("  no universe built yet (audit or train)", style=DIM)
    if mark:
        sign, style, meaning = MARKS[mark]
        return text.append(f"  {sign} {meaning}", style=style)
    found = Counter(coverage.marks)
    counts = [f"{found[m]} {m} {MARKS[m][0]}" for m in _GRAVEST if found[m]]
    if coverage.unlisted:
        counts.append(f"{coverage.unlisted} missing not listed")
    told = ", ".join(counts) or "nothing is missing"
    return text.append(f"  whole span: {told}", style=DIM)


def _groups(view: CoverageView, columns: int) -> list[range]:
    """Sessions of each column: a few share one, or one takes a few."""
    span = view.stop - view.first
    if span <= 0:
        return []
    starts = [view.first + x * span // columns for x in range(columns)]
    ends = [view.first + (x + 1) * span // columns for x in range(columns)]
    return [range(a, max(b, a + 1)) for a, b in zip(starts, ends, strict=True)]


def _bars(view: CoverageView, groups: Sequence[range], rows: int) -> list[Text]:
    coverage, steps = view.coverage, len(GLYPHS.blocks)
    top = max([*coverage.names, *(count for count in coverage.members if count is not None), 1])
    canvas = Canvas(len(groups), rows)
    for x, group in enumerate(groups):
        here = REVERSE if view.cursor in group else PLAIN
        level = round(min(coverage.names[group.start : group.stop]) / top * rows * steps)
        for row in range(rows):
            full = min(level - row * steps, steps)
            character = GLYPHS.blocks[full - 1] if full > 0 else " "
            canvas.put(x, rows - 1 - row, character, BAR + here)
        count = coverage.members[group[-1]]
        if count is not None:
            row = min(rows - 1, int(count / top * rows))
            canvas.put(x, rows - 1 - row, GLYPHS.full, REFERENCE + here)
    labels = {rows - 1: "0", 0: f"{top:,}"}
    return list(canvas.framed(labels, AXIS_WIDTH).split("\n", allow_blank=True))


def _axis(view: CoverageView, width: int) -> Text:
    """First and last day in sight, and how many sessions that is."""
    if not view.size:
        return Text()
    dates, span = view.coverage.dates, view.stop - view.first
    first, last = (fmt.clean(dates[i]) for i in (view.first, view.stop - 1))
    middle = f"{span:,} of {view.size:,} sessions, universe {GLYPHS.full * 2}"
    room = width - AXIS_WIDTH - len(first) - len(last)
    text = Text(" " * AXIS_WIDTH + first, style=DIM, no_wrap=True)
    text.append(middle.center(room) if room >= len(middle) + 2 else " " * max(1, room))
    text.append(last)
    text.truncate(max(1, width))
    return text
