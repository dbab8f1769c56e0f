"""A disk that is full, read-only or broken: one sentence, whichever library has found it out.

Python, torch's safetensors, polars, pyarrow, SQLite (alone and under SQLAlchemy), numpy and numba each have a
class and a wording of their own for it; most hide the number that the system gave.
"""

import errno
import os
import re
import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TypeVar

from engine.errors import EngineError, EnvironmentProblem

_T = TypeVar("_T")
_ROOM = "free space, or choose another --workspace; nothing that was stored is lost"
_RIGHTS = "see who owns the folder, or choose another --workspace; nothing that was stored is lost"
_SAID = {
    errno.ENOSPC: ("the disk is full", _ROOM),
    errno.EDQUOT: ("the quota of this disk is used up", _ROOM),
    errno.EFBIG: ("no file may be so large here", "raise the limit (`ulimit -f`)"),
    errno.EROFS: ("the disk is read-only", _RIGHTS),
    errno.EACCES: ("no permission", _RIGHTS),
    errno.EPERM: ("no permission", _RIGHTS),
    errno.EIO: ("the disk does not read or write (I/O error)", "look at the disk, e.g. `dmesg`"),
    errno.ESTALE: ("the network disk has gone", "mount it again"),
}
_CLOSED, _SHORT = 0, -1
"""SQLite and numba do not say why; numpy only that a part was written."""
_SAID[_CLOSED] = ("cannot be opened or written", _RIGHTS)
_SAID[_SHORT] = ("the disk took only a part of the file", f"raise the limit (`ulimit -f`); {_ROOM}")
_GROWING = ("SQLITE_IOERR_WRITE", "SQLITE_IOERR_TRUNCATE", "SQLITE_IOERR_SHMSIZE")
_NUMBER = re.compile(r"os error (\d+)|errno (\d+)", re.IGNORECASE)
_WORDS = {
    r"database or disk is full": errno.ENOSPC,
    r"^\d+ requested and \d+ written$|Invalid thrift: transport error": _SHORT,
    r"disk I/O error": errno.EIO,
    r"attempt to write a readonly database": errno.EROFS,
    r"unable to open database file|cannot cache function .* no locator available": _CLOSED,
} | {re.escape(os.strerror(number)): number for number in _SAID if number > 0}


class DiskFull(EnvironmentProblem):
    """There is no room: what could not be written can be written when there is."""


def problem(
    error: BaseException, path: Path | None = None, *, needs: int | None = None
) -> EnvironmentProblem | None:
    """What the disk has against it, or None where the error tells of something else.

    ``path``: what was to be written, of ``needs`` bytes if that is known.
    """
    number = None if isinstance(error, EngineError) else _number(error)
    if number is None:
        return None
    words, hint = _SAID[number]
    name = path or getattr(error, "filename", None)
    full = number in (errno.ENOSPC, errno.EDQUOT)
    room = f", {_room(Path(name or '.'), needs)}" if full else ""
    told = f"{name}: {words}{room}" if name else f"{words}{room} ({str(error).splitlines()[0]})"
    return (DiskFull if full else EnvironmentProblem)(told, hint=hint)


@contextmanager
def named(path: Path, *, needs: int | None = None) -> Iterator[None]:
    """What the disk has against the block's writing is said as a `problem` of the path."""
    try:
        yield
    except Exception as error:
        if found := problem(error, path, needs=needs):
            raise found from error
        raise


def _number(error: BaseException) -> int | None:
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno if error.errno in _SAID else None
    if not isinstance(error, Exception):
        return None
    if getattr(error, "sqlite_errorname", "") in _GROWING and _is_limited():
        return errno.EFBIG
    text = str(error)
    if found := _NUMBER.search(text):
        number = int(found[1] or found[2])
        return number if number in _SAID else None
    return next((n for words, n in _WORDS.items() if re.search(words, text)), None)


def _is_limited() -> bool:
    """Whether files of this process may not grow as they like; SQLite calls that an I/O error."""
    return resource.getrlimit(resource.RLIMIT_FSIZE)[0] != resource.RLIM_INFINITY


def there(path: Path) -> Path:
    """What lies there, or the nearest folder above that exists: the disk that has it or would have it."""
    place = path.absolute()
    return next(p for p in (place, *place.parents) if p.exists())


def free(path: Path) -> int:
    """Bytes that are free where a file lies or would lie."""
    return shutil.disk_usage(there(path)).free


def require(path: Path, needs: int) -> None:
    """DiskFull unless there is room for so many bytes, before hours of work are put into them."""
    if needs > free(path):
        raise DiskFull(f"{path}: the disk is too full, {_room(path, needs)}", hint=_ROOM)


def _room(path: Path, needs: int | None) -> str:
    left = free(path)
    if needs is None or needs <= left:
        return f"{size(left)} free are too few"
    return f"{size(needs)} needed and {size(left)} free: {size(needs - left)} are missing"


def size(count: float) -> str:
    """``4.6 MiB``."""
    for unit in ("bytes", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"


def append(descriptor: int, content: bytes) -> None:
    """All of the content behind what the file holds, or nothing: half a line would damage the next one."""
    start, done = os.fstat(descriptor).st_size, 0
    try:
        while done < len(content):
            done += os.write(descriptor, content[done:])
    except OSError:
        if done and os.fstat(descriptor).st_size == start + done:
            os.ftruncate(descriptor, start)
        raise


_waits: ContextVar[Callable[[DiskFull], None] | None] = ContextVar("_waits", default=None)


@contextmanager
def patient(wait: Callable[[DiskFull], None] | None) -> Iterator[None]:
    """In the block a write that finds no room is begun again after each ``wait``, which may raise."""
    token = _waits.set(wait)
    try:
        yield
    finally:
        _waits.reset(token)


def again(write: Callable[[], _T]) -> _T:
    """What ``write`` answers; on a full disk begun again where somebody is `patient`, else DiskFull."""
    while True:
        try:
            return write()
        except DiskFull as error:
            if (wait := _waits.get()) is None:
                raise
            with patient(None):
                wait(error)
