"""Lines of a panel: cells of a fixed width side by side, and a page that never overflows its box."""

from collections.abc import Iterable, Sequence
from itertools import groupby, islice

from rich.cells import cell_len
from rich.style import Style
from rich.text import Text

from atft_tui import format as fmt
from atft_tui.styles import DIM, PLAIN, STRONG

_Cell = str | Text


def start(words: str, style: Style) -> Text:
    """A line that begins in a style; unlike a `Text`'s own, what is appended does not inherit it."""
    return Text(no_wrap=True, end="").append(words, style)


def line(*parts: str | tuple[str, Style] | Text) -> Text:
    """Words in their styles as one line, which is cut and never wrapped."""
    return Text.assemble(*parts, no_wrap=True, overflow="ellipsis", end="")


def cell(content: _Cell, width: int, style: Style = PLAIN, *, right: bool = False) -> Text:
    """The content cut or padded to exactly so many columns; strings are cleaned."""
    text = Text(fmt.clean(content), style=style) if isinstance(content, str) else content.copy()
    text.no_wrap = True
    text.truncate(max(0, width), overflow="ellipsis")
    if right:
        text.pad_left(max(0, width - text.cell_len))
    else:
        text.pad_right(max(0, width - text.cell_len))
    return text


def row(*cells: tuple[_Cell, int] | tuple[_Cell, int, Style], gap: int = 1) -> Text:
    """Cells of (content, width, style); a negative width aligns to the right."""
    line = Text(no_wrap=True, end="")
    for number, (content, width, *style) in enumerate(cells):
        if number:
            line.append(" " * gap)
        line.append_text(cell(content, abs(width), *style, right=width < 0))
    return line


def cut(lines: Text | Iterable[Text], width: int, height: int) -> Text:
    """The first ``height`` lines below each other, each cut to ``width`` columns."""
    if isinstance(lines, Text):
        lines = lines.split("\n", allow_blank=True)
    text = Text(no_wrap=True, end="")
    for number, line in enumerate(islice(lines, max(0, height))):
        if number:
            text.append("\n")
        kept = line.copy()
        kept.truncate(max(0, width), overflow="ellipsis")
        text.append_text(kept)
    return text


def page(
    lines: Sequence[Text], width: int, height: int, rest: str = "m for the whole screen"
) -> Text:
    """The lines, cut; where they are too many the last one counts the others and says where they are."""
    shown = list(lines)
    if len(shown) > height:
        shown = shown[: max(0, height - 1)]
        shown.append(Text(f"{len(lines) - len(shown)} more lines: {rest}", style=DIM))
    return cut(shown, width, height)


def painted(cells: Iterable[tuple[str, Style]]) -> Text:
    """Characters with their styles as one line; neighbours of one style are one span, which paints faster."""
    line = Text(no_wrap=True, end="")
    for style, run in groupby(cells, key=lambda cell: cell[1]):
        line.append("".join(character for character, _ in run), style)
    return line


def tab_line(titles: Iterable[str], chosen: str, lead: str = " ") -> Text:
    """The names of what is shown one at a time, the chosen one marked."""
    line = Text(lead, no_wrap=True, overflow="ellipsis")
    for title in titles:
        here = title == chosen
        line.append(f"[{title}]" if here else f" {title} ", STRONG if here else DIM)
    return line


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


def broken(words: str, width: int) -> list[str]:
    """Cleaned words in lines, broken at spaces; a word that is longer than a line is a line by itself."""
    lines: list[str] = []
    for word in fmt.clean(words).split():
        if lines and cell_len(lines[-1]) + 1 + cell_len(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def wrapped(words: str, width: int, style: Style = PLAIN) -> list[Text]:
    """Words broken at spaces; what is longer than a line is cut."""
    return [cell(line, width, style) for line in broken(words, width)]
