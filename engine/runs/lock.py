"""Who is working on a run: an flock that the kernel frees with the process, however it dies."""

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.errors import LockedError
from engine.files import from_json


@contextmanager
def hold(path: Path, hint: str = "wait for it, or end it with `atft-tui stop`") -> Iterator[None]:
    """Hold the lock for the block. LockedError names the holder if another process has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            who = holder(path)
            raise LockedError(
                f"{path.parent.name}: in use by process {who if who else 'unknown'}",
                hint=hint,
            ) from error
        file.seek(0)
        file.truncate()
        json.dump({"pid": os.getpid(), "host": socket.gethostname()}, file)
        file.flush()
        yield


@contextmanager
def waiting(path: Path) -> Iterator[None]:
    """Hold the lock of something that takes a moment: whoever has it is waited for."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def is_held(path: Path) -> bool:
    """Whether a living process holds the lock. A pid alone proves nothing: it may be another's by now."""
    try:
        with path.open("r", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def holder(path: Path) -> int | None:
    """Process id written by the holder; None if nobody holds the lock or it runs on another host."""
    if not is_held(path):
        return None
    try:
        content = from_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return int(content["pid"]) if content.get("host") == socket.gethostname() else None
