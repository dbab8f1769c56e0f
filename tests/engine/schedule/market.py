"""A real desk for the scheduler: the small synthetic market on New York's days, a champion, an inbox.

The prices of each session lie in a file that appears when a test delivers it, as a vendor would.
"""

import contextlib
import datetime as dt
import io
import json
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from engine.cli import main
from engine.config import Config, PhaseConfig
from engine.config.file import resolve, write_resolved
from engine.data.calendar import trading_days
from engine.data.store import PanelStore
from engine.data.synthetic import generate
from engine.data.tables import RawTables
from engine.runs.sink import NullSink
from engine.schedule.jobs import ChildJob, Ended
from engine.stages.audit import audit
from engine.stages.context import StageContext, StopFlag
from engine.stages.promote import promote
from engine.stages.train import train
from tests.conftest import TINY

CASH = 1e5
"""Small beside the turnover of the small market: no order is cut."""


@dataclass(frozen=True)
class Market:
    raw: RawTables
    """All of it, its sessions being the exchange's up to the last day."""
    workspace: Path
    config: Config

    @property
    def inbox(self) -> Path:
        return self.workspace / "inbox"

    def deliver(self, day: dt.date) -> None:
        """The vendor's file of a session, whole at once."""
        rows = self.raw.bars.filter(pl.col("date") == day)
        assert len(rows), f"{day} is no session of the market"
        self.inbox.mkdir(exist_ok=True)
        part = self.inbox / f".{day}.part"
        rows.write_csv(part)
        part.rename(self.inbox / f"{day}.csv")


def on_exchange_days(raw: RawTables, last: dt.date) -> RawTables:
    """The market with its n-th session moved to the exchange's n-th, so that it ends on ``last``."""
    old = raw.bars["date"].unique().sort()
    found: list[dt.date] = []
    month = last
    while len(found) < len(old):  # a calendar of trading hours reaches some 15 months back
        days = trading_days("XNYS", month - dt.timedelta(days=365), month, today=month)
        found = [day.date for day in days] + found
        month = found[0] - dt.timedelta(days=1)
    new = pl.Series(found[-len(old) :])
    moved = {name: _moved(table, old, new) for name, table in raw.tables().items()}
    return replace(
        raw,
        bars=moved["bars"],
        index=None,
        oracle=None,
        optional={},
        market="us",
        source="files(inbox)",
    )


def _moved(table: pl.DataFrame, old: pl.Series, new: pl.Series) -> pl.DataFrame:
    if "date" not in table.columns:
        return table
    return table.with_columns(pl.col("date").replace_strict(old, new, return_dtype=pl.Date))


def open_market(workspace: Path, first: dt.date, last: dt.date) -> Market:
    """A store that ends before ``first``, a trained, audited and promoted champion, and the schedule's
    configuration in the workspace.
    """
    config = resolve([], preset="demo", overrides=(*TINY, "data.market=us")).config
    phase = PhaseConfig(name="all", blocks=config.model.blocks, epochs=1)
    schedule = config.schedule.model_copy(
        update={
            "calendar": "XNYS",
            "update": "files",
            "update_prices": str(workspace / "inbox" / "{session}.csv"),
            "report_formats": "",
        }
    )
    config = config.model_copy(
        update={
            "training": config.training.model_copy(update={"phases": (phase,)}),
            "backtest": config.backtest.model_copy(update={"initial_cash": CASH}),
            "schedule": schedule,
        }
    )
    raw = on_exchange_days(generate(config.data.synthetic).raw, last)
    PanelStore(workspace / "data").save(raw.as_of(first - dt.timedelta(days=1)))
    context = StageContext(workspace=workspace, config=config, sink=NullSink(), stop=StopFlag())
    run = train(context).json["run_id"]
    assert audit(context, deep=False, run=None).exit_code == 0
    assert promote(context, run=run, force_reason="the first one").exit_code == 0
    write_resolved(workspace / "config.toml", config)
    return Market(raw=raw, workspace=workspace, config=config)


@dataclass
class InProcess:
    """The real commands, without the second that a process of their own takes to start."""

    workspace: Path
    jobs: list[ChildJob]

    def recover(self) -> bool:
        return False

    def run(self, job: ChildJob) -> Ended:
        self.jobs.append(job)
        words = [*job.words, "--workspace", str(self.workspace), "--json", "--quiet"]
        out = io.StringIO()
        with _signal_handlers_kept(), contextlib.redirect_stdout(out):
            code = main(words)
        answer: Mapping[str, Any] = json.loads(out.getvalue() or "{}")
        return Ended(exit_code=code, answer=answer)


@contextmanager
def _signal_handlers_kept() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
