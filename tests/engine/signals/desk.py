"""A trading desk on the small synthetic market: a store that grows by a day, a champion, sealed signals."""

import datetime as dt
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl

from engine.config import Config, PhaseConfig
from engine.config.file import override
from engine.data.store import PanelStore
from engine.data.tables import RawTables
from engine.runs.events import RunEvent
from engine.runs.sink import ListSink
from engine.signals.models import ModelStore
from engine.signals.seal import SealStore
from engine.stages.audit import audit
from engine.stages.context import Outcome, StageContext, StopFlag
from engine.stages.promote import promote
from engine.stages.signals import signals
from engine.stages.train import train
from tests.conftest import few_rounds

LATER = 12
"""Sessions of the market that come after the champion was trained."""
CASH = 1e5
"""Small beside the turnover of the small market: no order is cut."""
NOON = dt.datetime(2020, 1, 1, 12, tzinfo=dt.UTC)


@dataclass(frozen=True)
class Desk:
    workspace: Path
    config: Config
    raw: RawTables
    """The whole market; the store has its beginning."""
    events: list[RunEvent] = field(default_factory=list)

    @property
    def days(self) -> list[dt.date]:
        days: list[dt.date] = self.raw.bars["date"].unique().sort().to_list()
        return days

    @property
    def store(self) -> PanelStore:
        return PanelStore(self.workspace / "data")

    @property
    def last(self) -> dt.date:
        return dt.date.fromisoformat(self.store.snapshot().days[-1])

    @property
    def seals(self) -> SealStore:
        return SealStore(self.workspace / "signals")

    @property
    def models(self) -> ModelStore:
        return ModelStore(self.workspace / "models")

    def context(self, **changes: Any) -> StageContext:
        sink = ListSink()
        config = override(
            self.config, {k.replace("__", "."): v for k, v in changes.items()}, origin=""
        )
        return StageContext(
            workspace=self.workspace, config=config, sink=sink, stop=StopFlag(), now=lambda: NOON
        )

    def copy(self, target: Path) -> "Desk":
        shutil.copytree(self.workspace, target)
        return replace(self, workspace=target)

    def next_day(self, bars: pl.DataFrame | None = None) -> dt.date:
        """Append the session after the store's last one, or these bars of it."""
        day = next(day for day in self.days if day > self.last)
        rows = self.raw.bars.filter(pl.col("date") == day) if bars is None else bars
        index = self.raw.index
        index = None if index is None else index.filter(pl.col("date") == day)
        self.store.append(replace(self.raw, bars=rows, index=index, oracle=None))
        return day

    def bars_of(self, day: dt.date) -> pl.DataFrame:
        return self.raw.bars.filter(pl.col("date") == day)

    def signals(
        self, date: object = None, *, config: Mapping[str, Any] | None = None, **options: Any
    ) -> Outcome:
        given = {"revise": False, "reason": None, "positions": None, "run": None, **options}
        context = self.context(**{k.replace(".", "__"): v for k, v in (config or {}).items()})
        return signals(context, date=None if date is None else str(date), **given)

    def files(self, name: str) -> dict[str, bytes]:
        folder = self.workspace / "signals" / name
        return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def open_desk(workspace: Path, config: Config, raw: RawTables) -> Desk:
    """Train on all but the newest sessions, audit, and promote."""
    training = config.training
    phase = PhaseConfig(name="all", blocks=config.model.blocks, epochs=1)
    config = config.model_copy(
        update={
            "training": training.model_copy(update={"phases": (phase,)}),
            "backtest": config.backtest.model_copy(update={"initial_cash": CASH}),
        }
    )
    raw = replace(raw, oracle=None)
    desk = Desk(workspace=workspace, config=config, raw=raw)
    desk.store.save(raw.as_of(desk.days[-LATER - 1]))
    with few_rounds():
        trained = train(desk.context())
    audited = audit(desk.context(), deep=False, run=None)
    assert audited.exit_code == 0, audited.text
    promoted = promote(desk.context(), run=trained.json["run_id"], force_reason="the first one")
    assert promoted.exit_code == 0, promoted.text
    return desk
