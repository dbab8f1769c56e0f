"""The scheduler: does it live, what comes next and when, what came of the sessions, what it said last."""

import datetime as dt
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from rich.text import Text

from atft_tui import format as fmt
from atft_tui.glyphs import GLYPHS
from atft_tui.readings.schedule import Schedule, moment
from atft_tui.styles import BAD, DIM, PLAIN, RUNNING, STRONG, WARN
from atft_tui.widgets.card_line import MARKS as CARDS
from atft_tui.widgets.lines import page, row, start, wrapped
from atft_tui.widgets.part_panel import PartPanel
from engine.records.agenda import BookedSession

PROCESS = {
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


class SchedulePanel(PartPanel[Schedule]):
    """The page of the scheduler on the signals screen."""

    title = "schedule"
    empty = (
        "No scheduler has run here. c makes one pass now (atft-tui schedule once); for every session "
        "by itself: atft-tui schedule run, or deploy/atft-schedule.service."
    )

    def picture(self, value: Schedule, width: int, height: int) -> Text:
        lines = [_process_text(value), upcoming_text(value), *_warnings(value, width), Text()]
        log = [_said(told.at, told.text) for told in value.log]
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
    mark, style = PROCESS[value.process]
    text = start(f"{mark} {value.process}", style)
    if value.agenda.pid:
        text.append(f" (process {value.agenda.pid})")
    if value.beat_s is not None and value.process != "stopped":
        text.append(f", heartbeat {fmt.duration(max(0.0, value.beat_s))} ago", style=DIM)
    if value.process == "stopped":
        text.append(": no process waits for the next session (a timer may)")
    return text


def upcoming_text(value: Schedule) -> Text:
    """``next XNYS 2026-11-25 in 1h 12m, 18:00 New York = 23:00 UTC``."""
    outlook, sessions = value.agenda.outlook, value.agenda.sessions
    known = outlook.exchange if outlook else sessions[0].exchange if sessions else ""
    due = moment(outlook.next_at) if outlook else None
    if outlook is None or due is None or value.seconds is None:
        return Text(f"next {fmt.clean(known)}: not known before the scheduler has run", style=DIM)
    text = start(f"next {fmt.clean(known)} {fmt.clean(outlook.next_session)} ", STRONG)
    if value.seconds >= 0:
        text.append(f"in {fmt.duration(value.seconds)}", style=STRONG)
    else:
        text.append(f"was due {fmt.duration(-value.seconds)} ago", style=WARN)
    text.append(f", {both_times(due, outlook.zone)}", style=DIM)
    return text


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
    if agenda.outlook is not None and agenda.outlook.calendar_days_left < _CALENDAR_WARNING:
        days = agenda.outlook.calendar_days_left
        lines.append(Text(f"the calendar ends in {days} days", style=WARN))
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
    card, card_style = CARDS.get(entry.verdict or "", ("", PLAIN))
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
        (f"{card} {fmt.clean(entry.verdict or '')}", 7, card_style),
        (detail, max(0, width - 29), PLAIN if entry.reason else DIM),
    )


def _said(at: dt.datetime | None, text: str) -> Text:
    stamp = f"{at:%m-%d %H:%M:%S} " if at else " " * 15
    line = start(stamp, DIM)
    line.append(fmt.clean(text), style=WARN if text.startswith("warning") else PLAIN)
    return line
