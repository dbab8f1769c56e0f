"""The marked runs against each other: RankIC and loss per epoch, paired differences, settings."""

from collections.abc import Sequence
from typing import ClassVar

from rich.cells import cell_len, chop_cells, set_cell_size
from rich.text import Text

from atft_tui import format as fmt
from atft_tui.readings.runs_screen import Overlay, SettingRow
from atft_tui.styles import DIM, STRONG
from atft_tui.widgets.chart import LETTER_STYLES, LETTERS, Curve, curves, legend
from atft_tui.widgets.lines import cut, line
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
        if not value.pairs:
            more = "" if len(value.runs) > 1 else " (mark two at least)"
            return Text(f"None on file: c compares the marked runs{more}.", style=DIM)
        letters = {run.about.id: LETTERS[n] for n, run in enumerate(value.runs)}
        lines = []
        for pair in value.pairs:
            gap = pair.gap
            noise = gap.low <= 0.0 <= gap.high
            told = (
                f"{letters[gap.first]} - {letters[gap.second]}  {'~' if noise else ' '}"
                f"{fmt.rank_ic(gap.difference, gap.se)}  {pair.confidence:.0%} "
                f"[{fmt.number(gap.low)}, {fmt.number(gap.high)}]  {fmt.clean(gap.direction)} "
                f"(n={gap.n_dates}, h={pair.horizon})"
            )
            lines.append(line((set_cell_size(told, width), DIM if noise else STRONG)))
        if len(lines) > height:
            lines[height - 1 :] = [line((f"and {len(lines) - height + 1} more", DIM))]
        return cut(lines, width, height)


def _picture(found: Sequence[Curve], width: int, height: int, none: str, *, zero: bool) -> Text:
    if not any(curve.points for curve in found):
        return Text(none, style=DIM)
    if height >= _LEGEND_ROOM:
        names = legend(found, width)
    else:
        names = Text(no_wrap=True)
        for letter, style, curve in zip(LETTERS, LETTER_STYLES, found, strict=False):
            names.append(f"{letter} ", style=style)
            names.append(fmt.clean(curve.name)[-4:] + "  ", style=DIM)
        names.truncate(width)
    room = height - names.plain.count("\n") - 1
    picture = curves(found, width=width, height=room, zero=zero)
    return cut(Text.assemble(names, "\n", picture), width, height)


class DifferencePanel(PlacePanel[SettingRow]):
    title: ClassVar[str] = "whole values"
    empty: ClassVar[str] = "The key under the cursor."

    def picture(self, value: SettingRow, width: int, height: int) -> Text:
        lines = [line((fmt.clean(value.key), STRONG))]
        for letter, style, words in zip(LETTERS, LETTER_STYLES, value.values, strict=False):
            told = fmt.clean(words)
            fits = cell_len(told) <= width - 2
            for number, part in enumerate([told] if fits else chop_cells(told, max(2, width - 2))):
                lines.append(line((f"{letter} " if number == 0 else "  ", style), part))
        return cut(lines, width, height)
