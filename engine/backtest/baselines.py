"""What the scores have to beat, on the same days, with the same strategy and the same costs."""

# Shape suffixes: D sessions, N stocks.
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import polars as pl
from msgspec import structs

from engine.backtest.inference import sharpe_difference, sharpe_interval
from engine.backtest.performance import annual_return, annual_volatility, max_drawdown, sharpe
from engine.backtest.result import BacktestResult
from engine.backtest.simulator import Simulator
from engine.data.panel import Panel
from engine.errors import DataError
from engine.evaluation.factor import beyond
from engine.evaluation.inference import paired_difference
from engine.portfolio.market_data import MarketData, Matrix, positions
from engine.portfolio.strategy import dense_scores
from engine.records.backtest import RivalFigures

_POINT = ("sharpe", "sharpe_gross", "annual_return", "annual_volatility", "max_drawdown", "turnover",
          "cost_drag")  # fmt: skip
"""Point estimates of `RivalFigures`."""


def stored_baselines(
    frame: pl.DataFrame, market: MarketData, scored_DN: Matrix, horizons: Sequence[int]
) -> Iterator[tuple[str, Matrix]]:
    """Baselines of ``baselines.parquet`` (the columns of predictions and ``name``), traded as the scores are.

    ``[D, N]`` tables, NaN where the model has no score; a baseline without any (an oracle of other
    horizons) is left out.
    """
    if "name" not in frame.columns:
        raise DataError("baselines.parquet: needs the column name")
    for (name,), rows in frame.group_by("name", maintain_order=True):
        score_DN = _where_scored(dense_scores(rows, market, horizons), scored_DN)
        if np.isfinite(score_DN).any():
            yield str(name), score_DN


def price_baselines(
    panel: Panel, market: MarketData, scored_DN: Matrix
) -> Iterator[tuple[str, Matrix]]:
    """Reversal and momentum ``[D, N]`` from closes alone, for a run without stored baselines.

    ``reversal_5``: minus the return of the last 5 bars. ``momentum_12_1``: return from 252 to 21 bars
    ago. Names without the history are left out.
    """
    close = pl.col("close")
    formulas = {
        "reversal_5": 1.0 - close / close.shift(5).over("symbol"),
        "momentum_12_1": close.shift(21).over("symbol") / close.shift(252).over("symbol") - 1.0,
    }
    dates = pl.Series("date", market.dates_D).cast(pl.Date)
    names = pl.Series("symbol", market.symbols)
    bars = panel.frame.filter(
        pl.col("symbol").is_in(names.implode()), pl.col("date") <= dates[-1]
    ).with_columns(formula.alias(name) for name, formula in formulas.items())
    bars = bars.filter(pl.col("date") >= dates[0])
    place = positions(bars, dates, names)
    row, column = place["row"].to_numpy(), place["column"].to_numpy()
    for name in formulas:
        score_DN = np.full(scored_DN.shape, np.nan)
        score_DN[row, column] = bars[name].fill_null(float("nan")).to_numpy()
        score_DN = _where_scored(score_DN, scored_DN)
        if np.isfinite(score_DN).any():
            yield name, score_DN


def _random_scores(scored_DN: Matrix, *, seed: int) -> Matrix:
    """``[D, N]`` scores that know nothing, on the same days and names; NaN = not scored."""
    draw_DN = np.random.default_rng(seed).random(scored_DN.shape, dtype=np.float32)
    return np.where(np.isfinite(scored_DN), draw_DN, np.nan)


def _equal_weight(scored_DN: Matrix, market: MarketData) -> Matrix:
    """Decided weights ``[D, N]`` of the scored universe, long only, 1/n each; NaN = no decision."""
    held_DN = np.isfinite(scored_DN) & market.traded_DN
    n_D1 = held_DN.sum(axis=1, keepdims=True)
    return np.where(n_D1 > 0, held_DN / np.maximum(n_D1, 1), np.nan)


