"""Lines of a picture that stay in their box."""

from collections.abc import Sequence

from rich.text import Text


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
