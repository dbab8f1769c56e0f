"""The card in full: every light with its figure, its limit and its reason, and what it is sealed by."""

import math
from dataclasses import dataclass

from rich.text import Text

from atft_tui import format as fmt
from atft_tui.readings.seals import ShownCard
from atft_tui.styles import BAD, DIM, PLAIN, STRONG, WARN
from atft_tui.widgets.card_line import light_text
from atft_tui.widgets.lines import page, row, wrapped
from atft_tui.widgets.panel import PlacePanel
from engine.records.card import Light

_FULL = 76
"""Columns from which value and limit have columns of their own; the reason names most values anyway."""
_PERCENT = ("turnover", "refused", "net", "drift_features")
_UNITS = {"cost": "bp", "model_age": "d", "audit": "d", "fresh": "d"}
"""d = sessions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealing:
    """A card, and the key of what it is of."""

    card: ShownCard
    key: str


class CardPanel(PlacePanel[Sealing]):
    title = "card"
    empty = "No card yet: n makes a signal of the newest session."

    def picture(self, value: Sealing, width: int, height: int) -> Text:
        if value.card.card is None:
            return page(_broken(value.card, width), width, height)
        lines = [_light(light, width) for light in value.card.card.lights]
        foot = _seal(value, width)
        room = height - len(lines)
        return page(lines + foot[: max(0, room)], width, height)


def _light(light: Light, width: int) -> Text:
    style = PLAIN if light.verdict == "TRADE" else STRONG
    name = light.name.replace("_", " ")
    if width < _FULL:
        return row((light_text(light), 7), (name, 14, style), (light.reason, width - 23, style))
    figures = ((figure(light, light.value), -10), (figure(light, light.limit), -12, DIM))
    return row((light_text(light), 7), (name, 14), *figures, (light.reason, width - 47, style))


def figure(light: Light, value: float | str | None) -> str:
    """The value with its unit; numbers of a light that is not known here stand as they are."""
    if value is None:
        return fmt.DASH
    if isinstance(value, str):
        return value
    if not math.isfinite(value):
        return fmt.DASH
    if light.name in _PERCENT:
        return f"{100 * value:.2f} %"
    unit = _UNITS.get(light.name)
    if light.name == "data":
        return f"{value:,.0f}"
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


def _seal(value: Sealing, width: int) -> list[Text]:
    card = value.card
    if card.standing == "unsealed":
        words = (
            "Nothing is sealed: the data are not complete. A later attempt can be; n tries again."
        )
        return [Text(), *wrapped(words, width, WARN)]
    lines = [Text(), row(("seal", 7, DIM), (card.digest, width - 8))]
    lines.append(row(("key", 7, DIM), (value.key, width - 8)))
    if card.revision:
        lines += wrapped(f"revision {card.revision}: {card.reason}", width, WARN)
    return lines
