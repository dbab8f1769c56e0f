"""Lines of a picture that stay in their box."""

import itertools
from collections.abc import Iterable, Sequence

from rich.text import Text


def painted(cells: Iterable[tuple[str, str]]) -> Text:
    """Characters with their styles as one line; neighbours of one style are one span, which paints faster."""
    line = Text(no_wrap=True, end="")
    for style, run in itertools.groupby(cells, key=lambda cell: cell[1]):
        line.append("".join(character for character, _ in run), style or None)
    return line


def stacked(rows: Sequence[Text], width: int, height: int) -> Text:
    """The first ``height`` rows below each other, each cut to ``width`` columns."""
    out = Text(no_wrap=True, end="")
    for number, row in enumerate(rows[: max(0, height)]):
        line = row.copy()
        line.truncate(max(0, width), overflow="ellipsis")
        if number:
            out.append("\n")
        out.append_text(line)
    return out
