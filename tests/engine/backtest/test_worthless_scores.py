"""Scores that know nothing earn nothing, doubled costs never help, shuffled days are refused."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from engine.backtest.baselines import _random_scores, random_band
from engine.backtest.simulator import Simulator
from engine.config import CostConfig
from engine.errors import DataError
from engine.portfolio.prediction import Prediction
from engine.portfolio.strategy import load_strategy
from engine.stages.backtest import _suspicions, run_vectorbt
from tests.conftest import World

NAMES = ("long_short_quantile", "score_weighted", "sector_neutral", "hysteresis_band",
         "minimum_turnover", "aim_portfolio")  # fmt: skip


@pytest.fixture(scope="module")
def prediction(world: World) -> Prediction:
    """Random scores of the members on the last 250 sessions."""
    features = world.features
    rng = np.random.default_rng(0)
    sessions = np.arange(features.dates_S.size - 260, features.dates_S.size - 10)
    member = np.argwhere(features.member_SN[sessions])
    frame = pl.DataFrame(
        {
            "date": pl.Series(features.dates_S[sessions[member[:, 0]]]).cast(pl.Date),
            "symbol": pl.Series("symbol", features.symbols).gather(member[:, 1]),
            "fold": pl.Series([0] * len(member), dtype=pl.Int16),
            "split": ["test"] * len(member),
            "score_5": rng.normal(size=len(member)).astype(np.float32),
        }
    )
    frame = frame.sort("date", "symbol")
    return Prediction(frame=frame, run_id="r", horizons=(5,), market=features.market)


def simulator(world: World, prediction: Prediction, name: str, **costs: float) -> Simulator:
    portfolio = world.config.portfolio.model_copy(update={"fraction": 0.25, "score": "horizon"})
    config = world.config.model_copy(update={"costs": CostConfig(**costs), "portfolio": portfolio})
    return Simulator.for_prediction(
        prediction, panel=world.panel, strategy=load_strategy(name), config=config
    )


def test_two_hundred_random_books_earn_zero_before_costs(
    world: World, prediction: Prediction
) -> None:
    plain = simulator(world, prediction, "long_short_quantile")
    backtest = plain.config.backtest.model_copy(update={"random_draws": 200})
    config = plain.config.model_copy(update={"backtest": backtest})
    band = random_band(replace(plain, config=config))
    assert band.draws == 200
    assert abs(band.sharpe_gross) < 3 * band.sharpe_gross_se
    assert band.sharpe_gross_se < 0.15
    assert band.sharpe < band.sharpe_gross - 1.0  # and lose their costs


@pytest.mark.parametrize("name", NAMES)
def test_doubled_costs_never_raise_a_return(
    world: World, prediction: Prediction, name: str
) -> None:
    once = simulator(world, prediction, name)
    prices = {
        "commission_bps": 5.0, "slippage_bps": 5.0, "impact_bps": 1.0,
        "borrow_bps_per_year": 50.0, "max_slippage_bps": 20.0,
    }  # fmt: skip
    twice = simulator(world, prediction, name, **{key: 2 * v for key, v in prices.items()})
    for seed in range(5):
        score_DN = _random_scores(once.score_DN, seed=seed)
        cheap, dear = (one.quick(one.book(score_DN).targets()) for one in (once, twice))
        assert dear.figures().annual_return < cheap.figures().annual_return
        assert (dear.daily["cost"] >= cheap.daily["cost"] * 1.5).all()


@pytest.mark.parametrize("name", NAMES)
def test_scores_without_differences_hold_and_earn_nothing(
    world: World, prediction: Prediction, name: str
) -> None:
    one = simulator(world, prediction, name)
    flat_DN = np.where(np.isfinite(one.score_DN), 1.0, np.nan)
    result = one.quick(one.book(flat_DN).targets())
    assert (result.daily["net_return"] == 0).all()
    assert (result.daily["n_names"] == 0).all()
    assert np.isnan(result.figures().sharpe)


def test_shuffled_days_are_refused(prediction: Prediction) -> None:
    with pytest.raises(DataError, match="not sorted by"):
        replace(prediction, frame=prediction.frame.sample(fraction=1.0, shuffle=True, seed=1))


def test_scores_of_other_data_are_refused(world: World, prediction: Prediction) -> None:
    moved = prediction.frame.with_columns(pl.col("date").dt.offset_by("3650d"))
    with pytest.raises(DataError, match="has scores but no bars"):
        simulator(world, replace(prediction, frame=moved), "long_short_quantile")


def test_a_stock_that_moves_the_whole_book_is_named(world: World, prediction: Prediction) -> None:
    """One price times ten, as an unadjusted reverse split would be."""
    one = simulator(world, prediction, "long_short_quantile")
    book = one.book(one.score_DN)
    held = np.argwhere(book.weight_KN[:-30] < -0.01)
    k, n = held[len(held) // 2]
    d = int(book.decisions.row_K[k]) + 2  # decided, filled, then the jump
    jumped = {name: getattr(one.table, name).copy() for name in ("fill_DN", "value_DN", "mark_DN")}
    for table_DN in jumped.values():
        table_DN[d:, n] *= 10.0
    one = replace(one, table=replace(one.table, **jumped))
    done = run_vectorbt(one, book)
    worst, _ = one.extremes(done.orders, one.result(done.ledger))
    assert worst.symbol == one.table.symbols[n]
    assert worst.date == str(one.table.dates_D[d])
    assert worst.price_ratio == pytest.approx(10.0, rel=0.2)
    assert worst.contribution == pytest.approx(worst.net_return, abs=0.05)
    (note,) = _suspicions([worst])
    assert f"{one.table.symbols[n]} alone made -" in note
