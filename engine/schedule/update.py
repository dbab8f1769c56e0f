"""The jobs that bring the market data of a session into the store."""

import datetime as dt
from pathlib import Path

from engine.config import Config
from engine.data.calendar import trading_days
from engine.data.store import PanelStore
from engine.errors import DataError
from engine.schedule.jobs import Job
from engine.schedule.timetable import timetable_of


def update_jobs(workspace: Path, config: Config, session: dt.date, now: dt.datetime) -> list[Job]:
    """`ingest` commands, in order; none where someone else keeps the store current.

    For files one per session that the store lacks, up to this one: a hole in the history would
    change every feature that looks back over it, so it is waited for: DataError until the file is there.
    """
    source = config.schedule.update
    if source == "none":
        return []
    if source == "files":
        return [_job(config, *words) for words in _appends(workspace, config, session, now)]
    words = ("--until", session.isoformat()) if source == "synthetic" else ()
    return [_job(config, "--source", source, *words)]


def _job(config: Config, *words: str) -> Job:
    limit_s = 60 * config.schedule.job_minutes
    return Job(name="update", words=("ingest", *words), limit_s=limit_s)


def _appends(
    workspace: Path, config: Config, session: dt.date, now: dt.datetime
) -> list[tuple[str, ...]]:
    days = PanelStore(workspace / "data").snapshot().days
    stored = dt.date.fromisoformat(days[-1])
    timetable = timetable_of(workspace, config)
    closed = set(config.schedule.closed)
    found: list[tuple[str, ...]] = []
    first = stored + dt.timedelta(days=1)
    for day in trading_days(timetable.exchange, first, session, today=now.date()):
        if day.date.isoformat() in closed:
            continue
        path = Path(config.schedule.update_prices.format(session=day.date.isoformat()))
        if not path.exists():
            raise DataError(f"{path}: the prices of {day.date} are not there yet")
        found.append(("--source", "files", "--append", "--prices", str(path)))
    return found
