"""What changed since the session before: who entered, left and turned, and the biggest moves of a rank."""

from collections.abc import Sequence

from rich.text import Text

from atft_tui import format as fmt
from atft_tui.glyphs import GLYPHS
from atft_tui.readings.signal import BookChange, StockLine
from atft_tui.styles import DIM, PLAIN, STRONG, WARN
from atft_tui.widgets.lines import beside, page, row, start
from atft_tui.widgets.panel import PlacePanel
from atft_tui.widgets.why_panel import move_text

_TWO_COLUMNS = 72
_CODE, _WEIGHT, _RANK = 6, 8, 5


class ChangePanel(PlacePanel[BookChange]):
    title = "what changed"
    empty = "Shows who entered and left the book once a signal is sealed (n)."

    def picture(self, value: BookChange, width: int, height: int) -> Text:
        lines = _head(value)
        room = height - len(lines)
        books = [
            ("entered", GLYPHS.up, value.entered),
            ("left", GLYPHS.down, value.left),
            ("flipped", GLYPHS.turned, value.flipped),
        ]
        if width >= _TWO_COLUMNS:
            half = (width - 2) // 2
            each = max(1, room // 3 - 1)
            left = [line for book in books for line in _book(*book, half, each)]
            moves = _moves(value, width - half - 2, room - 1)
            return page([*lines, *beside(left, moves, half)], width, height)
        # Headings take four lines; what is left is shared among the four parts.
        each = max(1, (room - 4) // 4)
        lines += [line for book in books for line in _book(*book, width, each)]
        return page(lines + _moves(value, width, max(1, height - len(lines) - 1)), width, height)


def _head(value: BookChange) -> list[Text]:
    if not value.since:
        words = "no earlier sealed signal: against the decision before, which it records itself"
        return [Text(words, style=DIM)]
    text = start(f"since {fmt.clean(value.since)}", DIM)
    if not value.same_model:
        text.append("  another model was champion then", style=WARN)
    return [text]


def _book(word: str, mark: str, lines: Sequence[StockLine], width: int, limit: int) -> list[Text]:
    """The largest positions; how many there are stands in the heading."""
    head = start(f"{word} {len(lines)}", STRONG)
    if len(lines) > limit:
        head.append(f"  the largest {limit}", style=DIM)
    name = width - 2 - _CODE - _WEIGHT - _RANK - 4
    style = WARN if word == "flipped" else PLAIN
    return [head] + [
        row(
            (mark, 1, style),
            (line.code, _CODE, STRONG),
            (line.name, name, DIM),
            (_percent(line.weight if word != "left" else line.weight_before), -_WEIGHT),
            (f"{line.rank}" if line.rank is not None else fmt.DASH, -_RANK),
        )
        for line in lines[:limit]
    ]


def _moves(value: BookChange, width: int, limit: int) -> list[Text]:
    head = Text("biggest moves of a rank", style=STRONG)
    if not value.moves:
        return [head, Text("none: there is nothing to compare with", style=DIM)]
    name = width - _CODE - 2 * _RANK - 6 - 6
    return [head] + [
        row(
            (line.code, _CODE, STRONG),
            (line.name, name, DIM),
            (f"{line.before}", -_RANK),
            (">", 1, DIM),
            (f"{line.rank}", -_RANK),
            (move_text(line.move), -6),
        )
        for line in value.moves[: max(0, limit)]
    ]


def _percent(weight: float) -> str:
    return f"{100 * weight:+.2f} %"
