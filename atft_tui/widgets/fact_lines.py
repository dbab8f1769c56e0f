"""Facts and sentences in a box of so many columns and lines."""

from textwrap import wrap

from rich.cells import cell_len
from rich.style import Style
from rich.text import Text

from atft_tui import format as fmt
from atft_tui import styles
from atft_tui.widgets.lines import broken, cut, line

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
