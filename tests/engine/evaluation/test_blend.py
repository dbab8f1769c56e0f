"""The blend by hand: ranks of small days, their mean, and days of a table."""

import datetime as dt

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.evaluation.blend import blend, blend_frames, centred_ranks, ranks_among

NAN = float("nan")
DAYS = (dt.date(2026, 1, 5), dt.date(2026, 1, 6))


def test_ranks_of_a_day_by_hand() -> None:
    """Four stocks stand at -3/8, -1/8, 1/8, 3/8; two that tie share the mean of their places."""
    np.testing.assert_array_equal(
        centred_ranks(np.array([9.0, -1.0, 2.0, 5.0])), [0.375, -0.375, -0.125, 0.125]
    )
    np.testing.assert_array_equal(
        centred_ranks(np.array([7.0, 1.0, 7.0, 9.0])), [0.0, -0.375, 0.0, 0.375]
    )
    assert centred_ranks(np.array([3.0])).tolist() == [0.0]
    assert np.isnan(centred_ranks(np.array([1.0, NAN]))).all()


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=12))
def test_ranks_sum_to_0_and_do_not_know_the_scale(values: list[int]) -> None:
    score_M = np.array(values, dtype=np.float32)
    rank_M = centred_ranks(score_M)
    assert abs(rank_M.sum()) < 1e-9
    np.testing.assert_array_equal(centred_ranks(np.exp(score_M) * 3), rank_M)
    np.testing.assert_allclose(centred_ranks(-score_M), -rank_M, atol=1e-12)


@given(st.lists(st.integers(-5, 5), min_size=2, max_size=12), st.data())
def test_a_value_takes_the_place_of_one_stock(values: list[int], data: st.DataObject) -> None:
    """Ranked among the others it is where the whole day would have it."""
    at = data.draw(st.integers(0, len(values) - 1))
    whole = np.array(values, dtype=np.float32)
    found = ranks_among(whole[at : at + 1], np.delete(whole, at))
    assert found[0] == pytest.approx(centred_ranks(whole)[at], abs=1e-12)


def test_the_blend_is_the_mean_of_ranks_of_those_that_know_the_horizon() -> None:
    network = np.array([[1.0, 3.0], [2.0, 2.0], [3.0, 1.0], [4.0, 0.0]])
    ridge = np.array([[0.5, NAN], [0.1, NAN], [0.9, NAN], [0.2, NAN]])
    mixed = blend([network, ridge])
    ranks_of_ridge = np.array([0.125, -0.375, 0.375, -0.125])
    by_hand = (np.array([-0.375, -0.125, 0.125, 0.375]) + ranks_of_ridge) / 2
    np.testing.assert_allclose(mixed[:, 0], by_hand)
    np.testing.assert_array_equal(mixed[:, 1], [0.375, 0.125, -0.125, -0.375])
    assert np.isnan(blend([ridge, ridge])[:, 1]).all()


def frame(scores: dict[tuple[dt.date, str], float]) -> pl.DataFrame:
    return pl.DataFrame(
        [(day, symbol, 0, "test", value) for (day, symbol), value in scores.items()],
        schema={
            "date": pl.Date,
            "symbol": pl.String,
            "fold": pl.Int16,
            "split": pl.String,
            "score_5": pl.Float32,
        },
        orient="row",
    )


def test_a_table_is_blended_day_by_day_whatever_the_order_of_its_rows() -> None:
    one = {(day, s): v for day in DAYS for s, v in (("A", 1.0), ("B", 2.0), ("C", 3.0))}
    two = {(day, s): v for day in DAYS[::-1] for s, v in (("C", 1.0), ("A", 5.0), ("B", 9.0))}
    mixed = blend_frames({"one": frame(one), "two": frame(two)}, [5, 20])
    assert mixed.columns == ["date", "symbol", "fold", "split", "score_5", "score_20"]
    assert mixed["date"].to_list() == [day for day in DAYS for _ in range(3)]
    np.testing.assert_allclose(mixed["score_5"], [-1 / 6, 1 / 6, 0.0] * 2, atol=1e-7)
    assert mixed["score_20"].is_nan().all()


def test_tables_of_other_stocks_are_no_blend() -> None:
    one = frame({(DAYS[0], "A"): 1.0, (DAYS[0], "B"): 2.0})
    two = frame({(DAYS[0], "A"): 1.0, (DAYS[0], "C"): 2.0})
    with pytest.raises(ValueError, match="two and one have scores of other stocks"):
        blend_frames({"one": one, "two": two}, [5])
