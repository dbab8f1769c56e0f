"""A file that says: the scheduler lives. Its age is shown by ``schedule status``."""

import datetime as dt
import os
import socket
from pathlib import Path

from engine.errors import IntegrityError
from engine.files import read_json, write_json

HEARTBEAT = Path("schedule") / "heartbeat.json"
"""In the workspace."""


def write_heartbeat(workspace: Path, now: dt.datetime) -> None:
    write_json(
        workspace / HEARTBEAT,
        {"at": now.isoformat(), "pid": os.getpid(), "host": socket.gethostname()},
    )


def heartbeat_age(workspace: Path, now: dt.datetime) -> float | None:
    """Seconds; None before the first one. Negative when the clock was set back meanwhile."""
    path = workspace / HEARTBEAT
    if not path.exists():
        return None
    try:
        at = dt.datetime.fromisoformat(str(read_json(path)["at"]))
    except (KeyError, ValueError) as error:
        raise IntegrityError(f"{path}: no heartbeat", hint="delete it") from error
    return (now - at).total_seconds()
