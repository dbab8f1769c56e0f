"""The scheduler as a process: one at a time in a workspace, and it shows that it lives."""

import datetime as dt
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.errors import LockedError
from engine.files import write_json
from engine.runs import lock
from engine.schedule.agenda import HEARTBEAT, LOCK, heartbeat

_LOCK_PATIENCE_S = 2.0
"""A process that is being started holds its starter's files until it has begun: a moment longer than the
starter, when that was killed in it."""
_POLL_S = 0.05


@contextmanager
def exclusive(workspace: Path) -> Iterator[None]:
    """Hold the scheduler's lock for the block; LockedError (exit code 5) if another has it."""
    path = workspace / LOCK
    end = time.monotonic() + _LOCK_PATIENCE_S
    while lock.is_held(path) and time.monotonic() < end:
        time.sleep(_POLL_S)
    try:
        held = lock.hold(path)
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
    write_json(
        workspace / HEARTBEAT,
        {"at": now.isoformat(), "pid": os.getpid(), "host": socket.gethostname()},
    )


def heartbeat_age(workspace: Path, now: dt.datetime) -> float | None:
    """Seconds; None before the first one. Negative when the clock was set back meanwhile."""
    at = heartbeat(workspace)
    return None if at is None else (now - at).total_seconds()
