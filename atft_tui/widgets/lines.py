"""Lines of a panel: cells side by side, facts behind names, and a page that never overflows its box."""

from collections.abc import Iterable, Sequence
from itertools import groupby, islice
from textwrap import wrap

from rich.cells import cell_len
from rich.style import Style
from rich.text import Text

from atft_tui import format as fmt
from atft_tui import styles
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


def tab_line(titles: Iterable[str], chosen: str) -> Text:
    """The names of what is shown one at a time, the chosen one marked."""
    line = Text(no_wrap=True, overflow="ellipsis")
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


_LABEL, _SHORT_LABEL = 10, 9
"""Columns of the names on the left, in a panel of `_ROOMY` columns and in a narrower one."""
_ROOMY, TALL = 46, 9


class Lines:
    """Text grown line by line, cut to a box: names on the left, facts to the right of them."""

    def __init__(self, width: int, height: int, label: int = 0) -> None:
        self.width, self.height = width, height
        self.roomy = width >= _ROOMY
        self.label = label or (_LABEL if self.roomy else _SHORT_LABEL)
        self.lines: list[Text] = []

    def say(self, *parts: str | tuple[str, Style] | Text) -> None:
        """Add a line of words; strings are cleaned."""
        clean = (
            part if isinstance(part, Text)
            else (fmt.clean(part[0]), part[1]) if isinstance(part, tuple) else fmt.clean(part)
            for part in parts
        )  # fmt: skip
        self.lines.append(line(*clean))

    def label_of(self, name: str) -> Text:
        """A name, as wide as every name on the left."""
        return Text(f"{fmt.clean(name):<{self.label}}", styles.DIM)

    def fact(self, name: str, *parts: str | tuple[str, Style] | Text) -> None:
        """Add a line with a name on the left."""
        self.say(self.label_of(name), *parts)

    def wrap(self, head: Text, words: str, style: Style = styles.PLAIN) -> None:
        """Words after a head, on as many lines as they need, the next ones under the first."""
        indent = min(head.cell_len, self.width // 2)
        room = max(8, self.width - indent)
        for number, part in enumerate(wrap(fmt.clean(words), room) or [""]):
            self.say(head if number == 0 else " " * indent, (part, style))

    def fold(self, name: str, words: str, style: Style = styles.PLAIN, most: int = 4) -> None:
        """Words behind a name on several lines, ``most`` of them, broken at spaces only."""
        lines = broken(words, max(8, self.width - self.label)) or [""]
        for number, part in enumerate(lines[:most]):
            self.fact("" if number else name, (part, style))

    def prose(self, *parts: str | tuple[str, Style]) -> None:
        """A sentence on as many lines as it needs, broken between words."""
        words = [
            (word, style)
            for part in parts
            for text, style in [part if isinstance(part, tuple) else (part, styles.PLAIN)]
            for word in fmt.clean(text).split()
        ]
        text = Text(no_wrap=True)
        for word, style in words:
            gap = " " if text.cell_len and word[0] not in ",.:" else ""
            if text.cell_len and text.cell_len + len(gap) + cell_len(word) > self.width:
                self.lines.append(text)
                text, gap = Text(no_wrap=True), ""
            text.append(gap).append(word, style)
        self.lines.append(text)

    def space(self) -> None:
        """An empty line where there is room to spare."""
        if self.height >= TALL:
            self.lines.append(Text(""))

    def text(self) -> Text:
        """The lines, cut to the box."""
        return cut(self.lines, self.width, self.height)
