"""Lines of a panel: cells of a fixed width side by side, and a page that never overflows its box."""

from collections.abc import Sequence

from rich.cells import cell_len
from rich.text import Text

from atft_tui import format as fmt
from atft_tui.glyphs import GLYPHS

Cell = str | Text


def start(words: str, style: str) -> Text:
    """A line that begins in a style; unlike a `Text`'s own, what is appended does not inherit it."""
    return Text(no_wrap=True, end="").append(words, style)


def cell(content: Cell, width: int, style: str = "", *, right: bool = False) -> Text:
    """The content cut or padded to exactly so many columns; strings are cleaned."""
    text = Text(fmt.clean(content), style=style) if isinstance(content, str) else content.copy()
    text.no_wrap = True
    text.truncate(max(0, width), overflow="ellipsis")
    if right:
        text.pad_left(max(0, width - text.cell_len))
    else:
        text.pad_right(max(0, width - text.cell_len))
    return text


def row(*cells: tuple[Cell, int] | tuple[Cell, int, str], gap: int = 1) -> Text:
    """Cells of (content, width, style); a negative width aligns to the right."""
    line = Text(no_wrap=True, end="")
    for number, (content, width, *style) in enumerate(cells):
        if number:
            line.append(" " * gap)
        line.append_text(cell(content, abs(width), *style, right=width < 0))
    return line


def page(lines: Sequence[Text], width: int, height: int) -> Text:
    """The lines, each cut to the width; what is too much for the height is said in the last one."""
    shown = list(lines)
    if len(shown) > height:
        left = len(shown) - height + 1
        rest = f"{left} more lines: m for the whole screen"
        shown = [*shown[: max(0, height - 1)], Text(rest, style="dim")][:height]
    text = Text(no_wrap=True, end="")
    for number, line in enumerate(shown):
        if number:
            text.append("\n")
        cut = line.copy()
        cut.truncate(max(0, width), overflow="ellipsis")
        text.append_text(cut)
    return text


def beside(left: Sequence[Text], right: Sequence[Text], width: int, gap: int = 2) -> list[Text]:
    """Two blocks next to each other; the left one is ``width`` columns wide."""
    lines = []
    for number in range(max(len(left), len(right))):
        first = left[number] if number < len(left) else Text()
        line = Text(no_wrap=True, end="").append_text(cell(first, width))
        line.append(" " * gap)
        if number < len(right):
            line.append_text(right[number])
        lines.append(line)
    return lines


def wrapped(words: str, width: int, style: str = "") -> list[Text]:
    """Words broken at spaces; what is longer than a line is cut."""
    lines, line = [], ""
    for word in fmt.clean(words).split():
        if line and cell_len(line) + 1 + cell_len(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return [cell(one, width, style) for one in (*lines, line) if one]


def bar(share: float, width: int) -> str:
    """A bar of at most so many columns for a share of 0..1; what is not a number is blank."""
    if not 0.0 <= share <= 1.0:
        share = 1.0 if share > 1.0 else 0.0
    full = round(share * width)
    return GLYPHS.full * full + " " * (width - full)
