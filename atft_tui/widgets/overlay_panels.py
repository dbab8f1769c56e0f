"""The marked runs in one picture: RankIC and loss per epoch, and paired differences."""

from collections.abc import Sequence
from typing import ClassVar

from rich.cells import set_cell_size
from rich.text import Text

from atft_tui import format as fmt
from atft_tui.readings.runs_screen import Overlay
from atft_tui.styles import DIM, STRONG
from atft_tui.widgets.chart import LETTER_STYLES, LETTERS, Curve, curves, legend
from atft_tui.widgets.lines import cut
from atft_tui.widgets.panel import PlacePanel

_MARK_FIRST = "Nothing is marked: go back to the list (esc) and mark up to six runs with space."
_LEGEND_ROOM = 10
"""Lines from which a legend has its place above the curves."""


class OverlayRankIC(PlacePanel[Overlay]):
    title: ClassVar[str] = "validation RankIC per epoch (small letter: inside the null band)"
    empty: ClassVar[str] = _MARK_FIRST

    def picture(self, value: Overlay, width: int, height: int) -> Text:
        none = "None of the marked runs has a validation yet."
        return _picture([run.rank_ic for run in value.runs], width, height, none, zero=True)


class OverlayLoss(PlacePanel[Overlay]):
    title: ClassVar[str] = "loss per epoch, training days"
    empty: ClassVar[str] = _MARK_FIRST

    def picture(self, value: Overlay, width: int, height: int) -> Text:
        none = "None of the marked runs has logged a step yet."
        return _picture([run.loss for run in value.runs], width, height, none, zero=False)


class PairsPanel(PlacePanel[Overlay]):
    title: ClassVar[str] = "paired differences of test RankIC, common days"
    empty: ClassVar[str] = _MARK_FIRST

    def picture(self, value: Overlay, width: int, height: int) -> Text:
        letters = {run.about.id: LETTERS[n] for n, run in enumerate(value.runs)}
        text = Text(no_wrap=True)
        if not value.pairs:
            more = "" if len(value.runs) > 1 else " (mark two at least)"
            return Text(f"None on file: c compares the marked runs{more}.", style=DIM)
        for number, pair in enumerate(value.pairs):
            if number == height - 1 and len(value.pairs) > height:
                text.append(f"and {len(value.pairs) - number} more", style=DIM)
                break
            gap = pair.gap
            undecided = gap.low <= 0.0 <= gap.high
            line = (
                f"{letters[gap.first]} - {letters[gap.second]}  {'~' if undecided else ' '}"
                f"{fmt.rank_ic(gap.difference, gap.se)}  {pair.confidence:.0%} "
                f"[{fmt.number(gap.low)}, {fmt.number(gap.high)}]  {fmt.clean(gap.direction)} "
                f"(n={gap.n_dates}, h={pair.horizon})"
            )
            text.append(set_cell_size(line, width), style=DIM if undecided else STRONG)
            text.append("\n")
        return cut(text, width, height)


def _picture(found: Sequence[Curve], width: int, height: int, none: str, *, zero: bool) -> Text:
    text = Text(no_wrap=True)
    if not any(curve.points for curve in found):
        return Text(none, style=DIM)
    if height >= _LEGEND_ROOM:
        names = legend(found, width)
        text.append_text(names)
        text.append("\n")
        height -= names.plain.count("\n") + 1
    else:
        for number, curve in enumerate(found):
            text.append(f"{LETTERS[number]} ", style=LETTER_STYLES[number])
            text.append(fmt.clean(curve.name)[-4:] + "  ", style=DIM)
        text.truncate(width)
        text.append("\n")
        height -= 1
    text.append_text(curves(found, width=width, height=height, zero=zero))
    return cut(text, width, height)
