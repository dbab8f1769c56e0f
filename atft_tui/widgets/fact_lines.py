"""Facts and sentences in a box of so many columns and lines."""

from textwrap import wrap

from rich.cells import cell_len
from rich.style import Style
from rich.text import Text

from atft_tui import format as fmt
from atft_tui import styles
from atft_tui.widgets.lines import cut

_LABEL, _SHORT_LABEL = 10, 9
"""Columns of the names on the left, in a panel of `_ROOMY` columns and in a narrower one."""
_ROOMY, TALL = 46, 9


class Lines:
    """Text grown line by line, cut to a box: names on the left, facts to the right of them."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.roomy = width >= _ROOMY
        self.label = _LABEL if self.roomy else _SHORT_LABEL
        self.lines: list[Text] = []

    def say(self, *parts: str | tuple[str, Style] | Text) -> None:
        """Add a line of words; strings are cleaned."""
        line = Text(no_wrap=True, overflow="ellipsis")
        for part in parts:
            if isinstance(part, Text):
                line.append_text(part)
            elif isinstance(part, tuple):
                line.append(fmt.clean(part[0]), part[1])
            else:
                line.append(fmt.clean(part))
        self.lines.append(line)

    def label_of(self, name: str) -> Text:
        """A name, as wide as every name on the left."""
        return Text(f"{name:<{self.label}}", styles.DIM)

    def fact(self, name: str, *parts: str | tuple[str, Style] | Text) -> None:
        """Add a line with a name on the left."""
        self.say(self.label_of(name), *parts)

    def wrap(self, head: Text, words: str, style: Style = styles.PLAIN) -> None:
        """Words after a head, on as many lines as they need, the next ones under the first."""
        indent = min(head.cell_len, self.width // 2)
        room = max(8, self.width - indent)
        for number, line in enumerate(wrap(fmt.clean(words), room) or [""]):
            start = head if number == 0 else Text(" " * indent)
            self.say(start, (line, style))

    def prose(self, *parts: str | tuple[str, Style]) -> None:
        """A sentence on as many lines as it needs, broken between words."""
        words = [
            (word, style)
            for part in parts
            for text, style in [part if isinstance(part, tuple) else (part, styles.PLAIN)]
            for word in fmt.clean(text).split()
        ]
        line = Text(no_wrap=True)
        for word, style in words:
            gap = " " if line.cell_len and word[0] not in ",.:" else ""
            if line.cell_len and line.cell_len + len(gap) + cell_len(word) > self.width:
                self.lines.append(line)
                line, gap = Text(no_wrap=True), ""
            line.append(gap)
            line.append(word, style)
        self.lines.append(line)

    def space(self) -> None:
        """An empty line where there is room to spare."""
        if self.height >= TALL:
            self.lines.append(Text(""))

    def text(self) -> Text:
        """The lines, cut to the box."""
        return cut(self.lines, self.width, self.height)
