"""Why the stock under the cursor has its rank: order, past ranks, variables, neighbours."""

from collections.abc import Mapping
from dataclasses import dataclass

from rich.text import Text

from atft_tui import format as fmt
from atft_tui.glyphs import GLYPHS
from atft_tui.readings.explain import Neighbour, Why
from atft_tui.readings.signal import StockLine
from atft_tui.styles import BAR, DIM, DOWN, PLAIN, STRONG, UP, WARN
from atft_tui.widgets.lines import beside, cell, page, row, start, wrapped
from atft_tui.widgets.panel import PlacePanel
from atft_tui.widgets.strips import meter

_SIDE_BY_SIDE = 50
"""Columns from which variables and neighbours stand next to each other."""
_NAME_FROM = 6
"""Columns left for a neighbour's name below which it is not worth showing."""
_NOT_EXPLAINED = (
    "Variables and ranks without a neighbour are worked out for the largest positions only "
)
_LIMIT = "(signals.explain_names)."


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A stock of a session, and what is known of it."""

    session: str
    since: str
    """Session that the rank before is of."""
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
    line = value.line
    title = start(fmt.clean(line.code), STRONG)
    title.append(f"  {fmt.clean(line.name)}", style=STRONG)
    title.append(f"  {fmt.clean(line.sector)}", style=DIM)
    rank = Text("not scored: it is held from before" if line.rank is None else "rank ")
    if line.rank is not None:
        rank.append(f"{line.rank}", style=STRONG)
        rank.append(f" of {value.scored:,}   score {fmt.number(line.score, 2)} (h={value.horizon})")
    if line.before is not None:
        rank.append(f"   was {line.before} ", style=DIM)
        rank.append_text(move_text(line.move) if line.rank is not None else Text())
    lines = [title, rank]
    if line.weight or line.weight_before:
        book = f"{line.book or 'left the book'} {100 * line.weight:+.3f} % of equity"
        lines.append(Text(f"{book}, was {100 * line.weight_before:+.3f} %"))
    if order := line.order:
        style = UP if order.side == "buy" else DOWN
        text = start(f"{order.side} {order.shares:,}", style + STRONG)
        text.append(f" ({order.lots:,} lots) limit {order.limit:,.6g} ")
        text.append(f"= {order.notional:,.0f}, held {order.held:,.0f}", style=DIM)
        lines += [text, *wrapped(order.reason, width, DIM)]
    for refusal in line.refused:
        cut = f"{refusal.side} {refusal.shares:,.0f}, {refusal.reason}"
        lines += wrapped(f"refused by {refusal.rule}: {cut}", width, WARN)
    return lines


def _ranks(value: Question, width: int) -> list[Text]:
    """Past ranks as a strip: the higher the block, the better the rank."""
    past = list(value.why.past)
    if value.line.rank is not None:
        past.append((value.session, value.line.rank))
    if not past:
        return []
    past = past[-max(1, (width - 6) // 6) :]
    top = len(GLYPHS.blocks) - 1
    days, blocks, ranks = start("past  ", DIM), Text("      "), start("rank  ", DIM)
    for session, rank in past:
        share = 1.0 - min(1.0, max(0.0, (rank - 1) / max(1, value.scored - 1)))
        days.append_text(cell(session[5:], 6))
        blocks.append(f"{GLYPHS.blocks[round(share * top)] * 4}  ", style=BAR)
        ranks.append(f"{rank:<6}", style=STRONG if session == value.session else PLAIN)
    return [Text(), days, blocks, ranks]


def _variables(value: Question, width: int) -> list[Text]:
    """Gradient x input over the window, summed: what each variable adds to the standardised score."""
    name = max(8, width - 14)
    head = row(("variables", name), ("", 5), ("score", -6))
    head.stylize(STRONG)
    lines = [head]
    if not value.why.is_explained:
        return lines + wrapped(_NOT_EXPLAINED + _LIMIT, width, DIM)
    largest = max(abs(share) for _, share in value.why.variables) or 1.0
    for variable, share in value.why.variables:
        style = UP if share > 0 else DOWN
        lines.append(
            row((variable, name), (meter(abs(share) / largest, 5), 5, style), (f"{share:+.3f}", -6))
        )
    return lines


def _neighbours(value: Question, width: int) -> list[Text]:
    """Who the stock listens to, how much, and where it would rank without it."""
    head = row(("neighbours", 10), ("share", -6), ("without", -7))
    head.stylize(STRONG)
    lines = [head]
    why = value.why
    if not why.neighbours:
        return [
            *lines,
            *wrapped("It listens to nobody: no edge of the graph ends here.", width, DIM),
        ]
    most = max((n.attention or 0.0 for n in why.neighbours), default=0.0) or 1.0
    left = width - 6 - 3 - 6 - 7 - 4
    for one in why.neighbours:
        found = value.names.get(one.code)
        line = row(
            (one.code, 6),
            (meter((one.attention or 0.0) / most, 3), 3, BAR),
            (_share(one.attention), -6),
            (_without(one, value), -7),
        )
        if left >= _NAME_FROM:
            line.append_text(row(("", 0), (found.name if found else "", left, DIM)))
        lines.append(line)
    if why.own is not None:
        lines.append(row(("itself", 6), (meter(why.own / most, 3), 3, BAR), (_share(why.own), -6)))
    return lines


def _share(attention: float | None) -> str:
    return fmt.DASH if attention is None else f"{100 * attention:.1f} %"


def _without(one: Neighbour, value: Question) -> Text:
    if one.rank_without is None:
        return Text(fmt.DASH, style=DIM)
    same = one.rank_without == value.line.rank
    return Text(f"{one.rank_without}", style=DIM if same else STRONG)
