"""The card in one line: the verdict in a word, then why, then what trading it would mean."""

from collections.abc import Iterator

from rich.text import Text

from atft_tui import format as fmt
from atft_tui.glyphs import GLYPHS
from atft_tui.readings.seals import ShownCard
from atft_tui.styles import BAD, DIM, GOOD, PLAIN, REVERSE, STRONG, WARN
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
    text = Text(no_wrap=True, overflow="ellipsis")
    card = shown.card
    mark, style = MARKS[shown.word]
    revision = f" r{shown.revision}" if shown.revision else ""
    exchange = fmt.clean(card.exchange) if card else ""
    text.append(f" {fmt.clean(shown.session)}{revision} {exchange} ", STRONG)
    text.append(f" {mark} {shown.word} ", style + REVERSE)
    if card is None:
        trouble = fmt.clean(shown.trouble)
        text.append(f"  seal {shown.standing}: {trouble}. Do not trade on it.", style)
        return text
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


def light_text(light: Light) -> Text:
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
            yield word, f"{value}{_age(card)}" if word == "model" else value
    if card.orders is None:
        return
    if "turnover" not in bad:
        yield "turnover", fmt.percent(card.orders.turnover).replace("%", " %")
    if "cost" not in bad:
        yield "cost", f"{fmt.number(1e4 * card.orders.cost, 1, sign=False)} bp"


def _age(card: Card) -> str:
    light = card.light("model_age")
    if light is None or not isinstance(light.value, float):
        return ""
    return f" (age {light.value:.0f} d)"
