"""The cells of a sweep, made here or in several processes: ``sweep-I`` of the run is a block of them.

tasks/sweep-I/block.json       what is asked
tasks/sweep-I/cells.parquet    figures (JSON; null where nothing was simulated), error, net_return (list)
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Self

import msgspec
import numpy as np
import polars as pl
from msgspec import Struct
from numpy.typing import NDArray

from engine.backtest.simulator import Simulator
from engine.backtest.sweep import Grid, GridPoint, cell_config, settings_of, sweep
from engine.config import Config
from engine.errors import Interrupted
from engine.files import read_parquet, write_parquet
from engine.portfolio.prediction import Prediction
from engine.records import record
from engine.records.backtest import ReturnFigures
from engine.runs.events import Advanced, RunEvent
from engine.runs.sink import EventSink, NullSink
from engine.runs.store import Run
from engine.stages.capacity import asked_jobs
from engine.stages.cluster import beside
from engine.stages.context import StageContext
from engine.stages.tasks import Task, forget_tasks
from engine.stages.trading import open_simulator

SWEEP_PART = "sweep-"
"""Begins the names of its tasks."""
_BLOCK, _CELLS = "block.json", "cells.parquet"
_BLOCKS_PER_JOB = 2
"""More share less: a block makes its first book anew."""
_OnCell = Callable[[int, int], None]


def swept(
    context: StageContext, run: Run, simulator: Simulator, prediction: Prediction, grid: Grid
) -> list[GridPoint]:
    """All cells in the order of the grid, made here or in several processes."""
    told, many = _telling(context, context.sink), asked_jobs(context.config)
    if many == 1 and context.config.executor.kind == "local":
        return sweep(simulator, prediction, grid, on_cell=told)
    try:
        return _points_beside(context, run, simulator.config, grid, many, told)
    finally:
        forget_tasks(run, f"{SWEEP_PART}*")


def _telling(context: StageContext, sink: EventSink) -> _OnCell:
    """What tells how many cells are done; Interrupted where the user wants no more."""

    def told(done: int, total: int) -> None:
        sink.emit(Advanced(stage="sweep", done=done, total=total, note=""))
        if context.stop.requested and done < total:
            raise Interrupted(f"sweep: stopped after {done} of {total} cells")

    return told


class _Block(Struct, frozen=True, kw_only=True):
    """What a task is asked for: cells ``first`` to ``stop`` of the grid."""

    config: dict[str, Any]
    """Of the whole run with the trading tables of the command."""
    grid: tuple[tuple[str, tuple[str, ...]], ...]
    """Key and values; pairs, for their order is that of the cells and a record's keys are sorted."""
    first: int
    stop: int


def _points_beside(
    context: StageContext, run: Run, config: Config, grid: Grid, jobs: int, told: _OnCell
) -> list[GridPoint]:
    values = list(itertools.product(*grid.values()))
    forget_tasks(run, f"{SWEEP_PART}*")
    blocks = min(len(values), _BLOCKS_PER_JOB * jobs)
    bounds = [len(values) * b // blocks for b in range(blocks + 1)]
    tasks = [Task(run, f"{SWEEP_PART}{b}") for b in range(blocks)]
    texts = tuple((key, tuple(words)) for key, words in grid.items())
    settings = config.model_dump(mode="json")
    for task, first, stop in zip(tasks, bounds, bounds[1:], strict=False):
        block = _Block(config=settings, grid=texts, first=first, stop=stop)
        record.write(task.folder / _BLOCK, block)
    done: dict[str, int] = {}

    def watch(task: Task, event: RunEvent) -> bool:
        if isinstance(event, Advanced):
            done[task.part] = event.done
            told(sum(done.values()), len(values))
        return True

    for _ in beside(context, jobs).each(iter(tasks), watch):
        pass
    rows = (row for task in tasks for row in _kept_cells(task))
    return [
        GridPoint(settings=settings_of(grid, cell), config=cell, figures=f, error=e, net_D=net_D)
        for cell, (f, e, net_D) in zip(
            (cell_config(config, grid, chosen) for chosen in values), rows, strict=True
        )
    ]


def _kept_cells(task: Task) -> Iterator[tuple[ReturnFigures | None, str, NDArray[np.float64]]]:
    """What a task has made of its cells."""
    path = task.folder / _CELLS
    for figures, error, net in read_parquet(path).iter_rows():
        found = record.parse(figures.encode(), ReturnFigures, str(path)) if figures else None
        yield found, error, np.array(net, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class SweepBench:
    """A run's scores and market opened by a worker, for one block of cells after another."""

    run: Run
    prediction: Prediction
    simulator: Simulator

    @classmethod
    def open(cls, context: StageContext, task: Task) -> Self:
        """Read the scores and the panel; all blocks of a sweep have one configuration."""
        config = Config.model_validate(record.read(task.folder / _BLOCK, _Block).config)
        quiet = replace(context, sink=NullSink())
        prediction, simulator, _ = open_simulator(quiet, task.run, config)
        return cls(task.run, prediction, simulator)

    def do(self, context: StageContext, name: str, sink: EventSink) -> None:
        """The cells of one block."""
        folder = Task(self.run, name).folder
        block = record.read(folder / _BLOCK, _Block)
        points = sweep(
            self.simulator,
            self.prediction,
            dict(block.grid),
            block=slice(block.first, block.stop),
            on_cell=_telling(context, sink),
        )
        cells = pl.DataFrame(
            {
                "figures": [_text(point.figures) for point in points],
                "error": [point.error for point in points],
                "net_return": [point.net_D.tolist() for point in points],
            },
            schema={
                "figures": pl.String,
                "error": pl.String,
                "net_return": pl.List(pl.Float64),
            },
        )
        write_parquet(folder / _CELLS, cells)


def _text(figures: ReturnFigures | None) -> str | None:
    return None if figures is None else msgspec.json.encode(figures).decode()
