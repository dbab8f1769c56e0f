"""The champion and the scheduler, in full and in the two lines around a signal."""

import datetime as dt
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from rich.text import Text

from atft_tui import format as fmt
from atft_tui.glyphs import GLYPHS
from atft_tui.jobs import outcome
from atft_tui.readings.desk import Desk, Schedule
from atft_tui.readings.seals import Champion
from atft_tui.styles import (
    BAD,
    DIM,
    GOOD,
    HERE,
    PLAIN,
    RUNNING,
    STRONG,
    WARN,
    noted,
    status,
    status_text,
)
from atft_tui.widgets.lines import line, page, row, start, wrapped
from atft_tui.widgets.panel import PartPanel
from engine.records.agenda import BookedSession
from engine.records.champion import ChampionEntry

_PROCESS = {
    "running": (GLYPHS.running, RUNNING),
    "stuck": (GLYPHS.stopped, WARN),
    "stopped": (GLYPHS.waiting, WARN),
}
_STATES = {
    "due": (GLYPHS.waiting, STRONG),
    "running": (GLYPHS.running, RUNNING),
    "done": (GLYPHS.done, PLAIN),
    "missed": (GLYPHS.failed, BAD),
    "late": (GLYPHS.failed, WARN),
}
_LOG_LEAST = 4
"""Lines of the log that are kept in sight where there is room for anything."""
_ERRANDS_SHOWN = 5
_CALENDAR_WARNING = 60
"""Days that the exchange's calendar still reaches below which it is told."""
_DIGITS = 12
"""Digits of the seal that are shown; the card has all of them."""


class ChampionPanel(PartPanel[Champion]):
    title = "champion"
    empty = (
        "No champion yet: promote a run (4 Runs, or ctrl+p promote); its networks make the signals."
    )

    def picture(self, value: Champion, width: int, height: int) -> Text:
        lines = [_champion_text(value), _test_text(value)]
        if before := value.history.before:
            lines.append(Text(f"z rolls back to {fmt.clean(before)}", style=DIM))
        lines += [Text(), Text("history, newest first, times UTC", style=STRONG)]
        for entry in reversed(value.history.history):
            lines += _entry(entry, width)
        return page(lines, width, height)


def _champion_text(value: Champion) -> Text:
    model, facts = value.history.champion, value.facts
    if not model:
        return Text("none: no run was promoted yet", style=WARN)
    last = fmt.clean(facts.trained_to) if facts else ""
    made = f"{fmt.clean(facts.words)}, " if facts else ""
    words = f"  since {since(value)}, {made}trained to {last}"
    return line((fmt.clean(model), STRONG), words)


def since(value: Champion) -> str:
    """Date of the promotion or rollback that made it champion."""
    return fmt.clean(value.history.reigns[-1].at[:10])


def _test_text(value: Champion) -> Text:
    """``test RankIC h=5 +0.0205 ± 0.0042 (n=252)``; dim and marked inside the null band."""
    facts = value.facts
    if facts is None or facts.test.figure.role == "unknown":
        return Text("its package does not tell a test RankIC", style=DIM)
    test, noise = facts.test, facts.test.is_noise
    band = f"  {'inside' if noise else 'outside'} the null band ±{test.null_band:.4f}"
    figure = noted(fmt.rank_ic(test.rank_ic, test.rank_ic_se, test.n_dates), noise=noise)
    return line((f"test RankIC h={facts.score_horizon} ", DIM), figure, (band, DIM))


def _entry(entry: ChampionEntry, width: int) -> list[Text]:
    found, at = status(entry.action), entry.at[:16].replace("T", " ")
    lines = [
        row(
            (at, 16, DIM), (f"{found.mark} {entry.action}", 13, found.style), (entry.model, 16, STRONG),
            (entry.run, max(0, width - 48), DIM),
        )
    ]  # fmt: skip
    if entry.reason:
        lines += wrapped(f"reason: {entry.reason}", width, WARN)
    for gate in entry.gate:
        word, shade = ("ok", GOOD) if gate.passed else ("NO", BAD)
        detail = gate.detail, max(0, width - 17), DIM
        lines.append(row(("", 2), (word, 2, shade), (gate.name, 10), detail))
    return lines


