"""Everything that the signals screen shows, read part by part: one that cannot be read hides no other."""

import datetime as dt
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from atft_tui import format as fmt
from atft_tui.jobs import Answers, read_answers
from atft_tui.readings.files import FILES, Readable, attempted, last_lines, read_table
from atft_tui.readings.seals import (
    Champion,
    ShownCard,
    read_attempt,
    read_card,
    read_champion,
    seals,
)
from atft_tui.readings.signal import Signal, earlier, read_signal
from engine.records import record
from engine.records.agenda import Agenda
from engine.records.seal import Seal
from engine.records.shadow import ShadowLedger, ShadowRow
from engine.runs import lock
from engine.schedule.agenda import LEDGER, read_agenda

_LOG = Path("logs") / "schedule.log"
_ROWS, _LINES = 30, 40
"""Newest ones read: rows of each kind, lines of the log."""
_SECONDS_BELOW = 3600.0
"""A countdown shorter than this shows seconds, a longer one minutes."""


@dataclass(frozen=True, slots=True)
class ScheduleLine:
    """A line of the scheduler's log."""

    at: dt.datetime | None
    """UTC; None for a line without a time."""
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The agenda as it is painted: ages in coarse steps, so that nothing is painted anew for nothing."""

    agenda: Agenda
    beat_s: float | None
    """Age of the newest heartbeat, in steps of 10 s; None before the first one."""
    seconds: float | None
    """Until the next session, in steps of a minute, below an hour of a second; negative = it has passed."""
    log: tuple[ScheduleLine, ...]
    """Oldest first."""

    @property
    def process(self) -> str:
        """Running, stuck or stopped: where none was ever started, one pass may have been made by hand."""
        return "stopped" if self.agenda.process == "never" else self.agenda.process

    @property
    def failed_alerts(self) -> int:
        """Number of alerts that were given up."""
        return self.agenda.alert_counts.get("failed", 0)


def read_schedule(workspace: Path, now: dt.datetime) -> Schedule | None:
    """None before a scheduler has run in the workspace; EngineError where its files cannot be read."""
    if not (workspace / LEDGER).is_file():
        return None
    agenda = read_agenda(workspace, now, limit=_ROWS)
    beat = fmt.moment(agenda.beat_at)
    age = None if beat is None else 10.0 * ((now - beat).total_seconds() // 10.0)
    due = fmt.moment(agenda.outlook.next_at) if agenda.outlook else None
    left = None if due is None else (due - now).total_seconds()
    if left is not None:
        step = 1.0 if abs(left) < _SECONDS_BELOW else 60.0
        left = step * (left // step)
    log = tuple(map(_log_line, last_lines(workspace / _LOG, _LINES)))
    return Schedule(agenda=agenda, beat_s=age, seconds=left, log=log)


def _log_line(line: str) -> ScheduleLine:
    stamp, _, text = line.partition(" ")
    at = fmt.moment(stamp)
    return ScheduleLine(at, text if at else line)


_SHOWN = 500
"""Newest sealed directories that can be gone through."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shadow:
    """The shadow ledger with its rows."""

    told: ShadowLedger
    rows: tuple[ShadowRow, ...]
    """Newest session first, the close before the open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Everything on the screen of signals, from files that did not change since the last reading."""

    seals: tuple[Seal, ...]
    """Oldest session first, then by revision."""
    attempt: ShownCard | None
    """The card of a session that nothing is sealed of; later than every seal."""
    signal: Signal | None
    """The one that is shown; None while an attempt is, or before the first."""
    cards: tuple[ShownCard, ...]
    """The card of every seal, in their order; empty until the stocks are read too."""
    before: Seal | None
    """What it is compared with."""
    busy: bool
    """Somebody holds the signals' lock: a signal, a ledger or a promotion is being made."""
    shadow: Readable[Shadow]
    schedule: Readable[Schedule]
    champion: Readable[Champion]
    answers: Readable[Answers]
    trouble: str = ""
    """Why the attempt's file cannot be read."""

    @property
    def card(self) -> ShownCard | None:
        return self.signal.card if self.signal is not None else self.attempt

    @property
    def is_empty(self) -> bool:
        return not self.seals and self.attempt is None


def read_desk(workspace: Path, chosen: str | None, now: dt.datetime, *, rows: bool) -> Desk:
    """``chosen``: name of a sealed directory; None or one that is gone = the newest session.

    ``rows``: with the stocks; without them it is fast enough for a first picture.
    """
    sealed = seals(workspace, _SHOWN)
    attempt = attempted(lambda: read_attempt(workspace))
    newest = sealed[-1].session if sealed else ""
    tried = attempt.value if attempt.value and attempt.value.session > newest else None
    seal = next((one for one in sealed if one.name == chosen), None)
    if seal is None and tried is None and sealed:
        seal = sealed[-1]
    before = earlier(sealed, seal) if seal is not None else None
    signal = None
    if seal is not None:
        signal = read_signal(seal, before) if rows else Signal(seal=seal, card=read_card(seal))
    return Desk(
        seals=sealed,
        attempt=tried,
        signal=signal,
        cards=tuple(map(read_card, sealed)) if rows else (),
        before=before,
        busy=lock.is_held(workspace / "signals" / ".lock"),
        shadow=attempted(lambda: read_shadow(workspace)) if rows else Readable(None),
        schedule=attempted(lambda: read_schedule(workspace, now)),
        champion=attempted(lambda: read_champion(workspace)),
        answers=attempted(lambda: read_answers(workspace)),
        trouble=attempt.trouble,
    )


def read_shadow(workspace: Path) -> Shadow | None:
    """None before the first `ledger`. RecordError or IntegrityError for a file that cannot be read."""
    path = workspace / "signals" / "ledger.json"
    told = FILES.record_if_there(path, ShadowLedger)
    if told is None:
        return None
    rows = FILES.get(path.with_suffix(".parquet"), _shadow_rows)
    return FILES.derive(f"shadow {workspace}", (told, rows), partial(Shadow, told=told, rows=rows))


def _shadow_rows(path: Path) -> tuple[ShadowRow, ...]:
    frame = read_table(path, ShadowRow.__struct_fields__, name=path.name)
    frame = frame.sort("session", "entry", descending=[True, False])
    return record.convert(list(frame.iter_rows(named=True)), tuple[ShadowRow, ...], path.name)
