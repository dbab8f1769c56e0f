"""Backtests: the fast path against vectorbt, a sweep against vectorbt per cell, and a whole backtest.

Five overlapping decile tranches, all frictions on.
"""

import statistics
import sys
from functools import partial
from itertools import islice

import numpy as np
import polars as pl

from benchmarks.contender import Ratio
from benchmarks.options import read_options, say
from benchmarks.pairs import compare, seconds
from engine.backtest.baselines import compare_baselines, random_band
from engine.backtest.fast import run_fast
from engine.backtest.prices import forward_returns
from engine.backtest.simulate import Simulation, simulate
from engine.backtest.simulator import Simulator
from engine.backtest.sweep import book_of, parse_grid, returns_of, sweep
from engine.config import Config
from engine.data.panel import Panel
from engine.data.tables import SECURITY_SCHEMA
from engine.evaluation.factor import factor_figures
from engine.portfolio.prediction import Prediction
from engine.portfolio.strategy import load_strategy

GRID = (
    "portfolio.rebalance_sessions=1,2,5,10",
    "portfolio.fraction=0.02,0.05,0.1,0.15,0.2",
    "costs.slippage_bps=0,2,5,8,10",
)


def market(sessions: int, stocks: int) -> tuple[Panel, Prediction]:
    """Random walks with turnover, and scores that know nothing."""
    rng = np.random.default_rng(0)
    S, N = sessions + 2, stocks
    close = 20.0 * np.exp(rng.normal(0.0, 0.02, (S, N)).cumsum(axis=0))
    days = np.datetime64("2015-01-01") + np.arange(S)
    keys = {
        "date": pl.Series(np.repeat(days, N)).cast(pl.Date),
        "symbol": np.tile(np.array([f"S{n:04d}" for n in range(N)]), S),
    }
    price = close.ravel()
    bars = dict.fromkeys(("open", "high", "low", "close", "close_raw"), price)
    turnover = rng.lognormal(15.0, 1.0, price.size)
    frame = pl.DataFrame({**keys, **bars, "volume": turnover / price, "turnover": turnover})
    panel = Panel(
        frame=frame,
        securities=pl.DataFrame(schema=SECURITY_SCHEMA),
        index=None,
        market="us",
        source="benchmark",
        as_of=frame["date"][-1],
        fingerprint="benchmark",
    )
    scores = (
        pl.DataFrame(keys)
        .head(sessions * N)
        .with_columns(
            pl.lit(0, pl.Int16).alias("fold"),
            pl.lit("test").alias("split"),
            pl.Series("score_5", rng.normal(size=sessions * N).astype(np.float32)),
        )
    )
    return panel, Prediction(frame=scores, run_id="benchmark", horizons=(5,), market="us")


def whole_backtest(panel: Panel, prediction: Prediction, config: Config, rivals: int) -> None:
    """Everything `atft-tui backtest` computes once the panel is loaded."""
    simulator = Simulator.for_prediction(
        prediction, panel=panel, strategy=load_strategy(config.portfolio.strategy), config=config
    )
    book = simulator.book(simulator.score_DN, trace=True)
    done = simulate(
        simulator.table,
        simulator.table.orders(book.targets()),
        frictions=simulator.frictions,
        initial_cash=config.backtest.initial_cash,
    )
    result = simulator.result(done.ledger)
    result.figures()
    result.judged(config.backtest, horizon=5, trials=10)
    simulator.exposures(book, result)
    simulator.capacity(done.orders)
    forward = forward_returns(panel, simulator.market, config)
    factor_figures(simulator.score_DN, forward, simulator.market.dates_D, horizon=5)
    if rivals:
        scores = ((f"rival_{n}", -simulator.score_DN) for n in range(rivals))
        compare_baselines(simulator, result, scores, forward(5, 1))
        random_band(simulator)


def main(arguments: list[str] | None = None) -> int:
    options = read_options(
        __doc__,
        arguments,
        stocks=(2800, 40),
        sessions=(1250, 150),
        pairs=(5, 1),
        rounds=(3, 1),
    )
    panel, prediction = market(options.sessions, options.stocks)
    config = Config.model_validate(
        {"portfolio": {"strategy": "long_short_quantile", "score": "horizon"}}
    )
    simulator = Simulator.for_prediction(
        prediction, panel=panel, strategy=load_strategy(config.portfolio.strategy), config=config
    )
    target_DN = simulator.table.orders(simulator.book(simulator.score_DN).targets())
    cash = config.backtest.initial_cash

    def fast() -> object:
        return run_fast(
            simulator.table, target_DN, frictions=simulator.frictions, initial_cash=cash
        )

    def vectorbt() -> Simulation:
        return simulate(
            simulator.table, target_DN, frictions=simulator.frictions, initial_cash=cash
        )

    gap = vectorbt().gap
    compare(
        f"one simulation, equity within {gap:.0e}",
        fast,
        {"vectorbt from_orders (rust)": vectorbt},
        pairs=options.pairs,
    )

    grid = parse_grid(GRID[:1] if options.smoke else GRID, config)
    cells = sweep(simulator, prediction, grid)
    gaps = []
    for cell in islice(cells, 0, None, 33):
        changed, book = book_of(simulator, cell, prediction)
        orders_DN = changed.table.orders(book.targets())
        slow = simulate(changed.table, orders_DN, frictions=changed.frictions, initial_cash=cash)
        returns = changed.result(slow.ledger).net_returns()
        gaps.append(float(np.abs(returns - cell.net_D).max()))
    count = len(cells)
    assert returns_of(cells).shape[1] == count

    def ours() -> None:
        sweep(simulator, prediction, grid)

    def theirs() -> None:
        for _ in range(2):  # the book is given to vectorbt; a cell of it is the simulation alone
            vectorbt()

    pairs = [(seconds(ours) / count, seconds(theirs) / 2) for _ in range(options.rounds)]
    mine, peer = zip(*pairs, strict=True)
    say(
        f"{count}-cell sweep, returns within {max(gaps):.0e}: "
        f"ours {statistics.median(mine) * 1e3:.0f} ms a cell, "
        f"vectorbt {statistics.median(peer) * 1e3:.0f} ms, {Ratio.of(peer, mine).text(1)}"
    )
    for rivals, what in ((0, "all figures"), (5, "all figures, 6 baselines, 20 random books")):
        work = partial(whole_backtest, panel, prediction, config, rivals)
        spent = statistics.median(seconds(work) for _ in range(options.rounds))
        say(f"whole backtest with {what}: {spent:.1f} s (warm, median of {options.rounds})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