class SchedulePanel(PartPanel[Schedule]):
    """The page of the scheduler on the signals screen."""

    title = "schedule"
    empty = (
        "No scheduler has run here. c makes one pass now (atft-tui schedule once); for every session "
        "by itself: atft-tui schedule run, or deploy/atft-schedule.service."
    )

    def picture(self, value: Schedule, width: int, height: int) -> Text:
        lines = [_process_text(value), _upcoming_text(value), *_warnings(value, width), Text()]
        log = [
            line(
                (f"{told.at:%m-%d %H:%M:%S} " if told.at else " " * 15, DIM),
                (fmt.clean(told.text), WARN if told.text.startswith("warning") else PLAIN),
            )
            for told in value.log
        ]
        room = height - len(lines)
        zone = value.agenda.outlook.zone if value.agenda.outlook else "UTC"
        sessions = [_session(entry, zone, width) for entry in value.agenda.sessions]
        kept = max(1, room - min(len(log), max(_LOG_LEAST, room // 2)) - 2)
        lines += sessions[:kept] or [Text("no session has been due yet", style=DIM)]
        room = height - len(lines) - 2
        if room > 0 and log:
            lines += [Text(), Text("log, times UTC", style=STRONG), *log[-room:]]
        return page(lines, width, height)


def _process_text(value: Schedule) -> Text:
    mark, style = _PROCESS[value.process]
    text = start(f"{mark} {value.process}", style)
    if value.agenda.pid:
        text.append(f" (process {value.agenda.pid})")
    if value.process == "stopped":
        text.append(": no process waits for the next session (a timer may)")
    elif value.beat_s is not None:
        text.append(f", heartbeat {fmt.duration(max(0.0, value.beat_s))} ago", style=DIM)
    return text


def _upcoming_text(value: Schedule) -> Text:
    """``next XNYS 2026-11-25 in 1h 12m, 18:00 New York = 23:00 UTC``."""
    outlook, sessions, left = value.agenda.outlook, value.agenda.sessions, value.seconds
    known = outlook.exchange if outlook else sessions[0].exchange if sessions else ""
    due = fmt.moment(outlook.next_at) if outlook else None
    if outlook is None or due is None or left is None:
        return Text(f"next {fmt.clean(known)}: not known before the scheduler has run", style=DIM)
    told = (f"in {fmt.duration(left)}", STRONG)
    if left < 0:
        told = (f"was due {fmt.duration(-left)} ago", WARN)
    head = f"next {fmt.clean(known)} {fmt.clean(outlook.next_session)} "
    return line((head, STRONG), told, (f", {both_times(due, outlook.zone)}", DIM))


def both_times(moment: dt.datetime, zone: str) -> str:
    """``18:30 Tokyo = 09:30 UTC``, with the day where it is another one there."""
    utc = f"{moment:%H:%M} UTC"
    try:
        local = moment.astimezone(ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError):
        return utc
    if zone == "UTC":
        return utc
    day = f"{local:%a} " if local.date() != moment.date() else ""
    return f"{day}{local:%H:%M} {zone.split('/')[-1].replace('_', ' ')} = {utc}"


def _warnings(value: Schedule, width: int) -> list[Text]:
    lines, agenda = [], value.agenda
    left = agenda.outlook.calendar_days_left if agenda.outlook else _CALENDAR_WARNING
    if left < _CALENDAR_WARNING:
        lines.append(Text(f"the calendar ends in {fmt.counted(left, 'day')}", style=WARN))
    if value.failed_alerts:
        told = ", ".join(f"{number} {state}" for state, number in agenda.alert_counts.items())
        lines.append(Text(f"{GLYPHS.failed} alerts: {told}", style=BAD))
    for errand in [one for one in agenda.errands if one.state != "done"][:_ERRANDS_SHOWN]:
        words = f"{errand.kind} {errand.key} {errand.state}, {errand.attempts} attempts"
        style = BAD if errand.state == "failed" else DIM
        lines += wrapped(f"{words} {errand.reason}", width, style)[:1]
    return lines


def _session(entry: BookedSession, zone: str, width: int) -> Text:
    mark, style = _STATES.get(entry.state, (GLYPHS.waiting, PLAIN))
    card = status_text(entry.verdict) if entry.verdict else Text()
    moment = entry.decided_at or entry.next_at
    when = "decided" if entry.decided_at else "tries" if entry.state == "due" else "since"
    detail = f"{when} {moment:%m-%d} {both_times(moment, zone)}"
    if entry.caught_up:
        detail += ", caught up"
    if entry.attempts > 1:
        detail += f", {entry.attempts} attempts"
    if entry.reason:
        detail = f"{fmt.clean(entry.reason)}  ({detail})"
    return row(
        (str(entry.session), 10),
        (f"{mark} {entry.state}", 9, style),
        (card, 7),
        (detail, max(0, width - 29), PLAIN if entry.reason else DIM),
    )


def session_bar(desk: Desk) -> Text:
    """``< 2016-12-29  2016-12-30  newest  20 of 20  first signal   seal dcae4de55f80 holds ...``."""
    names, at = step_names(desk), position(desk)
    if at is None:
        return Text(" ")
    earlier = f"{GLYPHS.left} {names[at - 1]}  " if at else "oldest  "
    later = f"  {names[at + 1]} {GLYPHS.right}" if at + 1 < len(names) else "  newest"
    busy = f"   {GLYPHS.running} a signal or ledger is being made" * desk.busy
    return line(
        " ", (earlier, DIM), (fmt.clean(names[at]), HERE), (later, DIM),
        (f"  {at + 1} of {len(names)}   ", DIM), _seal(desk), (busy, RUNNING),
    )  # fmt: skip


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
        return Text(f"{GLYPHS.failed} seal {card.standing}: {fmt.clean(card.trouble)}", style=BAD)
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
    schedule, champion = desk.schedule.value, desk.champion.value
    text = line(" ")
    if schedule is None:
        text.append("schedule: none has run here (c = one pass now)", style=DIM)
    else:
        mark, style = _PROCESS[schedule.process]
        text.append(f"schedule {mark} {schedule.process}", style=style).append("  ")
        text.append_text(_upcoming_text(schedule))
        if schedule.failed_alerts:
            text.append(f"  {GLYPHS.failed} {schedule.failed_alerts} alerts failed", BAD)
    text.append("   champion ", style=DIM)
    if champion is None or not champion.history.champion:
        return text.append("none: promote a run", style=WARN)
    text.append(fmt.clean(champion.history.champion[:_DIGITS]), style=STRONG)
    text.append(f" since {since(champion)}  ", style=DIM)
    return text.append_text(_test_text(champion))
