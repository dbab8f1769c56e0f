"""A command under a handicap: ``python -P -m engine.drill.child HANDICAP WORDS...``, the former as JSON.

Less room for a file than it needs, or none for one of them, a clock that is wrong, or a list kept of what it
opens or renames.
"""

import datetime as dt
import errno
import os
import resource
import runpy
import signal
import sys
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import msgspec


class Handicap(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is made harder for a child."""

    room: int = 0
    """Largest file that it may write until one was refused, bytes; 0 = as large as it likes."""
    full: str = ""
    """Name of a file that finds no room when it is written by itself."""
    shift: float = 0.0
    """Its clock is so many seconds ahead."""
    opened: str = ""
    """File to which the path of each file that it opens is appended."""
    named: str = ""
    """File to which each file that takes a name is appended, after ``synced`` or ``unsynced`` and after
    ``alone``, or ``within`` a folder."""


def _less_room(size: int) -> None:
    """A write beyond fails as on a full disk, once: a second writer would speak for one that is silent."""

    def enough(*_: object) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))

    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    signal.signal(signal.SIGXFSZ, enough)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))


def _no_room_for(name: str) -> None:
    """As a disk that is full just then: what is written beside the file, to take its name, is refused."""

    def hear(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(arguments[0], str | os.PathLike):
            path = os.fsdecode(arguments[0])
            if fnmatch(Path(path).name, f".{name}.*tmp"):
                raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), path)

    sys.addaudithook(hear)


def _other_clock(seconds: float) -> None:
    """Both clocks of the product: that of commands and that of the scheduler."""
    from engine.schedule.timetable import SystemClock
    from engine.stages import context

    def shifted(*_: Any) -> dt.datetime:
        return dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds)

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Shifted(context.StageContext):
        now: Any = shifted

    setattr(SystemClock, "now", shifted)  # noqa: B010 - a method is put in the place of another
    setattr(context, "StageContext", Shifted)  # noqa: B010 - by this name the command line makes its context


def _tell_opened(path: str) -> None:
    """SQLite and polars open files by themselves; every file that the product checks it opens in Python."""
    target = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def hear(event: str, arguments: tuple[Any, ...]) -> None:
        if event in ("open", "sqlite3.connect") and isinstance(arguments[0], str | os.PathLike):
            os.write(target, os.fsencode(os.path.abspath(arguments[0])) + b"\n")

    sys.addaudithook(hear)


def _tell_named(path: str) -> None:
    """A file is synced if it was since it was last changed. One with two names was finished before."""
    target = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    synced, sync = dict[int, int](), os.fsync

    def fsync(descriptor: int) -> None:
        sync(descriptor)
        status = os.fstat(descriptor)
        synced[status.st_ino] = status.st_mtime_ns

    def hear(event: str, arguments: tuple[Any, ...]) -> None:
        if event != "os.rename":
            return
        source, name = (Path(os.fsdecode(one)) for one in arguments[:2])
        for file in source.rglob("*") if source.is_dir() else (source,):
            if file.is_file() and (status := file.stat()).st_nlink == 1:
                state = "synced" if synced.get(status.st_ino) == status.st_mtime_ns else "unsynced"
                there = os.path.normpath(os.path.abspath(name / file.relative_to(source)))
                how = "alone" if file == source else "within"
                os.write(target, f"{state} {how} {there}\n".encode(errors="surrogateescape"))

    setattr(os, "fsync", fsync)  # noqa: B010 - a function is put in the place of another
    sys.addaudithook(hear)


def main() -> None:
    handicap = msgspec.json.decode(sys.argv[1], type=Handicap)
    del sys.argv[1]
    sys.argv[0] = str(Path(sys.argv[0]).with_name("engine"))
    if handicap.opened:
        _tell_opened(handicap.opened)
    if handicap.named:
        _tell_named(handicap.named)
    if handicap.shift:
        _other_clock(handicap.shift)
    if handicap.room:
        _less_room(handicap.room)
    if handicap.full:
        _no_room_for(handicap.full)
    runpy.run_module("engine", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
