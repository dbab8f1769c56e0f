"""A sweep's cells equal backtests made one by one, by the fast path and by vectorbt."""

from dataclasses import replace

import numpy as np
import pytest

from engine.backtest.simulate import simulate
from engine.backtest.simulator import Simulator
from engine.backtest.sweep import book_of, parse_grid, returns_of, sweep
from engine.config import Config
from engine.config.file import override
from engine.errors import ConfigError, UsageError
from engine.portfolio.strategy import load_strategy
from tests.engine.backtest.markets import panel_of, prediction_of, random_walks

GRID = (
    "portfolio.strategy=long_short_quantile,hysteresis_band",
    "portfolio.horizon=1,5",
    "portfolio.rebalance_sessions=1,3",
    "constraints.max_adv_share=0,0.05",
    "costs.slippage_bps=0,10",
    "costs.delisting_haircut=0,0.5",
)


@pytest.fixture
def made() -> tuple[Simulator, object]:
    rng = np.random.default_rng(0)
    closes = random_walks(24, 60, seed=1)
    closes["S03"][40:] = [None] * 20
    panel = panel_of(closes, turnover=1e6)
    values = rng.normal(size=(24, 58)).tolist()
    both = [
        prediction_of({f"S{i:02d}": row for i, row in enumerate(values)}, horizon)
        for horizon in (1, 5)
    ]
    joined = both[0].frame.join(
        both[1].frame.select("date", "symbol", "score_5"), on=["date", "symbol"]
    )
    prediction = replace(both[0], frame=joined.sort("date", "symbol"), horizons=(1, 5))
    settings = {
        "portfolio.fraction": 0.2,
        "portfolio.strategy": "long_short_quantile",
        "portfolio.score": "horizon",
    }
    config = override(Config(), settings, origin="test")
    simulator = Simulator.for_prediction(
        prediction, panel=panel, strategy=load_strategy("long_short_quantile"), config=config
    )
    return simulator, prediction


def test_each_cell_equals_its_own_backtest(made: tuple[Simulator, object]) -> None:
    simulator, prediction = made
    grid = parse_grid(GRID, simulator.config)
    seen: list[tuple[int, int]] = []
    cells = sweep(simulator, prediction, grid, on_cell=lambda a, b: seen.append((a, b)))  # type: ignore[arg-type]
    assert len(cells) == 64
    assert seen[-1] == (64, 64)
    assert returns_of(cells).shape[1] == 64
    assert len({repr(cell.settings) for cell in cells}) == 64
    assert len({round(cell.figures.annual_return, 12) for cell in cells if cell.figures}) > 40
    for cell in cells[::7]:
        alone = Simulator.for_prediction(
            prediction,  # type: ignore[arg-type]
            panel=simulator.panel,
            strategy=load_strategy(cell.config.portfolio.strategy),
            config=cell.config,
        )
        target_DN = alone.table.orders(alone.book(alone.score_DN).targets())
        slow = simulate(
            alone.table,
            target_DN,
            frictions=alone.frictions,
            initial_cash=cell.config.backtest.initial_cash,
        )
        returns = alone.result(slow.ledger).net_returns()
        np.testing.assert_allclose(cell.net_D, returns, rtol=1e-9, atol=1e-12)
        changed, book = book_of(simulator, cell, prediction)  # type: ignore[arg-type]
        np.testing.assert_array_equal(changed.table.orders(book.targets()), target_DN)


def test_a_cell_that_loses_everything_says_so_and_the_others_stand(
    made: tuple[Simulator, object],
) -> None:
    simulator, prediction = made
    grid = parse_grid(["portfolio.gross=2,10", "costs.slippage_bps=0,9000"], simulator.config)
    cells = sweep(simulator, prediction, grid)  # type: ignore[arg-type]
    assert [bool(cell.error) for cell in cells] == [False, True, False, True]
    assert "lost everything" in cells[1].error
    assert cells[1].figures is None
    assert returns_of(cells).shape[1] == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("training.seed=1,2", "cannot be swept"),
        ("portfolio.fractoin=0.1", "cannot be swept"),
        ("portfolio.fraction", "no values"),
        ("portfolio.fraction=,", "no values"),
    ],
)
def test_a_grid_that_cannot_be_is_refused(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        parse_grid([text], Config())


def test_values_out_of_range_name_the_key(made: tuple[Simulator, object]) -> None:
    simulator, prediction = made
    grid = parse_grid(["portfolio.fraction=0.1,0.9"], simulator.config)
    with pytest.raises(ConfigError, match=r"--grid: portfolio\.fraction"):
        sweep(simulator, prediction, grid)  # type: ignore[arg-type]
    many = [
        "portfolio.fraction=" + ",".join(["0.1"] * 60),
        "costs.slippage_bps=" + ",".join(["1"] * 60),
    ]
    with pytest.raises(UsageError, match="3600 cells"):
        parse_grid(many, Config())


def test_a_book_that_minds_costs_is_built_anew_for_each(made: tuple[Simulator, object]) -> None:
    """Dearer trading, less of it: a sweep that shared one book would show the same turnover."""
    simulator, prediction = made
    texts = ("portfolio.strategy=mean_variance", "costs.slippage_bps=0,1", "costs.impact_bps=0")
    grid = parse_grid((*texts, "costs.commission_bps=0"), simulator.config)
    cheap, dear = sweep(simulator, prediction, grid)  # type: ignore[arg-type]
    assert cheap.figures
    assert dear.figures
    assert cheap.figures.turnover > dear.figures.turnover > 0.0
