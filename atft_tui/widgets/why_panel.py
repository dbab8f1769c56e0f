"""Why a stock has its rank, and what changed of ranks and book since the session before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.text import Text

from atft_tui import format as fmt
from atft_tui.glyphs import GLYPHS
from atft_tui.readings.signal import BookChange, Neighbour, StockLine, Why
from atft_tui.styles import BAR, DIM, DOWN, PLAIN, STRONG, UP, WARN
from atft_tui.widgets.lines import beside, cell, line, page, row, start, wrapped
from atft_tui.widgets.panel import PlacePanel
from atft_tui.widgets.strips import BlockScale, meter

_SIDE_BY_SIDE = 50
"""Columns from which variables and neighbours stand next to each other."""
_NAME_FROM = 6
"""Columns left for a neighbour's name below which it is not worth showing."""
_NOT_EXPLAINED = (
    "Variables and ranks without a neighbour are worked out for the largest positions only "
    "(signals.explain_names)."
)
_TWO_COLUMNS = 72
_CODE, _WEIGHT, _RANK = 6, 8, 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A stock of a session, and what is known of it."""

    session: str
    scored: int
    """Stocks ranked."""
    horizon: int
    line: StockLine
    why: Why
    names: Mapping[str, StockLine]
    """The neighbours' lines, by code."""


class WhyPanel(PlacePanel[Question]):
    title = "why this stock"
    empty = "The stock under the cursor is explained here: choose one with the arrows."

    def picture(self, value: Question, width: int, height: int) -> Text:
        lines = [*_head(value, width), *_ranks(value, width), Text()]
        if width >= _SIDE_BY_SIDE:
            half = (width - 2) // 2
            lines += beside(_variables(value, half), _neighbours(value, width - half - 2), half)
        else:
            lines += [*_variables(value, width), Text(), *_neighbours(value, width)]
        return page(lines, width, height)


def move_text(move: int | None) -> Text:
    """Places gained or lost, with a sign as well as a colour."""
    if move is None:
        return Text("new", style=DIM)
    if move == 0:
        return Text("=", style=DIM)
    mark, style = (GLYPHS.up, UP) if move > 0 else (GLYPHS.down, DOWN)
    return Text(f"{mark}{abs(move)}", style=style)


def _head(value: Question, width: int) -> list[Text]:
    one = value.line
    name, sector = (f"  {fmt.clean(one.name)}", STRONG), (f"  {fmt.clean(one.sector)}", DIM)
    title = line((fmt.clean(one.code), STRONG), name, sector)
    rank = Text("not scored: it is held from before" if one.rank is None else "rank ")
    if one.rank is not None:
        rank.append(f"{one.rank}", style=STRONG)
        rank.append(f" of {value.scored:,}   score {fmt.number(one.score, 2)} (h={value.horizon})")
    if one.before is not None:
        rank.append(f"   was {one.before} ", style=DIM)
        rank.append_text(move_text(one.move) if one.rank is not None else Text())
    lines = [title, rank]
    if one.weight or one.weight_before:
        book = f"{one.book or 'left the book'} {fmt.percent(one.weight, 3, sign=True)} of equity"
        lines.append(Text(f"{book}, was {fmt.percent(one.weight_before, 3, sign=True)}"))
    if order := one.order:
        asked = f"{order.side} {order.shares:,}", (UP if order.side == "buy" else DOWN) + STRONG
        limit = f" ({order.lots:,} lots) limit {order.limit:,.6g} "
        lines.append(line(asked, limit, (f"= {order.notional:,.0f}, held {order.held:,.0f}", DIM)))
        lines += wrapped(order.reason, width, DIM)
    for refusal in one.refused:
        cut = f"{refusal.side} {refusal.shares:,.0f}, {refusal.reason}"
        lines += wrapped(f"refused by {refusal.rule}: {cut}", width, WARN)
    return lines


