"""The scheduler's files in the workspace: who may write them, and what a watcher reads without its lock.

    schedule/lock            held while a scheduler lives
    schedule/heartbeat.json  written at every look at the clock
    schedule/ledger.sqlite   the book of sessions, errands, alerts and notes
    schedule/outlook.json    what the exchange calendar says

A screen must not load an exchange calendar; so the scheduler writes down what it has read in it.
"""

import datetime as dt
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import structs

from engine.errors import LockedError
from engine.files import write_json
from engine.records import record
from engine.records.agenda import (
    Agenda,
    BookedAlert,
    BookedErrand,
    BookedSession,
    Heartbeat,
    Outlook,
    ProcessState,
)
from engine.runs import lock

_FOLDER = Path("schedule")
_LOCK, _HEARTBEAT = _FOLDER / "lock", _FOLDER / "heartbeat.json"
LEDGER, _OUTLOOK = _FOLDER / "ledger.sqlite", _FOLDER / "outlook.json"
_STALE_BEATS = 4
"""Heartbeats that may be missing before the process counts as stuck."""
_HEARTBEAT_S = 30.0
"""Taken for the pause between two where no outlook tells it."""
_LOCK_PATIENCE_S = 2.0
"""A process that is being started holds its starter's files until it has begun: a moment longer than the
starter, when that was killed in it."""
_POLL_S = 0.05


@contextmanager
def exclusive(workspace: Path) -> Iterator[None]:
    """Hold the scheduler's lock for the block; LockedError (exit code 5) if another has it."""
    path = workspace / _LOCK
    end = time.monotonic() + _LOCK_PATIENCE_S
    while lock.is_held(path) and time.monotonic() < end:
        time.sleep(_POLL_S)
    held = lock.hold(path)
    try:
        held.__enter__()
    except LockedError as error:
        raise LockedError(
            f"{workspace}: a scheduler is at work here already (process {lock.holder(path)})",
            hint="`atft-tui schedule status` tells what it does",
        ) from error
    try:
        yield
    finally:
        held.__exit__(None, None, None)


def write_heartbeat(workspace: Path, now: dt.datetime) -> None:
    """Show that this process lives."""
    beat = {"at": now.isoformat(), "pid": os.getpid(), "host": socket.gethostname()}
    write_json(workspace / _HEARTBEAT, beat, listed=False)


def write_outlook(workspace: Path, outlook: Outlook) -> None:
    """Write down what the exchange calendar says, for those who must not load one."""
    record.write(workspace / _OUTLOOK, outlook)


def read_agenda(workspace: Path, now: dt.datetime, *, limit: int = 10) -> Agenda:
    """Read everything there is to show of the schedule: at most ``limit`` rows of each kind.

    `Agenda()` where none ever ran; RecordError or IntegrityError names a file that is damaged.
    """
    if not (workspace / _FOLDER).is_dir():
        return Agenda()
    outlook = record.read_if_there(workspace / _OUTLOOK, Outlook)
    beat = record.read_if_there(workspace / _HEARTBEAT, Heartbeat)
    agenda = Agenda(
        process=_process(workspace, now, beat, outlook),
        pid=lock.holder(workspace / _LOCK),
        beat_at=beat.at.isoformat() if beat else "",
        outlook=outlook,
    )
    book = workspace / LEDGER
    return _with_rows(agenda, book, limit) if book.is_file() else agenda


def _with_rows(agenda: Agenda, book: Path, limit: int) -> Agenda:
    # Here, not above: SQLite takes 7 ms of the start of every screen, most of which have no book.
    from engine.records.database import read_records, read_rows

    newest = "FROM alerts ORDER BY created_at DESC, key, channel LIMIT ?"
    errands = "FROM errands ORDER BY state = 'done', next_at DESC LIMIT ?"
    sessions = "FROM sessions ORDER BY session DESC, exchange LIMIT ?"
    counts = read_rows(book, "SELECT state, COUNT(*) FROM alerts GROUP BY state ORDER BY state")
    notes = read_rows(book, "SELECT at, text FROM notes ORDER BY id DESC LIMIT ?", (limit,))
    return structs.replace(
        agenda,
        sessions=read_records(book, BookedSession, f"SELECT * {sessions}", (limit,)),
        errands=read_records(book, BookedErrand, f"SELECT * {errands}", (limit,)),
        alerts=read_records(book, BookedAlert, f"SELECT * {newest}", (limit,)),
        alert_counts=dict(map(tuple, counts)),
        notes=tuple((str(row["at"]), str(row["text"])) for row in notes),
    )


def _process(
    workspace: Path, now: dt.datetime, beat: Heartbeat | None, outlook: Outlook | None
) -> ProcessState:
    """A living process whose last heartbeat is too old must be stuck."""
    if not lock.is_held(workspace / _LOCK):
        return "never" if beat is None else "stopped"
    pause = outlook.heartbeat_seconds if outlook is not None else _HEARTBEAT_S
    late = beat is not None and (now - beat.at).total_seconds() > _STALE_BEATS * pause
    return "stuck" if late else "running"
