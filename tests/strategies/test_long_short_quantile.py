"""Weights by hand, and what must hold for any scores."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.config import ConstraintConfig, PortfolioConfig
from engine.portfolio.book import build_book
from strategies.long_short_quantile import LongShortQuantile
from tests.engine.backtest.markets import day, decisions_of, panel_of, prediction_of

STRATEGY = LongShortQuantile()
Scores = dict[str, list[float | None]]


def config(**changes: object) -> PortfolioConfig:
    values = {"horizon": 1, "fraction": 0.25, "gross": 2.0, "max_weight": 1.0}
    return PortfolioConfig.model_validate({**values, **changes})


def choose(
    scores: Scores, settings: PortfolioConfig, closes: Scores | None = None
) -> dict[str, list[float]]:
    n_days = max(len(values) for values in scores.values())
    panel = panel_of(closes or {name: [10.0] * (n_days + 1) for name in scores})
    prediction = prediction_of(scores, settings.horizon)
    decisions = decisions_of(prediction, panel, settings)
    book = build_book(STRATEGY, decisions, settings, ConstraintConfig())
    table = {name: [0.0] * n_days for name in scores}
    for date, symbol, weight in book.weights("run", settings).frame.iter_rows():
        table[symbol][(date - day(0)).days] = weight
    return table


def test_four_names_by_hand() -> None:
    book = choose({"A": [0.4], "B": [0.3], "C": [0.2], "D": [0.1]}, config())
    assert book == {"A": [1.0], "B": [0.0], "C": [0.0], "D": [-1.0]}


def test_tranches_overlap_and_the_book_grows_from_nothing() -> None:
    """Horizon 2: half of today's choice and half of yesterday's."""
    scores: Scores = {"A": [4, 1, 4], "B": [3, 2, 3], "C": [2, 3, 2], "D": [1, 4, 1]}
    book = choose(scores, config(horizon=2))
    assert book["A"] == [0.5, 0.0, 0.0]
    assert book["D"] == [-0.5, 0.0, 0.0]


def test_ties_never_decide_a_trade() -> None:
    assert choose({name: [1.0] for name in "ABCDEFGH"}, config()) == {
        name: [0.0] for name in "ABCDEFGH"
    }
    book = choose({"A": [3], "B": [3], "C": [2], "D": [1]}, config())
    assert book["A"] == book["B"] == [0.0]


def test_the_cap_of_one_name_keeps_both_sides_equal() -> None:
    book = choose({"A": [4], "B": [3], "C": [2], "D": [1]}, config(max_weight=0.2))
    assert book["A"] == [0.2]
    assert book["D"] == [-0.2]


def test_a_name_that_stopped_trading_leaves_and_the_other_side_shrinks() -> None:
    scores: Scores = {"A": [4, None], "B": [3, 4], "C": [2, 3], "D": [1, 2], "E": [0, 1]}
    closes: Scores = {"A": [10.0, None, None]}
    closes.update({name: [10.0, 10.0, 10.0] for name in "BCDE"})
    book = choose(scores, config(horizon=2, fraction=0.2), closes)
    day_1 = {name: weights[1] for name, weights in book.items()}
    assert day_1["A"] == 0.0
    assert sum(day_1.values()) == pytest.approx(0.0)


@given(
    seed=st.integers(0, 10_000),
    n=st.integers(1, 30),
    days=st.integers(1, 8),
    horizon=st.integers(1, 5),
    missing=st.floats(0, 0.6),
    levels=st.integers(2, 50),
)
@settings(max_examples=60)
def test_any_scores_give_a_neutral_book_inside_its_limits_that_does_not_see_the_future(
    seed: int, n: int, days: int, horizon: int, missing: float, levels: int
) -> None:
    rng = np.random.default_rng(seed)
    scores: Scores = {
        f"S{i:02d}": [
            None if rng.random() < missing else float(rng.integers(levels)) for _ in range(days)
        ]
        for i in range(n)
    }
    if not any(v is not None for v in scores["S00"]):
        scores["S00"][0] = 1.0
    settings = config(horizon=horizon, fraction=0.2, max_weight=0.5)
    book = choose(scores, settings)
    table = np.array([book[name] for name in sorted(book)])
    assert np.abs(table.sum(axis=0)).max() < 1e-9
    assert np.abs(table).sum(axis=0).max() <= settings.gross + 1e-9
    assert np.abs(table).max() <= settings.max_weight + 1e-9

    cut = days // 2
    changed: Scores = {
        name: [v if d <= cut or v is None else -v for d, v in enumerate(values)]
        for name, values in scores.items()
    }
    other = choose(changed, settings)
    after = np.array([other[name] for name in sorted(other)])
    np.testing.assert_array_equal(table[:, : cut + 1], after[:, : cut + 1])


def test_the_order_of_symbols_does_not_matter() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=(20, 6)).tolist()
    scores: Scores = {f"S{i:02d}": row for i, row in enumerate(values)}
    mirrored: Scores = {f"S{19 - i:02d}": row for i, row in enumerate(values)}
    a, b = (choose(s, config(horizon=3, fraction=0.2)) for s in (scores, mirrored))
    for i in range(20):
        assert a[f"S{i:02d}"] == pytest.approx(b[f"S{19 - i:02d}"])
