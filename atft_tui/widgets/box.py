"""The last step of a picture: no line wider and no line more than there is room for."""

from rich.text import Text


def boxed(text: Text, width: int, height: int) -> Text:
    """The text cut to so many columns (a Japanese character takes two) and lines."""
    lines = list(text.split("\n", allow_blank=True))[: max(0, height)]
    for line in lines:
        line.truncate(max(0, width))
    whole = Text("\n", no_wrap=True).join(lines)
    whole.no_wrap = True
    return whole
