"""`sweep`: strategy and cost settings over one set of out-of-sample scores."""

import math
from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.backtest import inference
from engine.backtest.simulator import Simulator
from engine.backtest.sweep import GridPoint, book_of, parse_grid, returns_of
from engine.errors import DataError
from engine.files import write_parquet
from engine.portfolio.prediction import Prediction
from engine.records import record
from engine.records.figure import counted
from engine.records.sweep import SWEEP, BestCell, SweepCell, SweepSummary
from engine.runs.events import StageStarted
from engine.runs.trials import count_trials, record_trials
from engine.stages import protocol
from engine.stages.backtest import run_vectorbt, trial_settings
from engine.stages.context import Outcome, StageContext, require_model, with_executor
from engine.stages.sweep_tasks import swept
from engine.stages.text import table
from engine.stages.trading import open_simulator, trading_configuration

_DEFAULT_GRID = (
    "portfolio.rebalance_sessions=1,5",
    "portfolio.fraction=0.05,0.1,0.2",
    "costs.slippage_bps=2,5,10",
)
_SHOWN = ("sharpe", "annual_return", "max_drawdown", "turnover", "cost_drag")
_ROWS = 20


def run_sweep(
    context: StageContext,
    *,
    run: str,
    grid: Sequence[str],
    strategy: str | None,
    confirm: bool = False,
    jobs: int | None = None,
    executor: str | None = None,
    address: str | None = None,
) -> Outcome:
    """Every combination by the fast path, the best one again by vectorbt; all counted as trials."""
    context = with_executor(context, jobs, executor, address)
    found = context.store.open(run)
    require_model(found)
    config = trading_configuration(context, found, strategy)
    wanted = parse_grid(grid or _DEFAULT_GRID, config)
    with found.lock():
        prediction, simulator, quality = open_simulator(context, found, config)
        days = protocol.check_prediction(context, prediction, confirm=confirm)
        context.sink.emit(StageStarted(stage="sweep"))
        points = swept(context, found, simulator, prediction, wanted)
        tried = {
            _name(point): (trial_settings(point.config, context.workspace), point.sharpe)
            for point in points
        }
        protocol.count_books(context, found, prediction, [book for book, _ in tried.values()])
        record_trials(found, tried)
        summary = SweepSummary(
            run_id=found.id,
            judged_days=days,
            grid={key: tuple(map(_value, values)) for key, values in wanted.items()},
            cells=tuple(map(_cell, points)),
            best=_best(found.id, simulator, prediction, points, count_trials(context.store)),
            overfitting_probability=inference.overfitting_probability(returns_of(points)),
            trials=count_trials(context.store),
            sessions_per_year=simulator.panel.sessions_per_year,
            notes=tuple(quality.notes),
        )
        dates_D = simulator.table.dates_D[1:]
        write_parquet(found.path("sweep_returns.parquet"), _returns(points, dates_D))
        record.write(found.path(SWEEP), summary)
    return protocol.outcome(context, summary, _sweep_text(summary), days)


def _best(
    run_id: str,
    simulator: Simulator,
    prediction: Prediction,
    points: Sequence[GridPoint],
    trials: int,
) -> BestCell:
    """The point with the best Sharpe ratio, once more by vectorbt; DataError where none has one."""
    done = [point for point in points if math.isfinite(point.sharpe)]
    if not done:
        raise DataError(
            f"{run_id}: no cell has a Sharpe ratio ({points[0].error or 'nothing was held'})"
        )
    best = max(done, key=lambda point: point.sharpe)
    changed, book = book_of(simulator, best, prediction)
    spy = simulator.panel.sessions_per_year
    return BestCell(
        settings=best.settings,
        **_shown(best),
        sharpe_deflated=inference.deflated_sharpe(best.net_D, spy, trials=trials),
        simulations_gap=run_vectorbt(changed, book).gap,
    )


def _cell(point: GridPoint) -> SweepCell:
    return SweepCell(settings=point.settings, **_shown(point), error=point.error or None)


def _shown(point: GridPoint) -> dict[str, float]:
    return {name: getattr(point.figures, name, math.nan) for name in _SHOWN}


def _value(text: str) -> float | str:
    """A number of the grid as a number."""
    try:
        return float(text)
    except ValueError:
        return text


def _name(point: GridPoint) -> str:
    return "sweep " + ", ".join(f"{k}={v}" for k, v in point.settings.items())


def _returns(points: Sequence[GridPoint], dates_D: NDArray[np.datetime64]) -> pl.DataFrame:
    """``cell, date, net_return`` of every point that was simulated."""
    parts = [
        pl.DataFrame(
            {
                "cell": pl.repeat(number, point.net_D.size, dtype=pl.Int32, eager=True),
                "date": pl.Series(dates_D[: point.net_D.size]).cast(pl.Date),
                "net_return": point.net_D,
            }
        )
        for number, point in enumerate(points)
        if point.figures
    ]
    return pl.concat(parts)


def _sweep_text(summary: SweepSummary) -> str:
    """The best cells, a map of the first two keys, and what the best of many is worth."""
    keys, ranked = list(summary.grid), summary.ranked
    rows = [
        [
            *(str(cell.settings[key]) for key in keys),
            f"{cell.sharpe:+.2f}",
            f"{cell.annual_return:+.1%}",
            f"{cell.turnover:.1%}",
            f"{cell.cost_drag:.1%}",
        ]
        for cell in ranked[:_ROWS]
    ]
    short = [key.partition(".")[2] for key in keys]
    more = f"the best {_ROWS} of {len(ranked)} cells; all in {SWEEP}" if ranked[_ROWS:] else ""
    lines = [
        table(rows, header=[*short, "net Sharpe", "net CAGR", "turnover/day", "costs/y"]),
        more,
        *_heat_map(summary),
        f"The best of many looks better than it is: after {counted(summary.trials, 'trial')} the probability "
        f"that its true Sharpe beats luck is {summary.best.sharpe_deflated:.0%};",
        f"probability of backtest overfitting {summary.overfitting_probability:.0%} "
        "(50% = the choice is worth nothing).",
    ]
    return "\n".join(lines)


def _heat_map(summary: SweepSummary) -> list[str]:
    found = summary.pivot
    if found is None:
        return []
    row_title, column_title = found.titles
    rows = [
        [f"{row_title} {row}",
         *(f"{found.means.get((row, column), math.nan):+.2f}" for column in found.columns)]
        for row in found.rows
    ]  # fmt: skip
    header = [f"net Sharpe, by {column_title}", *map(str, found.columns)]
    return [table(rows, header=header), ""]
