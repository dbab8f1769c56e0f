"""One key of a comparison of settings, with the whole value of each run."""

from typing import ClassVar

from rich.cells import cell_len, chop_cells
from rich.text import Text

from atft_tui import format as fmt
from atft_tui.readings.runs_screen import SettingRow
from atft_tui.styles import STRONG
from atft_tui.widgets.chart import LETTER_STYLES, LETTERS
from atft_tui.widgets.lines import cut, start
from atft_tui.widgets.panel import PlacePanel


class DifferencePanel(PlacePanel[SettingRow]):
    title: ClassVar[str] = "whole values"
    empty: ClassVar[str] = "The key under the cursor."

    def picture(self, value: SettingRow, width: int, height: int) -> Text:
        text = start(fmt.clean(value.key), STRONG)
        left = height - 1
        for letter, style, words in zip(LETTERS, LETTER_STYLES, value.values, strict=False):
            for number, part in enumerate(_parts(fmt.clean(words), width - 2)):
                if not left:
                    return cut(text, width, height)
                text.append("\n")
                text.append(f"{letter} " if number == 0 else "  ", style=style)
                text.append(part)
                left -= 1
        return cut(text, width, height)


def _parts(words: str, width: int) -> list[str]:
    return [words] if cell_len(words) <= width else chop_cells(words, max(2, width))
