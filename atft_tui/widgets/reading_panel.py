"""How price files were read: plan and evidence, a line each, and what was refused before them."""

from typing import ClassVar

from rich.style import Style
from rich.text import Text

from atft_tui.glyphs import GLYPHS
from atft_tui.styles import BAD, DIM, GOOD, PLAIN, STRONG, WARN
from atft_tui.widgets.lines import beside, cell, page, start, wrapped
from atft_tui.widgets.panel import PlacePanel
from engine.records.snapshot import SourceReading

_LABEL = 10
"""Columns of the word that a line starts with."""
_VERDICTS = {
    "ok": (GLYPHS.done, GOOD),
    "warned": ("!", WARN),
    "refused": (GLYPHS.failed, BAD),
}
_STYLES = {"left": DIM, "note": WARN, "warning": WARN, "refused": BAD}
"""Styles of lines by the word they start with; others are plain."""


class ReadingPanel(PlacePanel[SourceReading]):
    """How the current snapshot's files were read, with the verdict in the title."""

    title: ClassVar[str] = "reading"
    empty: ClassVar[str] = "How the files were read comes here: i ingests market data."

    def show_value(self, value: SourceReading | None) -> None:
        """The verdict stands in the title: the lines that say it may be below the edge."""
        super().show_value(value)
        self.border_title = verdict_words(value) if value and value.reading_verdict else self.title

    def picture(self, value: SourceReading, width: int, height: int) -> Text:
        return page(reading_lines(value, width), width, height)


def reading_lines(read: SourceReading, width: int) -> list[Text]:
    """The error and its way out first, then plan and evidence with a hanging indent."""
    lines = _folded(f"{GLYPHS.failed} {read.error}", width, BAD) if read.error else []
    lines += _folded(read.hint, width, STRONG) if read.hint else []
    for label, said in read.reading_lines():
        if len(label) < _LABEL:
            words = _folded(said, width - _LABEL, _STYLES.get(label, PLAIN))
            lines += beside([cell(label, _LABEL - 1, STRONG)], words, _LABEL - 1, gap=1)
        else:  # files that were not read, and how many
            lines += _folded(f"{label}: {said}", width, WARN)
    return lines


def _folded(words: str, width: int, style: Style) -> list[Text]:
    """Broken at spaces, and long words (paths) at the edge: of a refusal nothing may be cut off."""
    room = max(1, width)
    parts = (word[i : i + room] for word in words.split() for i in range(0, len(word), room))
    return wrapped(" ".join(parts), room, style)


def verdict_words(read: SourceReading) -> Text:
    """``✓ reading ok``; empty where no verdict was recorded."""
    verdict = read.reading_verdict
    if not verdict:
        return Text()
    sign, style = _VERDICTS[verdict]
    return start(f"{sign} reading {verdict}", style)
