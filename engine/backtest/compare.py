"""One strategy over many score tables: baselines, the market, and scores that know nothing."""

# Shape suffixes: D sessions, N stocks.
from collections.abc import Iterable
from typing import Any

import numpy as np
import polars as pl

from engine.backtest.baselines import equal_weight, random_scores
from engine.backtest.inference import sharpe_interval
from engine.backtest.performance import annual_return, annual_volatility, max_drawdown, sharpe
from engine.backtest.result import BacktestResult
from engine.backtest.selection import sharpe_difference
from engine.backtest.simulator import Simulator
from engine.evaluation.inference import paired_difference
from engine.portfolio.market_data import Matrix

_SHOWN = (
    "sharpe",
    "sharpe_gross",
    "annual_return",
    "annual_volatility",
    "max_drawdown",
    "turnover",
    "cost_drag",
)


def compare_baselines(
    simulator: Simulator, model: BacktestResult, scores: Iterable[tuple[str, Matrix]]
) -> tuple[dict[str, Any], pl.DataFrame]:
    """Figures per baseline, and their daily net returns (``name, date, net_return``).

    ``excess_return`` is the mean of (model - baseline) x sessions per year with its Newey-West error;
    ``sharpe_difference`` the model's Sharpe ratio less the baseline's (Ledoit & Wolf 2008).
    """
    results = {
        name: simulator.quick(simulator.book(score_DN).targets()).daily for name, score_DN in scores
    }
    results["equal_weight"] = simulator.quick(
        equal_weight(simulator.score_DN, simulator.market)
    ).daily
    if simulator.panel.index is not None:
        results["index"] = _index(simulator)
    figures = {name: _figures(simulator, model, daily) for name, daily in results.items()}
    daily = [
        daily.select(pl.lit(name).alias("name"), "date", "net_return")
        for name, daily in results.items()
    ]
    return figures, pl.concat(daily)


def _index(simulator: Simulator) -> pl.DataFrame:
    """The market index, bought at the first fill (a close) and held: no costs."""
    assert simulator.panel.index is not None
    dates = pl.DataFrame({"date": pl.Series(simulator.table.dates_D).cast(pl.Date)})
    level = dates.join(simulator.panel.index, on="date", how="left").with_columns(
        pl.col("close").forward_fill().backward_fill()
    )
    daily = level.select(
        "date", (pl.col("close") / pl.col("close").shift(1) - 1.0).alias("net_return")
    )
    first_fill = pl.int_range(pl.len()) <= 1
    daily = daily.with_columns(
        pl.when(first_fill).then(0.0).otherwise(pl.col("net_return")).alias("net_return")
    )
    zero = pl.lit(0.0)
    return daily.slice(1).with_columns(gross_return="net_return", turnover=zero, cost=zero)


def random_band(simulator: Simulator) -> dict[str, Any]:
    """Sharpe ratios of random scores: mean, and the 5 % and 95 % quantiles over the draws."""
    draws = simulator.config.backtest.random_draws
    figures = [
        _point(
            simulator,
            simulator.quick(
                simulator.book(random_scores(simulator.score_DN, seed=seed)).targets()
            ).daily,
        )
        for seed in range(draws)
    ]
    net, gross = (np.array([f[name] for f in figures]) for name in ("sharpe", "sharpe_gross"))
    return {
        **{name: float(np.mean([f[name] for f in figures])) for name in _SHOWN},
        "sharpe_low": float(np.quantile(net, 0.05)),
        "sharpe_high": float(np.quantile(net, 0.95)),
        "sharpe_gross_se": float(gross.std(ddof=1) / np.sqrt(gross.size)),
        "draws": draws,
    }


def _point(simulator: Simulator, daily: pl.DataFrame) -> dict[str, float]:
    spy = simulator.panel.sessions_per_year
    net_D = daily["net_return"].to_numpy()
    return {
        "sharpe": sharpe(net_D, spy),
        "sharpe_gross": sharpe(daily["gross_return"].to_numpy(), spy),
        "annual_return": annual_return(net_D, spy),
        "annual_volatility": annual_volatility(net_D, spy),
        "max_drawdown": max_drawdown(net_D).depth,
        "turnover": float(daily["turnover"].to_numpy().mean()),
        "cost_drag": float(daily["cost"].to_numpy().mean()) * spy,
    }


def _figures(simulator: Simulator, model: BacktestResult, daily: pl.DataFrame) -> dict[str, Any]:
    config, spy = simulator.config, model.sessions_per_year
    horizon = config.portfolio.horizon
    low, high = sharpe_interval(
        daily["net_return"].to_numpy(),
        spy,
        horizon=horizon,
        draws=config.backtest.bootstrap_draws,
        confidence=config.backtest.confidence,
        seed=0,
    )
    days = model.daily.select("date", "net_return").join(
        daily.select("date", pl.col("net_return").alias("theirs")), on="date"
    )
    ours_D, theirs_D = days["net_return"].to_numpy(), days["theirs"].to_numpy()
    excess, error = paired_difference(ours_D, theirs_D, lag=horizon)
    gap = sharpe_difference(ours_D, theirs_D, spy, lag=horizon)
    return {
        **_point(simulator, daily),
        "sharpe_low": low,
        "sharpe_high": high,
        "excess_return": excess * spy,
        "excess_return_se": error * spy,
        "sharpe_difference": gap.difference,
        "sharpe_difference_se": gap.standard_error,
        "sharpe_difference_p": gap.p_value,
    }
