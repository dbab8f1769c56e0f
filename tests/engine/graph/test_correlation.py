"""The fused kernel against the naive twin: random, ragged and degenerate windows."""

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.graph.correlation import (
    market_free_returns,
    pair_correlations,
    strongest_neighbours,
    unit_tiles,
)
from tests.engine.graph.twin import naive_correlation, naive_edges

Window = NDArray[np.float64]


def tiles(return_NW: Window, half_life: float = 20.0) -> NDArray[np.float32]:
    n, window = return_NW.shape
    return unit_tiles(return_NW, np.arange(n), window, window=window, half_life=half_life)


def check(return_NW: Window, k: int, floor: float, *, signed: bool, half_life: float) -> None:
    """As many as the twin finds, each as strong as the twin's at its place, but for rounding."""
    n, near = len(return_NW), 2e-6
    rho_NN = naive_correlation(return_NW, half_life)
    found_Nk, rho_Nk = strongest_neighbours(
        tiles(return_NW, half_life), n, k, floor=floor, signed=signed
    )
    fewest, most = (
        naive_edges(rho_NN, k, limit, signed=signed) for limit in (floor + near, floor - near)
    )
    for i in range(n):
        got = [int(j) for j in found_Nk[i] if j >= 0]
        assert len(fewest[i]) <= len(got) <= len(most[i])
        assert len({*got, i}) == len(got) + 1
        np.testing.assert_allclose(rho_Nk[i, : len(got)], rho_NN[i, got], atol=near)
        strength_N = rho_NN[i] if signed else np.abs(rho_NN[i])
        np.testing.assert_allclose(strength_N[got], strength_N[most[i][: len(got)]], atol=near)


@settings(max_examples=60)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(1, 150),
    window=st.sampled_from([3, 20, 33, 60]),
    k=st.sampled_from([1, 3, 10, 64, 70]),
    gaps=st.sampled_from([0.0, 0.1, 0.5]),
    signed=st.booleans(),
)
def test_neighbours_equal_the_naive_twin(
    seed: int, n: int, window: int, k: int, gaps: float, signed: bool
) -> None:
    rng = np.random.default_rng(seed)
    return_NW = rng.normal(size=(n, window)) * rng.choice([1e-6, 0.01, 1.0], (n, 1))
    return_NW[rng.random(return_NW.shape) < gaps] = rng.choice([np.nan, np.inf])
    return_NW[rng.random(n) < 0.1] = 0.01
    floor = float(rng.choice([0.05, 0.3, -np.inf if signed else 1e-7]))
    check(return_NW, k, floor, signed=signed, half_life=float(rng.choice([5.0, 30.0, 1e6])))


@pytest.mark.parametrize("signed", [True, False])
def test_neighbours_are_exactly_those_of_sorting_where_nothing_ties(signed: bool) -> None:
    return_NW = np.random.default_rng(3).normal(size=(300, 60))
    found_Nk, rho_Nk = strongest_neighbours(tiles(return_NW), 300, 10, floor=0.1, signed=signed)
    expected = naive_edges(naive_correlation(return_NW, 20.0), 10, 0.1, signed=signed)
    assert [[int(j) for j in row if j >= 0] for row in found_Nk] == expected
    assert (np.diff(rho_Nk if signed else np.abs(rho_Nk), axis=1) <= 0).all()


def test_equal_stocks_choose_the_lowest_columns() -> None:
    return_NW = np.tile(np.random.default_rng(0).normal(size=60), (200, 1))
    found_Nk, rho_Nk = strongest_neighbours(tiles(return_NW), 200, 4)
    assert found_Nk[0].tolist() == [1, 2, 3, 4]
    assert found_Nk[2].tolist() == [0, 1, 3, 4]
    assert found_Nk[199].tolist() == [0, 1, 2, 3]
    np.testing.assert_allclose(rho_Nk, 1.0, atol=1e-6)


