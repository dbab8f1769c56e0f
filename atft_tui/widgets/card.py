"""The card of a signal: in one line, and in full with every light and what it is sealed by."""

import math
from collections.abc import Iterator

from rich.text import Text

from atft_tui import format as fmt
from atft_tui.glyphs import GLYPHS
from atft_tui.readings.seals import ShownCard
from atft_tui.styles import BAD, DIM, GOOD, PLAIN, REVERSE, STRONG, WARN
from atft_tui.widgets.lines import line, page, row, wrapped
from atft_tui.widgets.panel import PlacePanel
from engine.records.card import Card, Light

MARKS = {
    "TRADE": (GLYPHS.done, GOOD),
    "HOLD": (GLYPHS.stopped, WARN),
    "STOP": (GLYPHS.failed, BAD),
    "NOT VALID": (GLYPHS.failed, BAD),
}
_GROUPS = (
    ("data", ("data", "fresh", "quality"), "ok"),
    ("model", ("model_age", "live_rank_ic", "gate", "dispersion"), "ok"),
    ("drift", ("drift_features", "drift_scores"), "low"),
    ("audit", ("audit", "audit_session"), "passed"),
)
"""What is said in a word when all of its lights are TRADE."""


def card_line(shown: ShownCard) -> Text:
    """``2016-12-30 XNYS  ✓ TRADE  data ok  model ok (age 12 d)``; the row cuts what is too much."""
    card, (mark, style) = shown.card, MARKS[shown.word]
    revision = f" r{shown.revision}" if shown.revision else ""
    exchange = fmt.clean(card.exchange) if card else ""
    head = f" {fmt.clean(shown.session)}{revision} {exchange} "
    text = line((head, STRONG), (f" {mark} {shown.word} ", style + REVERSE))
    if card is None:
        trouble = fmt.clean(shown.trouble)
        return text.append(f"  seal {shown.standing}: {trouble}. Do not trade on it.", style)
    for light in card.troubles:
        text.append(f"  {_told(light)}", MARKS[light.verdict][1])
    if shown.standing == "unsealed":
        text.append("  nothing is sealed yet")
    for word, value in _fine(card):
        text.append(f"  {word} ", DIM)
        text.append(value, PLAIN if card.verdict == "TRADE" else DIM)
    return text


def verdict_text(shown: ShownCard) -> Text:
    """Mark and word, for a cell of a table."""
    mark, style = MARKS[shown.word]
    return Text(f"{mark} {shown.word}", style=style)


def _light_text(light: Light) -> Text:
    mark, style = MARKS[light.verdict]
    return Text(f"{mark} {light.verdict:<5}", style=style)


def _told(light: Light) -> str:
    """The reason, with the light's name in front unless it begins with it."""
    name, reason = fmt.clean(light.name.replace("_", " ")), fmt.clean(light.reason)
    return reason if reason.startswith(name.partition(" ")[0]) else f"{name}: {reason}"


def _fine(card: Card) -> Iterator[tuple[str, str]]:
    bad = {light.name for light in card.troubles}
    there = {light.name for light in card.lights}
    for word, names, value in _GROUPS:
        if there & set(names) and not bad & set(names):
            light = card.light("model_age") if word == "model" else None
            known = light is not None and isinstance(light.value, float)
            yield word, f"{value} (age {light.value:.0f} d)" if light and known else value
    if card.orders is None:
        return
    if "turnover" not in bad:
        yield "turnover", fmt.percent(card.orders.turnover).replace("%", " %")
    if "cost" not in bad:
        yield "cost", f"{fmt.number(1e4 * card.orders.cost, 1, sign=False)} bp"


_FULL = 76
"""Columns from which value and limit have columns of their own; the reason names most values anyway."""
_PERCENT = ("turnover", "refused", "net", "drift_features")
_UNITS = {"cost": "bp", "model_age": "d", "audit": "d", "fresh": "d"}
"""d = sessions."""


class CardPanel(PlacePanel[ShownCard]):
    title = "card"
    empty = "No card yet: n makes a signal of the newest session."

    def picture(self, value: ShownCard, width: int, height: int) -> Text:
        if value.card is None:
            return page(_broken(value, width), width, height)
        lines = [_light(light, width) for light in value.card.lights]
        foot = _seal(value, width)[: max(0, height - len(lines))]
        return page(lines + foot, width, height)


def _light(light: Light, width: int) -> Text:
    style = PLAIN if light.verdict == "TRADE" else STRONG
    name = light.name.replace("_", " ")
    if width < _FULL:
        return row((_light_text(light), 7), (name, 14, style), (light.reason, width - 23, style))
    figures = ((figure(light, light.value), -10), (figure(light, light.limit), -12, DIM))
    return row((_light_text(light), 7), (name, 14), *figures, (light.reason, width - 47, style))


def figure(light: Light, value: float | str | None) -> str:
    """The value with its unit; numbers of a light that is not known here stand as they are."""
    if isinstance(value, str):
        return value
    if value is None or not math.isfinite(value):
        return fmt.DASH
    if light.name in _PERCENT:
        return f"{100 * value:.2f} %"
    if light.name == "data":
        return f"{value:,.0f}"
    unit = _UNITS.get(light.name)
    if unit is None:
        return f"{value:.3g}"
    return f"{value:,.2f} {unit}" if unit == "bp" else f"{value:,.0f} {unit}"


def _broken(card: ShownCard, width: int) -> list[Text]:
    lines = [Text("NOT VALID: do not trade on it", style=BAD), Text()]
    lines += wrapped(f"{card.name}: {card.trouble}.", width, STRONG)
    lines += [Text()]
    lines += wrapped(
        "Nothing of this signal is shown, for it is not what was sealed. v checks every file and says "
        "all that is wrong; u seals a revision beside it, with a reason.",
        width,
    )
    return lines


def _seal(card: ShownCard, width: int) -> list[Text]:
    if card.standing == "unsealed":
        words = (
            "Nothing is sealed: the data are not complete. A later attempt can be; n tries again."
        )
        return [Text(), *wrapped(words, width, WARN)]
    lines = [Text()]
    lines += [
        row((k, 7, DIM), (v, width - 8)) for k, v in (("seal", card.digest), ("key", card.key))
    ]
    if card.revision:
        lines += wrapped(f"revision {card.revision}: {card.reason}", width, WARN)
    return lines
