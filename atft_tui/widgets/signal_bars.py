"""The two lines around the signal: which session is shown and whether its seal holds; what comes next."""

from rich.text import Text

from atft_tui import format as fmt
from atft_tui.glyphs import GLYPHS
from atft_tui.readings.answers import outcome
from atft_tui.readings.desk import Desk
from atft_tui.styles import BAD, DIM, GOOD, HERE, RUNNING, STRONG, WARN
from atft_tui.widgets.champion_panel import since, test_text
from atft_tui.widgets.lines import start
from atft_tui.widgets.schedule_panel import PROCESS, upcoming_text

_DIGITS = 12
"""Digits of the seal that are shown; the card has all of them."""


def session_bar(desk: Desk) -> Text:
    """``< 2016-12-29  2016-12-30  newest  20 of 20  first signal   seal dcae4de55f80 holds ...``."""
    text = Text(" ", no_wrap=True, overflow="ellipsis")
    names = step_names(desk)
    at = position(desk)
    if at is None:
        return text
    earlier = names[at - 1] if at else ""
    later = names[at + 1] if at + 1 < len(names) else ""
    text.append(f"{GLYPHS.left} {earlier}  " if earlier else "oldest  ", style=DIM)
    text.append(fmt.clean(names[at]), style=HERE)
    text.append(f"  {later} {GLYPHS.right}" if later else "  newest", style=DIM)
    text.append(f"  {at + 1} of {len(names)}   ", style=DIM)
    text.append_text(_seal(desk))
    if desk.busy:
        text.append(f"   {GLYPHS.running} a signal or ledger is being made", style=RUNNING)
    return text


def step_names(desk: Desk) -> list[str]:
    """What the arrows go through: sealed directories, then the attempt that sealed nothing."""
    names = [seal.name for seal in desk.seals]
    return names + ([fmt.clean(desk.attempt.name)] if desk.attempt is not None else [])


def position(desk: Desk) -> int | None:
    """Where the shown one is among `step_names`."""
    if desk.signal is not None:
        return desk.seals.index(desk.signal.seal)
    return len(desk.seals) if desk.attempt is not None else None


def _seal(desk: Desk) -> Text:
    if desk.signal is None:
        return Text(f"{GLYPHS.stopped} not sealed", style=WARN)
    seal, card = desk.signal.seal, desk.signal.card
    if card.standing != "sealed":
        text = Text(f"{GLYPHS.failed} seal {card.standing}: ", style=BAD)
        return text.append(fmt.clean(card.trouble), style=BAD)
    text = start(f"{GLYPHS.done} seal {seal.digest[:_DIGITS]} holds", GOOD)
    if seal.revision:
        text.append(f"  revision {seal.revision}: {fmt.clean(card.reason)}", style=WARN)
    answers = desk.answers.value
    for command in ("verify", "replay"):
        words, well = outcome(answers.of(command, seal.word) if answers else None)
        if words:
            style = DIM if well is None else GOOD if well else BAD
            mark = GLYPHS.waiting if well is None else GLYPHS.done if well else GLYPHS.failed
            text.append(f"  {mark} {fmt.clean(words)}", style=style)
    return text


def status_strip(desk: Desk) -> Text:
    """Schedule and champion in one line."""
    text = Text(" ", no_wrap=True, overflow="ellipsis")
    schedule, champion = desk.schedule.value, desk.champion.value
    if schedule is None:
        text.append("schedule: none has run here (c = one pass now)", style=DIM)
    else:
        mark, style = PROCESS[schedule.process]
        text.append(f"schedule {mark} {schedule.process}", style=style)
        text.append("  ")
        text.append_text(upcoming_text(schedule))
        if schedule.failed_alerts:
            text.append(f"  {GLYPHS.failed} {schedule.failed_alerts} alerts failed", BAD)
    text.append("   champion ", style=DIM)
    if champion is None or not champion.history.champion:
        text.append("none: promote a run", style=WARN)
        return text
    text.append(fmt.clean(champion.history.champion[:_DIGITS]), style=STRONG)
    text.append(f" since {since(champion)}  ", style=DIM)
    text.append_text(test_text(champion))
    return text