@pytest.mark.parametrize("value", [0.0, 0.01, 1e-12, np.nan, np.inf])
def test_a_stock_without_movement_has_no_direction(value: float) -> None:
    return_NW = np.random.default_rng(0).normal(size=(5, 60))
    return_NW[2] = value
    tile_TWL = tiles(return_NW)
    assert (tile_TWL[:, :, 2] == 0).all()
    found_Nk, _ = strongest_neighbours(tile_TWL, 5, 4, floor=1e-7)
    assert not (found_Nk == 2).any()
    assert (found_Nk[2] == -1).all()


def test_a_stock_with_less_than_two_thirds_of_the_window_has_nobody() -> None:
    return_NW = np.random.default_rng(0).normal(size=(3, 30))
    return_NW[0, :10] = np.nan
    return_NW[1, :11] = np.nan
    tile_TWL = tiles(return_NW)
    assert (tile_TWL[0, :, 1] == 0).all()
    assert (tile_TWL[0, :, 0] != 0).any()


def test_alone_or_absent_is_no_error() -> None:
    found_Nk, rho_Nk = strongest_neighbours(tiles(np.ones((1, 20))), 1, 3)
    assert found_Nk.tolist() == [[-1, -1, -1]]
    assert rho_Nk.tolist() == [[0.0, 0.0, 0.0]]
    assert strongest_neighbours(tiles(np.ones((0, 20))), 0, 3)[0].shape == (0, 3)


def test_a_nan_is_nobodys_neighbour() -> None:
    tile_TWL = tiles(np.random.default_rng(0).normal(size=(70, 20)))
    tile_TWL[1, :, 3] = np.nan
    found_Nk, _ = strongest_neighbours(tile_TWL, 70, 69)
    assert not (found_Nk == 67).any()
    assert (found_Nk[67] == -1).all()


def test_bits_do_not_depend_on_threads_nor_on_who_asks() -> None:
    return_NW = np.random.default_rng(5).normal(size=(333, 60))
    n, before = len(return_NW), numba.get_num_threads()
    results = []
    try:
        for threads in (1, before):
            numba.set_num_threads(threads)
            results.append(strongest_neighbours(tiles(return_NW), n, n - 1))
    finally:
        numba.set_num_threads(before)
    (found_Nk, rho_Nk), (again_Nk, rho_again_Nk) = results
    np.testing.assert_array_equal(found_Nk, again_Nk)
    np.testing.assert_array_equal(rho_Nk, rho_again_Nk)
    rho_NN = np.zeros((n, n), dtype=np.float32)
    rho_NN[np.arange(n)[:, None], found_Nk] = rho_Nk
    np.testing.assert_array_equal(rho_NN, rho_NN.T)


def test_renumbering_the_stocks_renumbers_the_neighbours() -> None:
    rng = np.random.default_rng(6)
    return_NW = rng.normal(size=(150, 60))
    order = rng.permutation(150)
    found_Nk, rho_Nk = strongest_neighbours(tiles(return_NW), 150, 8)
    moved_Nk, rho_moved_Nk = strongest_neighbours(tiles(return_NW[order]), 150, 8)
    np.testing.assert_array_equal(order[moved_Nk], found_Nk[order])
    np.testing.assert_array_equal(rho_moved_Nk, rho_Nk[order])


def test_given_pairs_have_their_correlation() -> None:
    return_NW = np.random.default_rng(7).normal(size=(80, 60))
    source_E, target_E = np.array([0, 79, 5]), np.array([70, 1, 5])
    got_E = pair_correlations(tiles(return_NW), source_E, target_E)
    rho_NN = naive_correlation(return_NW, 20.0)
    np.testing.assert_allclose(got_E, rho_NN[source_E, target_E], atol=1e-6)


def test_market_move_is_taken_out() -> None:
    returns = np.array([[0.1, 0.02], [0.3, np.nan], [0.2, 0.04], [5.0, np.nan]])
    member = np.array([[True, True], [True, True], [False, True], [False, True]])
    free = market_free_returns(returns, member)
    np.testing.assert_allclose(free[:, 0], [-0.1, 0.1, 0.0, 0.1])
    np.testing.assert_allclose(free[[0, 2], 1], [-0.01, 0.01])
    assert np.isnan(free[[1, 3], 1]).all()
