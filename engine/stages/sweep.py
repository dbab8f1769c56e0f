"""`sweep`: strategy and cost settings over one set of out-of-sample scores."""

import math
from collections.abc import Sequence
from typing import Any

import polars as pl

from engine.backtest import inference
from engine.backtest.selection import overfitting_probability
from engine.backtest.sweep import Cell, book_of, parse_grid, pivot, returns_of, sweep
from engine.errors import DataError
from engine.files import write_json, write_parquet
from engine.runs.events import Advanced, StageStarted
from engine.runs.trials import count_trials, record_trials
from engine.stages.backtest import (
    open_simulator,
    run_vectorbt,
    trading_configuration,
    trial_settings,
)
from engine.stages.context import Outcome, StageContext, require_model
from engine.stages.text import table

_DEFAULT_GRID = (
    "portfolio.rebalance_sessions=1,5",
    "portfolio.fraction=0.05,0.1,0.2",
    "costs.slippage_bps=2,5,10",
)
_SHOWN = ("sharpe", "annual_return", "max_drawdown", "turnover", "cost_drag")
_ROWS = 20


def run_sweep(
    context: StageContext, *, run: str, grid: Sequence[str], strategy: str | None
) -> Outcome:
    """Every combination by the fast path, the best one again by vectorbt; all counted as trials."""
    found = context.store.open(run)
    require_model(found)
    config = trading_configuration(context, found, strategy)
    wanted = parse_grid(grid or _DEFAULT_GRID, config)
    with found.lock():
        prediction, simulator, quality = open_simulator(context, found, config)
        context.sink.emit(StageStarted(stage="sweep"))
        cells = sweep(
            simulator,
            prediction,
            wanted,
            on_cell=lambda done, total: context.sink.emit(
                Advanced(stage="sweep", done=done, total=total, note="")
            ),
        )
        record_trials(
            found, {_name(cell): (trial_settings(cell.config), _sharpe(cell)) for cell in cells}
        )
        trials = count_trials(context.store)
        done = [cell for cell in cells if math.isfinite(_sharpe(cell))]
        if not done:
            raise DataError(
                f"{found.id}: no cell has a Sharpe ratio ({cells[0].error or 'nothing was held'})"
            )
        best = max(done, key=_sharpe)
        changed, book = book_of(simulator, best, prediction)
        gap = run_vectorbt(changed, book).gap
        spy = simulator.panel.sessions_per_year
        summary: dict[str, Any] = {
            "run_id": found.id,
            "grid": {key: [_cell_value(v) for v in values] for key, values in wanted.items()},
            "cells": [
                {
                    "settings": cell.settings,
                    **{name: cell.figures.get(name) for name in _SHOWN},
                    "error": cell.error or None,
                }
                for cell in cells
            ],
            "best": {
                "settings": best.settings,
                **{name: best.figures[name] for name in _SHOWN},
                "sharpe_deflated": inference.deflated_sharpe(best.net_D, spy, trials=trials),
                "simulations_gap": gap,
            },
            "overfitting_probability": overfitting_probability(returns_of(cells)),
            "trials": trials,
            "sessions_per_year": spy,
            "notes": list(quality.notes),
        }
        dates = simulator.table.dates_D[1:]
        write_parquet(found.path("sweep_returns.parquet"), _returns(cells, dates))
        write_json(found.path("sweep.json"), summary)
    return Outcome(json=summary, text=_text(summary))


def _cell_value(text: str) -> float | str:
    """A number of the grid as a number."""
    try:
        return float(text)
    except ValueError:
        return text


def _name(cell: Cell) -> str:
    return "sweep " + ", ".join(f"{k}={v}" for k, v in cell.settings.items())


def _sharpe(cell: Cell) -> float:
    return float(cell.figures.get("sharpe", float("nan")))


def _returns(cells: Sequence[Cell], dates: Any) -> pl.DataFrame:
    """``cell, date, net_return`` of every cell that was simulated."""
    parts = [
        pl.DataFrame(
            {
                "cell": pl.repeat(number, cell.net_D.size, dtype=pl.Int32, eager=True),
                "date": pl.Series(dates[: cell.net_D.size]).cast(pl.Date),
                "net_return": cell.net_D,
            }
        )
        for number, cell in enumerate(cells)
        if cell.figures
    ]
    return pl.concat(parts)


def _text(summary: dict[str, Any]) -> str:
    keys = list(summary["grid"])
    ranked = sorted(
        summary["cells"], key=lambda cell: -_number(cell["sharpe"], worst=float("-inf"))
    )
    rows = [
        [
            *(str(cell["settings"][key]) for key in keys),
            f"{_number(cell['sharpe']):+.2f}",
            f"{_number(cell['annual_return']):+.1%}",
            f"{_number(cell['turnover']):.1%}",
            f"{_number(cell['cost_drag']):.1%}",
        ]
        for cell in ranked[:_ROWS]
    ]
    short = [key.partition(".")[2] for key in keys]
    best, pbo = summary["best"], summary["overfitting_probability"]
    lines = [
        table(rows, header=[*short, "net Sharpe", "return/y", "turnover/day", "costs/y"]),
        ""
        if len(ranked) <= _ROWS
        else f"the best {_ROWS} of {len(ranked)} cells; all in sweep.json",
        *_heat_map(summary, keys),
        f"The best of many looks better than it is: after {summary['trials']} trials the probability "
        f"that its true Sharpe beats luck is {best['sharpe_deflated']:.0%};",
        f"probability of backtest overfitting {pbo:.0%} (50 % = the choice is worth nothing).",
    ]
    return "\n".join(lines)


def _heat_map(summary: dict[str, Any], keys: Sequence[str]) -> list[str]:
    """Net Sharpe by the first two keys with more than one value, mean over the others."""
    wide = [key for key in keys if len(summary["grid"][key]) > 1][:2]
    if len(wide) < 2:
        return []
    means, rows_of, columns_of = pivot(summary["cells"], *wide)
    rows = [
        [f"{wide[0].partition('.')[2]} {row}",
         *(f"{means.get((row, column), float('nan')):+.2f}" for column in columns_of)]
        for row in rows_of
    ]  # fmt: skip
    header = [f"net Sharpe, by {wide[1].partition('.')[2]}", *map(str, columns_of)]
    return [table(rows, header=header), ""]


def _number(value: float | None, worst: float = float("nan")) -> float:
    return worst if value is None or math.isnan(value) else value
