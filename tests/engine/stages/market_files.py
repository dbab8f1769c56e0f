"""A market of three stocks and ten weekdays as a price file, and the frame around a stage."""

import datetime as dt
from collections.abc import Mapping
from pathlib import Path

from engine.config import Config
from engine.runs.sink import NullSink
from engine.stages.context import Outcome, StageContext, StopFlag
from engine.stages.ingest import ingest

HEAD = "date,symbol,open,high,low,close,volume\n"
DAYS = [dt.date(2024, 1, day) for day in (2, 3, 4, 5, 8, 9, 10, 11, 12, 16)]
"""Ten sessions of New York: no New Year, no weekend, no birthday of King on 15 January."""
NOW = dt.datetime(2024, 2, 1, tzinfo=dt.UTC)


def bars(day: dt.date, *, add: float = 0.0, symbols: str = "ABC") -> str:
    """Rows of one session: A at 10, B at 20, C at 30, and a cent more each day."""
    step = 0.01 * DAYS.index(day)
    return "".join(
        f"{day},{s},{p:.2f},{p + 0.1:.2f},{p - 0.1:.2f},{p:.2f},{1000 + 7 * DAYS.index(day)}\n"
        for s in symbols
        for p in [10.0 * (1 + "ABC".index(s)) + step + add]
    )


def context(workspace: Path, **config: Mapping[str, object]) -> StageContext:
    """The frame around a stage, at a fixed time."""
    return StageContext(
        workspace=workspace,
        config=Config.model_validate(config),
        sink=NullSink(),
        stop=StopFlag(),
        now=lambda: NOW,
    )


def taken(workspace: Path, text: str, *, append: bool = False, dry_run: bool = False) -> Outcome:
    """What `ingest` says of a price file with these rows."""
    path = workspace / f"prices-{len(list(workspace.glob('*.csv')))}.csv"
    path.write_text(HEAD + text)
    return ingest(
        context(workspace),
        source="files",
        prices=str(path),
        securities=None,
        index=None,
        columns=None,
        append=append,
        dry_run=dry_run,
    )
