"""Stocks per session over the whole span: a hole is seen however many sessions share a column."""

import math
from bisect import bisect_left
from collections import Counter
from typing import ClassVar

from rich.style import Style
from rich.text import Text

from atft_tui import format as fmt
from atft_tui.readings.data import Coverage, Mark
from atft_tui.styles import BAD, DIM, STRONG, WARN
from atft_tui.widgets.chart_panel import ChartPanel
from atft_tui.widgets.curves import Chart, Curve
from atft_tui.widgets.lines import line

MARKS: dict[Mark, tuple[str, Style, str]] = {
    "missing": ("x", BAD, "session without any bar"),
    "excluded": ("!", BAD, "excluded: no bar was kept"),
    "thin": ("v", WARN, "thin: far fewer stocks than usual"),
    "unknown": ("?", WARN, "no session of the exchange"),
}
"""Sign, style and meaning, the gravest first."""


class CoveragePanel(ChartPanel[Coverage]):
    """Stocks with a bar and members of the universe, session by session; below, what is wrong with a day."""

    title: ClassVar[str] = "stocks with a bar per session"
    empty: ClassVar[str] = (
        "No session checked yet.\n\nc checks what is stored: its sessions, findings and stocks come here."
    )

    @property
    def at(self) -> int:
        """Number of the session under the crosshair; the last one where there is none."""
        share = 1.0 if self.view.cursor is None else self.view.cursor
        return round(share * max(0, self.points() - 1))

    def chart(self, value: Coverage) -> Chart:
        days = range(len(value.names))
        inside = [math.nan if count is None else float(count) for count in value.members]
        # The gravest comes last: it is the one that is seen where several share a column.
        signs = {
            float(n): MARKS[mark][:2]
            for kind in reversed(MARKS)
            for n, mark in enumerate(value.marks)
            if mark == kind
        }
        return Chart(
            curves=[
                Curve(name="stocks", x=days, y=value.names),
                Curve(name="universe", x=days, y=inside),
            ],
            zero=True,
            signs=signs,
            x_words=lambda n: value.dates[round(n)],
            y_words=lambda count: f"{count:,.0f}",
        )

    def head(self, value: Coverage, width: int) -> list[Text]:
        return [_told_day(value, self.at)]

    def show_coverage(self, coverage: Coverage) -> None:
        """Another span; the crosshair stays on its day."""
        before = self.value
        day = before.dates[self.at] if before and self.view.cursor is not None else ""
        self.show_value(coverage if coverage.dates else None)
        if day and coverage.dates:
            self.to(day)

    def to(self, day: str) -> None:
        """The crosshair on a day, or on the first session after it."""
        if self.value is not None:
            self._point(bisect_left(self.value.dates, day))

    def to_mark(self, step: int) -> None:
        """The crosshair on the next (or, with -1, the last) session that something is wrong with."""
        marks = self.value.marks if self.value is not None else ()
        places = range(self.at + step, len(marks) if step > 0 else -1, step)
        found = next((n for n in places if marks[n]), None)
        if found is not None:
            self._point(found)

    def _point(self, session: int) -> None:
        self.look(self.view.pointing(session / max(1, self.points() - 1)))


def _told_day(coverage: Coverage, i: int) -> Text:
    """``2016-03-04  thin: far fewer stocks than usual`` for the session under the crosshair."""
    text = line((fmt.clean(coverage.dates[i]), STRONG))
    mark = coverage.marks[i]
    if all(count is None for count in coverage.members):
        text.append("  no universe built yet (audit or train)", style=DIM)
    if mark:
        sign, style, meaning = MARKS[mark]
        return text.append(f"  {sign} {meaning}", style=style)
    found = Counter(coverage.marks)
    counts = [f"{found[m]} {m} {MARKS[m][0]}" for m in MARKS if found[m]]
    if coverage.unlisted:
        counts.append(f"{coverage.unlisted} missing not listed")
    told = ", ".join(counts) or "nothing is missing"
    return text.append(f"  whole span: {told}", style=DIM)