def compare_baselines(
    simulator: Simulator,
    model: BacktestResult,
    scores: Iterable[tuple[str, Matrix]],
    return_DN: Matrix,
) -> tuple[dict[str, RivalFigures], pl.DataFrame]:
    """Figures per baseline (tables of scores ``[D, N]``), and their daily net returns.

    ``return_DN``: forward returns of the traded horizon, NaN where unknown, for what the run's scores add.
    The frame has the columns ``name, date, net_return``.
    """
    results, added = {}, {}
    for name, score_DN in scores:
        results[name] = simulator.quick(simulator.book(score_DN).targets()).daily
        horizon = simulator.config.portfolio.horizon
        found = beyond(simulator.score_DN, score_DN, return_DN, lag=horizon)
        added[name] = structs.asdict(found)
    results["equal_weight"] = simulator.quick(
        _equal_weight(simulator.score_DN, simulator.market)
    ).daily
    if simulator.panel.index is not None:
        results["index"] = _index(simulator, simulator.panel.index)
    figures = {
        name: structs.replace(_against(simulator, model, daily), **added.get(name, {}))
        for name, daily in results.items()
    }
    daily = [
        daily.select(pl.lit(name).alias("name"), "date", "net_return")
        for name, daily in results.items()
    ]
    return figures, pl.concat(daily)


def random_band(simulator: Simulator) -> RivalFigures:
    """Figures of random scores: means, and the 5 % and 95 % quantiles of the net Sharpe ratio."""
    draws = simulator.config.backtest.random_draws
    points = []
    for seed in range(draws):
        score_DN = _random_scores(simulator.score_DN, seed=seed)
        points.append(_point(simulator, simulator.quick(simulator.book(score_DN).targets()).daily))
    drawn = {name: np.array([getattr(point, name) for point in points]) for name in _POINT}
    net, gross = drawn["sharpe"], drawn["sharpe_gross"]
    return structs.replace(
        points[0],
        **{name: float(np.mean(values)) for name, values in drawn.items()},
        sharpe_low=float(np.quantile(net, 0.05)),
        sharpe_high=float(np.quantile(net, 0.95)),
        sharpe_gross_se=float(gross.std(ddof=1) / np.sqrt(gross.size)),
        draws=draws,
    )


def _index(simulator: Simulator, index: pl.DataFrame) -> pl.DataFrame:
    """The market index, bought at the first fill (a close) and held: no costs."""
    dates = pl.DataFrame({"date": pl.Series(simulator.table.dates_D).cast(pl.Date)})
    level = dates.join(index, on="date", how="left").with_columns(
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


def _point(simulator: Simulator, daily: pl.DataFrame) -> RivalFigures:
    spy = simulator.panel.sessions_per_year
    net_D = daily["net_return"].to_numpy()
    return RivalFigures(
        sharpe=sharpe(net_D, spy),
        sharpe_gross=sharpe(daily["gross_return"].to_numpy(), spy),
        annual_return=annual_return(net_D, spy),
        annual_volatility=annual_volatility(net_D, spy),
        max_drawdown=max_drawdown(net_D).depth,
        turnover=float(daily["turnover"].to_numpy().mean()),
        cost_drag=float(daily["cost"].to_numpy().mean()) * spy,
    )


def _against(simulator: Simulator, model: BacktestResult, daily: pl.DataFrame) -> RivalFigures:
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
    return structs.replace(
        _point(simulator, daily),
        sharpe_low=low,
        sharpe_high=high,
        excess_return=excess * spy,
        excess_return_se=error * spy,
        sharpe_difference=gap.difference,
        sharpe_difference_se=gap.standard_error,
        sharpe_difference_p=gap.p_value,
    )


def _where_scored(score_DN: Matrix, scored_DN: Matrix) -> Matrix:
    return np.where(np.isfinite(scored_DN) & np.isfinite(score_DN), score_DN, np.nan)