def _ranks(value: Question, width: int) -> list[Text]:
    """Past ranks as a strip: the higher the block, the better the rank."""
    now = value.line.rank
    past = [*value.why.past, *([] if now is None else [(value.session, now)])]
    if not past:
        return []
    block = BlockScale(0.0, 1.0)
    days, blocks, ranks = start("past  ", DIM), Text("      "), start("rank  ", DIM)
    for session, rank in past[-max(1, (width - 6) // 6) :]:
        share = 1.0 - (rank - 1) / max(1, value.scored - 1)
        days.append_text(cell(session[5:], 6))
        blocks.append(f"{block(share) * 4}  ", style=BAR)
        ranks.append(f"{rank:<6}", style=STRONG if session == value.session else PLAIN)
    return [Text(), days, blocks, ranks]


def _titles(*cells: tuple[str, int]) -> Text:
    """A row of names over the columns below it."""
    names = row(*cells)
    names.stylize(STRONG)
    return names


def _variables(value: Question, width: int) -> list[Text]:
    """What each model of a blend says, then what each variable adds to the standardised score."""
    name, why = max(8, width - 14), value.why
    lines = []
    if why.members:
        lines.append(_titles(("members", name), ("", 5), ("rank", -6)))
    for model, rank in why.members:
        bar = meter(min(1.0, 2.0 * abs(rank)), 5), 5, UP if rank > 0 else DOWN
        lines.append(row((fmt.clean(model), name), bar, (f"{rank:+.3f}", -6)))
    lines += [_titles(("variables", name), ("", 5), ("score", -6))]
    if not why.is_explained:
        return lines + wrapped(_NOT_EXPLAINED, width, DIM)
    most = max(abs(share) for _, share in why.variables) or 1.0
    for variable, share in why.variables:
        bar = meter(abs(share) / most, 5), 5, UP if share > 0 else DOWN
        lines.append(row((variable, name), bar, (f"{share:+.3f}", -6)))
    return lines


def _neighbours(value: Question, width: int) -> list[Text]:
    """Who the stock listens to, how much, and where it would rank without it."""
    lines, why = [_titles(("neighbours", 10), ("share", -6), ("without", -7))], value.why
    if not why.neighbours:
        words = "It listens to nobody: no edge of the graph ends here."
        return lines + wrapped(words, width, DIM)
    most = max((n.attention or 0.0 for n in why.neighbours), default=0.0) or 1.0
    left = width - 6 - 3 - 6 - 7 - 4
    for one in why.neighbours:
        found = value.names.get(one.code)
        bar = meter((one.attention or 0.0) / most, 3), 3, BAR
        name = [(found.name if found else "", left, DIM)] if left >= _NAME_FROM else []
        share = _share(one.attention)
        lines.append(row((one.code, 6), bar, (share, -6), (_without(one, value), -7), *name))
    if why.own is not None:
        lines.append(row(("itself", 6), (meter(why.own / most, 3), 3, BAR), (_share(why.own), -6)))
    return lines


def _share(attention: float | None) -> str:
    return fmt.percent(attention, 1)


def _without(one: Neighbour, value: Question) -> Text:
    if one.rank_without is None:
        return Text(fmt.DASH, style=DIM)
    same = one.rank_without == value.line.rank
    return Text(f"{one.rank_without}", style=DIM if same else STRONG)


class ChangePanel(PlacePanel[BookChange]):
    title = "what changed"
    empty = "Shows who entered and left the book once a signal is sealed (n)."

    def picture(self, value: BookChange, width: int, height: int) -> Text:
        lines = _change_head(value)
        room = height - len(lines)
        books = [
            ("entered", GLYPHS.up, value.entered),
            ("left", GLYPHS.down, value.left),
            ("flipped", GLYPHS.turned, value.flipped),
        ]
        if width >= _TWO_COLUMNS:
            half = (width - 2) // 2
            each = max(1, room // 3 - 1)
            left = [one for book in books for one in _book(*book, half, each)]
            moves = _moves(value, width - half - 2, room - 1)
            return page([*lines, *beside(left, moves, half)], width, height)
        # Headings take four lines; what is left is shared among the four parts.
        each = max(1, (room - 4) // 4)
        lines += [one for book in books for one in _book(*book, width, each)]
        return page(lines + _moves(value, width, max(1, height - len(lines) - 1)), width, height)


def _change_head(value: BookChange) -> list[Text]:
    if not value.since:
        words = "no earlier sealed signal: against the decision before, which it records itself"
        return [Text(words, style=DIM)]
    other = "" if value.same_model else "  another model was champion then"
    return [line((f"since {fmt.clean(value.since)}", DIM), (other, WARN))]


def _book(word: str, mark: str, lines: Sequence[StockLine], width: int, limit: int) -> list[Text]:
    """The largest positions; how many there are stands in the heading."""
    most = f"  the largest {limit}" if len(lines) > limit else ""
    head = line((f"{word} {len(lines)}", STRONG), (most, DIM))
    name = width - 2 - _CODE - _WEIGHT - _RANK - 4
    style = WARN if word == "flipped" else PLAIN
    return [head] + [
        row(
            (mark, 1, style),
            (one.code, _CODE, STRONG),
            (one.name, name, DIM),
            (
                fmt.percent(one.weight_before if word == "left" else one.weight, 2, sign=True),
                -_WEIGHT,
            ),
            (fmt.DASH if one.rank is None else f"{one.rank}", -_RANK),
        )
        for one in lines[:limit]
    ]


def _moves(value: BookChange, width: int, limit: int) -> list[Text]:
    head = Text("biggest moves of a rank", style=STRONG)
    if not value.moves:
        return [head, Text("none: there is nothing to compare with", style=DIM)]
    name = width - _CODE - 2 * _RANK - 6 - 6
    return [head] + [
        row(
            (one.code, _CODE, STRONG),
            (one.name, name, DIM),
            (f"{one.before}", -_RANK),
            (">", 1, DIM),
            (f"{one.rank}", -_RANK),
            (move_text(one.move), -6),
        )
        for one in value.moves[: max(0, limit)]
    ]
