"""A small SQLite file that survives kill -9: write-ahead log, short transactions, one schema version.

Its bytes change under every commit, so what they say is hashed: a table beside the others holds a sum of all
rows, which each transaction compares and writes anew. A bit that turned over is found by it or by SQLite, or
lies where nothing is read.
"""

import datetime as dt
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

import msgspec

from engine import disk
from engine.errors import EnvironmentProblem, IntegrityError
from engine.records.record import RecordError

_T = TypeVar("_T")
_BUSY_S = 30.0
"""How long a writer waits for another process's transaction, which takes milliseconds."""
_WATCH_S = 0.5
"""How long a watcher waits; it reads again soon."""
_MARK = 0x61746674
"""Application id of a file that has a sum; one of a version before has none until it is written again."""
_SUM = "CREATE TABLE IF NOT EXISTS content (sum TEXT NOT NULL)"


class Database:
    """One connection behind a lock, so threads may share it; other processes have their own."""

    def __init__(self, path: Path, schema: Sequence[str], *, version: int) -> None:
        """Open or create. A file of a newer version or one that is no database is refused."""
        self.path = path
        self._lock = threading.RLock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(
                path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
            )
        except (OSError, sqlite3.OperationalError) as error:
            found = EnvironmentProblem(f"{path}: cannot be opened ({error})")
            raise disk.problem(error, path) or found from error
        self._connection.row_factory = sqlite3.Row
        with self._reading():
            self._connection.execute("PRAGMA journal_mode = WAL")
            # A killed process loses nothing. After a power cut the newest commits may be missing, which
            # costs a repetition of what they told; a sync per commit costs 8 ms.
            self._connection.execute("PRAGMA synchronous = NORMAL")
            if (newer := _version_of(self._connection)) > version:
                raise IntegrityError(
                    f"{path}: written by a newer version (schema {newer}, this one knows {version})",
                    hint="update atft-tui",
                )
            _require_whole(self._connection, path)
        with self.transaction() as connection:
            for statement in schema:
                connection.execute(statement)
            connection.execute(_SUM)
            connection.execute(f"PRAGMA application_id = {_MARK:d}")
            connection.execute(f"PRAGMA user_version = {version:d}")

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All statements of the block or none of them; other writers wait until it ends."""
        with self._reading():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                _require_sum(self._connection, self.path)
                yield self._connection
                _write_sum(self._connection)
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def rows(self, query: str, values: Sequence[object] = ()) -> list[sqlite3.Row]:
        """Rows of a query, whole."""
        with self._reading():
            return self._connection.execute(query, values).fetchall()

    def records(self, kind: type[_T], query: str, values: Sequence[object] = ()) -> tuple[_T, ...]:
        """Rows of a query as records, see `read_records`."""
        return _records(self.path, kind, self.rows(query, values))

    def close(self) -> None:
        """Give the file free; nothing can be asked afterwards."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def _reading(self) -> Iterator[None]:
        with self._lock:
            try:
                yield
            except sqlite3.OperationalError as error:
                raise disk.problem(error, self.path) or EnvironmentProblem(
                    f"{self.path}: {error}", hint="see who holds the file"
                ) from error
            except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
                if isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError):
                    raise
                raise _damaged(self.path, error) from error


def timestamp(moment: dt.datetime) -> str:
    """UTC with microseconds, always of one width: text that sorts like the time."""
    return moment.astimezone(dt.UTC).isoformat(timespec="microseconds")


def read_rows(path: Path, query: str, values: Sequence[object] = ()) -> list[sqlite3.Row]:
    """Rows of a file that another process may be writing; nothing is created or changed.

    For those who only watch. EnvironmentProblem where a table is not there yet or the file is busy.
    """
    try:
        with closing(
            sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_WATCH_S)
        ) as connection:
            connection.row_factory = sqlite3.Row
            _once_whole(connection, path, _stamp(path))
            return connection.execute(query, values).fetchall()
    except sqlite3.OperationalError as error:
        raise EnvironmentProblem(f"{path}: cannot be read now ({error})") from error
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        raise _damaged(path, error) from error


def read_records(
    path: Path, kind: type[_T], query: str, values: Sequence[object] = ()
) -> tuple[_T, ...]:
    """Rows of a file as records whose fields bear the names of the columns; other columns are passed over.

    SQLite has no truth values and no dates: 0 and 1 become bool, text becomes a date or a moment. RecordError
    names the file and the field of a row that is none of the kind.
    """
    return _records(path, kind, read_rows(path, query, values))


def _records(path: Path, kind: type[_T], rows: list[sqlite3.Row]) -> tuple[_T, ...]:
    try:
        return tuple(msgspec.convert(dict(row), kind, strict=False) for row in rows)
    except msgspec.ValidationError as error:
        raise RecordError(f"{path}: {error}") from error


def require_whole(path: Path) -> None:
    """IntegrityError unless every row is one that was written; nothing is created or changed."""
    read_rows(path, "SELECT 1")


def _require_whole(connection: sqlite3.Connection, path: Path) -> None:
    """The sum of the rows, and what SQLite knows of its pages and indexes."""
    connection.execute("BEGIN")
    try:
        said = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
        if said != "ok":
            raise _damaged(path, said)
        _require_sum(connection, path)
    finally:
        connection.execute("ROLLBACK")


@lru_cache(maxsize=8)
def _seen_whole(path: Path, stamp: object) -> list[bool]:
    """A place to note that the file was found whole in this state."""
    return []


def _once_whole(connection: sqlite3.Connection, path: Path, stamp: object) -> None:
    """As `_require_whole`, once for a state of the file: a screen asks for it every second."""
    if not (seen := _seen_whole(path, stamp)):
        _require_whole(connection, path)
        seen.append(True)


def _stamp(path: Path) -> object:
    """What changes when the file or its log does."""
    found = (p.stat() for p in (path, path.with_name(f"{path.name}-wal")) if p.is_file())
    return tuple((status.st_ino, status.st_size, status.st_mtime_ns) for status in found)


def _require_sum(connection: sqlite3.Connection, path: Path) -> None:
    known = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'content'").fetchone()
    if not known and connection.execute("PRAGMA application_id").fetchone()[0] != _MARK:
        return
    rows = connection.execute("SELECT sum FROM content").fetchall() if known else []
    if [row[0] for row in rows] != [_sum_of(connection)]:
        raise _damaged(path, "its rows are not those that were written")


def _write_sum(connection: sqlite3.Connection) -> None:
    connection.execute("DELETE FROM content")
    connection.execute("INSERT INTO content VALUES (?)", (_sum_of(connection),))


def _version_of(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def _sum_of(connection: sqlite3.Connection) -> str:
    """Of every row of every table; 5,000 rows are summed in 16 ms."""
    tables = connection.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        " AND name != 'content' ORDER BY name"
    ).fetchall()
    found = sha256(b"%d" % _version_of(connection))
    for name, sql in tables:
        rows = connection.execute(f'SELECT * FROM "{name}"')  # noqa: S608 - a name of the file's own
        found.update("\n".join([sql, *sorted(repr(tuple(row)) for row in rows)]).encode())
    return found.hexdigest()


def _damaged(path: Path, why: object) -> IntegrityError:
    return IntegrityError(
        f"{path}: damaged ({why})",
        hint="move it away; sealed signals are found again in signals/",
    )
