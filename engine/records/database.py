"""A small SQLite file that survives kill -9: write-ahead log, short transactions, one schema version."""

import datetime as dt
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
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
        with self.transaction() as connection:
            found = connection.execute("PRAGMA user_version").fetchone()[0]
            if found > version:
                raise IntegrityError(
                    f"{path}: written by a newer version (schema {found}, this one knows {version})",
                    hint="update atft-tui",
                )
            for statement in schema:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {version:d}")

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All statements of the block or none of them; other writers wait until it ends."""
        with self._reading():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
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
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError):
                    raise
                raise IntegrityError(
                    f"{self.path}: damaged ({error})",
                    hint="move it away; sealed signals are found again in signals/",
                ) from error


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
            return connection.execute(query, values).fetchall()
    except sqlite3.OperationalError as error:
        raise EnvironmentProblem(f"{path}: cannot be read now ({error})") from error
    except sqlite3.DatabaseError as error:
        raise IntegrityError(f"{path}: damaged ({error})") from error


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
