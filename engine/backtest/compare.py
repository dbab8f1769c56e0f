"""One strategy over many score tables: the model's by vectorbt, all others by the numpy ledger."""

# Shape suffixes: D sessions.
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from engine.backtest.baselines import equal_weight, random_scores
from engine.backtest.inference import sharpe_interval
from engine.backtest.ledger import Ledger, run_ledger
from engine.backtest.prices import PriceTable
from engine.backtest.result import BacktestResult
from engine.config import Config
from engine.data.panel import Panel
from engine.evaluation.inference import paired_difference
from engine.portfolio.prediction import Prediction
from engine.portfolio.strategy import Strategy
from engine.portfolio.weights import Weights

RANDOM_DRAWS = 20
"""Sets of random scores behind the null band of the Sharpe ratio."""
SHOWN = (
    "sharpe",
    "sharpe_gross",
    "annual_return",
    "annual_volatility",
    "max_drawdown",
    "turnover",
    "cost_drag",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulator:
    """The fixed part of a comparison: prices, strategy and costs."""

    panel: Panel
    table: PriceTable
    strategy: Strategy
    config: Config

    @classmethod
    def for_days(
        cls, prediction: Prediction, *, panel: Panel, strategy: Strategy, config: Config
    ) -> "Simulator":
        table = PriceTable.from_panel(
            panel,
            first=prediction.dates[0],
            last=prediction.dates[-1],
            symbols=prediction.frame["symbol"].unique().to_list(),
            entry=config.labels.entry,
            haircut=config.costs.delisting_haircut,
        )
        return cls(panel=panel, table=table, strategy=strategy, config=config)

    def choose(self, prediction: Prediction) -> Weights:
        """The strategy's weights, refused if they hold what the last tranches did not score."""
        weights = self.strategy.weights(prediction, self.panel, self.config.portfolio)
        weights.check_predicted(prediction, memory=self.config.portfolio.horizon)
        return weights

    def quick(self, weights: Weights) -> BacktestResult:
        """By the numpy ledger."""
        ledger = run_ledger(
            self.table,
            self.table.targets(weights),
            costs=self.config.costs,
            initial_cash=self.config.backtest.initial_cash,
        )
        return self.settle(ledger, weights)

    def settle(self, ledger: Ledger, weights: Weights) -> BacktestResult:
        return BacktestResult.from_ledger(
            ledger,
            costs=self.config.costs,
            sessions_per_year=self.config.sessions_per_year,
            entry=self.config.labels.entry,
            strategy=weights.strategy,
            run_id=weights.run_id,
        )


def compare_baselines(
    simulator: Simulator,
    model: BacktestResult,
    prediction: Prediction,
    scores: Iterable[tuple[str, Prediction]],
) -> tuple[dict[str, Any], pl.DataFrame]:
    """Figures per baseline, and their daily net returns (``name, date, net_return``).

    ``excess_return`` is the mean of (model - baseline) x sessions per year with its Newey-West error.
    """
    results = {name: simulator.quick(simulator.choose(scored)) for name, scored in scores}
    results["equal_weight"] = simulator.quick(equal_weight(prediction))
    figures = {name: _figures(simulator, model, result) for name, result in results.items()}
    daily = [
        result.daily.select(pl.lit(name).alias("name"), "date", "net_return")
        for name, result in results.items()
    ]
    return figures, pl.concat(daily)


def random_band(simulator: Simulator, prediction: Prediction) -> dict[str, Any]:
    """Sharpe ratios of random scores: mean, and the 5 % and 95 % quantiles over the draws."""
    horizon = simulator.config.portfolio.horizon
    draws = [
        simulator.quick(simulator.choose(random_scores(prediction, horizon, seed=seed))).figures()
        for seed in range(RANDOM_DRAWS)
    ]
    net = np.array([draw["sharpe"] for draw in draws])
    gross = np.array([draw["sharpe_gross"] for draw in draws])
    return {
        "sharpe": float(net.mean()),
        "sharpe_low": float(np.quantile(net, 0.05)),
        "sharpe_high": float(np.quantile(net, 0.95)),
        "sharpe_gross": float(gross.mean()),
        "sharpe_gross_se": float(gross.std(ddof=1) / np.sqrt(gross.size)),
        "annual_return": float(np.mean([draw["annual_return"] for draw in draws])),
        "turnover": float(np.mean([draw["turnover"] for draw in draws])),
        "cost_drag": float(np.mean([draw["cost_drag"] for draw in draws])),
        "draws": RANDOM_DRAWS,
    }


def _figures(simulator: Simulator, model: BacktestResult, result: BacktestResult) -> dict[str, Any]:
    config, spy = simulator.config, result.sessions_per_year
    low, high = sharpe_interval(
        result.net_returns(),
        spy,
        horizon=config.portfolio.horizon,
        draws=config.backtest.bootstrap_draws,
        confidence=config.backtest.confidence,
        seed=0,
    )
    days = model.daily.select("date", "net_return").join(
        result.daily.select("date", pl.col("net_return").alias("theirs")), on="date"
    )
    excess, error = paired_difference(
        days["net_return"].to_numpy(), days["theirs"].to_numpy(), lag=config.portfolio.horizon
    )
    figures = result.figures()
    return {
        **{name: figures[name] for name in SHOWN},
        "sharpe_low": low,
        "sharpe_high": high,
        "excess_return": excess * spy,
        "excess_return_se": error * spy,
    }
