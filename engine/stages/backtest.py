"""`backtest`: what the out-of-sample scores of a run would have earned, after costs."""

from typing import Any

import polars as pl

from engine.backtest.baselines import price_baselines, stored_baselines
from engine.backtest.compare import Simulator, compare_baselines, random_band
from engine.backtest.simulate import simulate
from engine.config import Config
from engine.data.load import load_panel
from engine.errors import GateError
from engine.files import write_json, write_parquet
from engine.portfolio.prediction import Prediction
from engine.portfolio.strategy import load_strategy
from engine.runs.events import StageStarted
from engine.runs.store import Run, RunStore, require_file
from engine.stages.context import Outcome, StageContext
from engine.stages.text import table

TRIAL_COMMANDS = ("train", "walkforward", "demo")


def backtest(context: StageContext, *, run: str, strategy: str | None) -> Outcome:
    """Weights, vectorbt simulation, baselines on the same days, interval and verdict.

    Only rows of split ``test`` count. Portfolio, costs and backtest settings come from the command's
    configuration, data and labels from the run's.
    """
    found = context.store.open(run)
    require_file(found.path("predictions.parquet"), "run `atft-tui train` or `predict` first")
    config = _configuration(context, found, strategy)
    with found.lock():
        prediction = Prediction.read(found.path("predictions.parquet")).only("test")
        if prediction.frame.is_empty():
            raise GateError(
                f"{found.id}: no out-of-sample scores (split test) to test",
                hint="in-sample scores are never backtested; predict later days",
            )
        context.sink.emit(StageStarted(stage="load"))
        panel, quality = load_panel(context.workspace, config)
        context.sink.emit(StageStarted(stage="simulate"))
        simulator = Simulator.for_days(
            prediction,
            panel=panel,
            strategy=load_strategy(config.portfolio.strategy),
            config=config,
        )
        weights = simulator.choose(prediction)
        ledger = simulate(
            simulator.table,
            simulator.table.targets(weights),
            costs=config.costs,
            initial_cash=config.backtest.initial_cash,
        )
        result = simulator.settle(ledger, weights)
        horizon = config.portfolio.horizon
        scores = price_baselines(panel, prediction, horizon)
        stored = found.path("baselines.parquet")
        if stored.is_file():
            rows = pl.read_parquet(stored).filter(pl.col("split") == "test")
            scores = stored_baselines(rows, prediction, horizon)
        baselines, daily = compare_baselines(simulator, result, prediction, scores)
        baselines["random"] = random_band(simulator, prediction)
        summary: dict[str, Any] = {
            "run_id": found.id,
            "strategy": weights.strategy,
            **result.figures(),
            **result.evidence(config.backtest, horizon=horizon, trials=count_trials(context.store)),
            "sessions_per_year": result.sessions_per_year,
            "entry": f"{result.entry} of the next session",
            "horizon": horizon,
            "costs": config.costs.model_dump(),
            "portfolio": config.portfolio.model_dump(),
            "baselines": baselines,
            "notes": list(quality.notes),
        }
        weights.write(found.path("weights.parquet"))
        result.write(found.path("backtest.parquet"))
        write_parquet(found.path("backtest_baselines.parquet"), daily)
        write_json(found.path("backtest.json"), summary)
    return Outcome(json=summary, text=_text(summary))


def count_trials(store: RunStore) -> int:
    """Runs that trained something: each was a chance to find a good backtest by luck."""
    return max(1, sum(run.command in TRIAL_COMMANDS for run in store))


def _configuration(context: StageContext, run: Run, strategy: str | None) -> Config:
    trained = run.config()
    portfolio = context.config.portfolio
    if strategy is not None:
        portfolio = portfolio.model_copy(update={"strategy": strategy})
    updates = {
        "portfolio": portfolio,
        "costs": context.config.costs,
        "backtest": context.config.backtest,
    }
    return Config.model_validate(
        {**trained.model_dump(), **{name: value.model_dump() for name, value in updates.items()}}
    )


def _text(summary: dict[str, Any]) -> str:
    rows = [["network", *_cells(summary)]]
    rows += [[name, *_cells(values)] for name, values in summary["baselines"].items()]
    low, high = summary["sharpe_low"], summary["sharpe_high"]
    lines = [
        f"net Sharpe {summary['sharpe']:+.2f}, {summary['confidence']:.0%} [{low:+.2f}, {high:+.2f}], "
        f"target {summary['target']}: {summary['verdict']}",
        f"{summary['sessions']} sessions, x sqrt({summary['sessions_per_year']}), entry at the "
        f"{summary['entry']}, deflated {summary['sharpe_deflated']:.2f} ({summary['trials']} trials)",
        "",
        table(
            rows, header=["", "net Sharpe", "interval", "net return/y", "turnover/day", "costs/y"]
        ),
        "",
        *(f"note: {note}" for note in summary["notes"]),
    ]
    return "\n".join(lines).rstrip()


def _cells(values: dict[str, Any]) -> list[str]:
    low, high = values["sharpe_low"], values["sharpe_high"]
    return [
        f"{values['sharpe']:+.2f}",
        f"[{low:+.2f}, {high:+.2f}]",
        f"{values['annual_return']:+.1%}",
        f"{values['turnover']:.1%}",
        f"{values['cost_drag']:.1%}",
    ]
