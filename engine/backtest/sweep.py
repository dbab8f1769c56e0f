"""Many settings over one set of scores, by the fast path. Every cell is a trial and is counted as one."""

# Shape suffixes: D sessions, N stocks, M cells.
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from engine.backtest.performance import Series
from engine.backtest.result import BacktestResult
from engine.backtest.simulator import Simulator
from engine.config import Config
from engine.config.file import override
from engine.config.keys import flatten
from engine.errors import EngineError, UsageError
from engine.portfolio.book import Book
from engine.portfolio.market_data import Matrix
from engine.portfolio.prediction import Prediction
from engine.portfolio.strategy import Decisions, minds_terms
from engine.records.backtest import ReturnFigures, SettingsTable

_TABLES = ("portfolio.", "constraints.", "costs.")
_MAX_CELLS = 2000
_WORKERS = 2
Grid = Mapping[str, Sequence[str]]
"""Dotted key -> values as they are written on the command line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GridPoint:
    """One combination of settings and what the fast path made of it."""

    settings: SettingsTable
    """The keys of the grid and the values here."""
    config: Config
    figures: ReturnFigures | None = None
    """None where the settings could not be simulated."""
    error: str = ""
    net_D: Series = field(default_factory=lambda: np.empty(0))

    @property
    def sharpe(self) -> float:
        """NaN where nothing was simulated."""
        return math.nan if self.figures is None else self.figures.sharpe


def parse_grid(texts: Sequence[str], config: Config) -> dict[str, list[str]]:
    """``["portfolio.fraction=0.05,0.1", ...]``; keys of portfolio, constraints and costs only."""
    grid: dict[str, list[str]] = {}
    known = [key for key in flatten(config) if key.startswith(_TABLES)]
    for text in texts:
        key, _, values = text.partition("=")
        chosen = [value.strip() for value in values.split(",") if value.strip()]
        if key not in known:
            raise UsageError(
                f"--grid {text!r}: {key!r} cannot be swept", hint=f"one of {', '.join(known)}"
            )
        if not chosen:
            raise UsageError(f"--grid {text!r}: no values", hint="write KEY=VALUE,VALUE,...")
        grid[key] = chosen
    cells = int(np.prod([len(values) for values in grid.values()])) if grid else 0
    if not 0 < cells <= _MAX_CELLS:
        raise UsageError(f"the grid has {cells} cells; 1 to {_MAX_CELLS} are possible")
    return grid


def sweep(
    simulator: Simulator,
    prediction: Prediction,
    grid: Grid,
    *,
    block: slice = slice(None),
    on_cell: Callable[[int, int], None] = lambda done, total: None,
) -> list[GridPoint]:
    """All combinations in the order of the grid, or a block; cells that share a book build it once."""
    combinations = list(itertools.product(*grid.values()))[block]
    waiting: list[tuple[Config, Future[BacktestResult] | EngineError]] = []
    books: dict[str, Matrix] = {}
    decisions: dict[str, Decisions] = {}
    current = simulator
    cells: list[GridPoint] = []
    with ThreadPoolExecutor(_WORKERS) as pool:
        for values in combinations:
            config = cell_config(simulator.config, grid, values)
            try:
                current = current.changed(config, prediction)
                terms = config.costs if minds_terms(current.strategy) else None
                haircut = config.costs.delisting_haircut
                key = repr((config.portfolio, config.constraints, haircut, terms))
                if key not in books:
                    books.clear()  # neighbours in the grid share books; older ones are not needed
                    portfolio = config.portfolio
                    limits = config.constraints if terms else None
                    step = portfolio.rebalance_sessions
                    when = repr((config.traded_horizons, step, terms, limits))
                    if when not in decisions:
                        decisions.clear()
                        decisions[when] = current.decide(current.score_DN)
                    book = current.book_on(decisions[when])
                    books[key] = current.table.orders(book.targets())
                waiting.append((config, pool.submit(current.fill, books[key])))
            except EngineError as error:
                waiting.append((config, error))
            if len(waiting) > _WORKERS:
                cells.append(_point(grid, *waiting.pop(0)))
                on_cell(len(cells), len(combinations))
        cells += [_point(grid, *item) for item in waiting]
    on_cell(len(cells), len(combinations))
    return cells


def cell_config(config: Config, grid: Grid, values: Sequence[str]) -> Config:
    """The configuration with one value for each key of the grid."""
    return override(config, dict(zip(grid, values, strict=True)), origin="--grid")


def _point(grid: Grid, config: Config, done: Future[BacktestResult] | EngineError) -> GridPoint:
    """One whose settings cannot be simulated (a book that loses everything) says why."""
    settings = settings_of(grid, config)
    try:
        if isinstance(done, EngineError):
            raise done
        result = done.result()
    except EngineError as error:
        return GridPoint(settings=settings, config=config, error=error.message)
    return GridPoint(
        settings=settings, config=config, figures=result.figures(), net_D=result.net_returns()
    )


def settings_of(grid: Grid, config: Config) -> SettingsTable:
    """The keys of the grid and their values in this configuration."""
    flat = flatten(config)
    return {key: flat[key] for key in grid}


def book_of(
    simulator: Simulator, cell: GridPoint, prediction: Prediction
) -> tuple[Simulator, Book]:
    """The simulator and book of one cell, to simulate it again in full."""
    changed = simulator.changed(cell.config, prediction)
    return changed, changed.book(changed.score_DN)


def returns_of(cells: Sequence[GridPoint]) -> Matrix:
    """Daily net returns ``[D, M]`` of the cells that were simulated over the most common span."""
    sizes = [cell.net_D.size for cell in cells if cell.figures]
    if not sizes:
        return np.empty((0, 0))
    longest = max(sizes)
    return np.stack([cell.net_D for cell in cells if cell.net_D.size == longest], axis=1)
