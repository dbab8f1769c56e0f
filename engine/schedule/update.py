"""The jobs that bring the market data of a session into the store."""

import datetime as dt
from pathlib import Path

from engine.config import Config
from engine.data.calendar import trading_days
from engine.data.growth import incomplete
from engine.data.store import PanelStore, Snapshot
from engine.errors import DataError
from engine.files import sha256
from engine.schedule.jobs import ChildJob
from engine.schedule.timetable import timetable_of


def update_jobs(
    workspace: Path, config: Config, session: dt.date, now: dt.datetime
) -> list[ChildJob]:
    """`ingest` commands, in order; none where someone else keeps the store current.

    For files one per session that the store lacks, up to this one: a hole in the history would
    change every feature that looks back over it, so it is waited for: DataError until the file is there.
    The newest stored session is read again when its file is another one now, see `_grew`.
    """
    source = config.schedule.update
    if source == "none":
        return []
    if source == "files":
        return [_job(config, *words) for words in _appends(workspace, config, session, now)]
    words = ("--until", session.isoformat()) if source == "synthetic" else ()
    return [_job(config, "--source", source, *words)]


def _job(config: Config, *words: str) -> ChildJob:
    limit_s = 60 * config.schedule.job_minutes
    return ChildJob(name="update", words=("ingest", *words), limit_s=limit_s)


def _appends(
    workspace: Path, config: Config, session: dt.date, now: dt.datetime
) -> list[tuple[str, ...]]:
    snapshot = PanelStore(workspace / "data").snapshot()
    stored = dt.date.fromisoformat(snapshot.days[-1])
    timetable = timetable_of(workspace, config)
    closed = set(config.schedule.closed)
    paths = []
    newest = _path(config, stored)
    if stored <= session and _grew(newest, snapshot, config, due=stored == session):
        paths.append(newest)
    first = stored + dt.timedelta(days=1)
    for day in trading_days(timetable.exchange, first, session, today=now.date()):
        if day.date.isoformat() in closed:
            continue
        path = _path(config, day.date)
        if not path.exists():
            raise DataError(f"{path}: the prices of {day.date} are not there yet")
        paths.append(path)
    return [("--source", "files", "--append", "--prices", str(path)) for path in paths]


def _path(config: Config, day: dt.date) -> Path:
    return Path(config.schedule.update_prices.format(session=day.isoformat()))


def _grew(path: Path, snapshot: Snapshot, config: Config, *, due: bool) -> bool:
    """Whether the file of the newest stored session may complete or correct it.

    It was not the one that was read, and its session is incomplete, or is the one that is due: then a file
    that was stored while it was still being written is read again. Of a session that came with the whole
    history nobody knows the file; that is read only to complete it.
    """
    if not path.is_file():
        return False
    read = snapshot.manifest.read.get(str(path.resolve()))
    thin = bool(incomplete(snapshot.names, config.quality.min_coverage))
    return (thin or (due and read is not None)) and sha256(path) != read
