"""Labels without a signal: who gets whose, and what a choice makes of them."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.dataset.split import Split
from engine.evaluation.judging import permutation_test
from engine.evaluation.rank_ic import rank_ic_series
from engine.features.feature_set import FeatureSet
from engine.records.comparison import PermutationTest
from engine.stages.load import _dealt, _permuted_labels
from tests.conftest import World

HORIZON = 5


def members(text: str) -> NDArray[np.bool_]:
    return np.array([letter != "." for letter in text])


def test_a_stock_keeps_its_donor_but_one_for_each_that_comes_or_goes() -> None:
    rng = np.random.default_rng(0)
    first = _dealt(np.full(5, -1), members("abcd."), rng)
    assert sorted(first[:4]) == [0, 1, 2, 3]
    assert first[4] == -1
    cycle = np.array([1, 2, 3, 0, -1])
    assert _dealt(cycle, members("abc.."), rng).tolist() == [1, 2, 0, -1, -1], "c gets d's donor"
    assert _dealt(cycle, members("abcd."), rng).tolist() == cycle.tolist()
    joined = _dealt(cycle, members("abcde"), rng)
    moved = np.flatnonzero(joined[:4] != cycle[:4])
    if moved.size:
        assert joined[moved[0]] == 4
        assert joined[4] == cycle[moved[0]]
    assert moved.size <= 1


def test_who_comes_alone_does_not_get_its_own_returns() -> None:
    """Every permutation of three has equal chance, also when its members came one by one."""
    rng, seen = np.random.default_rng(1), Counter[tuple[int, ...]]()
    for _ in range(6000):
        donor = np.full(4, -1)
        for day in ("a...", "a..d", "a.cd", "..cd", ".bcd"):
            donor = _dealt(donor, members(day), rng)
        seen[tuple(donor.tolist())] += 1
    assert len(seen) == 6
    assert min(seen.values()) > 870, "1,000 each, deviation 29"


@given(
    st.lists(st.lists(st.booleans(), min_size=6, max_size=6), min_size=1, max_size=8),
    st.integers(0, 99),
)
def test_each_day_is_a_permutation_of_its_members(days: list[list[bool]], seed: int) -> None:
    rng, before = np.random.default_rng(seed), np.full(6, -1)
    for day in days:
        is_member = np.array(day)
        after = _dealt(before, is_member, rng)
        assert sorted(after[is_member]) == np.flatnonzero(is_member).tolist()
        assert (after[~is_member] == -1).all()
        both = is_member & (before >= 0)
        moves = int((is_member != (before >= 0)).sum())
        assert (after[both] != before[both]).sum() <= moves
        before = after


def test_permuted_labels_keep_the_day_and_its_past_and_lose_the_stock(world: World) -> None:
    features, train = world.features, world.split.train
    given_away = _permuted_labels(features, train, seed=3)
    before, after = features.forward_return_SNH, given_away.forward_return_SNH
    others = np.setdiff1d(np.arange(len(before)), train)
    np.testing.assert_array_equal(after[others], before[others])
    session = int(train[50])
    member = features.member_SN[session]
    np.testing.assert_array_equal(after[session, ~member], before[session, ~member])
    rows = [sorted(map(tuple, table[session, member].tolist())) for table in (before, after)]
    assert rows[0] == rows[1], "whole rows move: horizons stay together"
    assert not np.array_equal(after[session, member], before[session, member])
    again = _permuted_labels(features, train, seed=3).forward_return_SNH
    np.testing.assert_array_equal(again, after)
    truth = [features.forward_return_SNH[s, features.member_SN[s], 0] for s in train]
    moved = [after[s, features.member_SN[s], 0] for s in train]
    assert abs(np.nanmean(rank_ic_series(moved, truth))) < 0.1
    assert overlap(after, train) == pytest.approx(overlap(before, train), abs=0.05)


def overlap(return_SNH: NDArray[np.float32], sessions: NDArray[np.int64]) -> float:
    """Mean correlation of a stock's 5-session returns on neighbouring days: about 4 / 5."""
    days = return_SNH[sessions[::20], :, 1], return_SNH[sessions[::20] + 1, :, 1]
    known = np.isfinite(days[0]) & np.isfinite(days[1])
    return float(np.corrcoef(days[0][known], days[1][known])[0, 1])


def daily_ic(
    labels: FeatureSet, days: NDArray[np.int64], direction_FR: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Correlation of scores and returns ``[D, R]``, of R linear scores at once."""
    h = labels.horizons.index(HORIZON)
    out_DR = np.empty((days.size, direction_FR.shape[1]))
    for d, session in enumerate(days):
        truth_N = labels.forward_return_SNH[session, :, h]
        known = labels.member_SN[session] & np.isfinite(truth_N)
        if known.sum() < 10:
            out_DR[d] = np.nan
            continue
        score_NR = np.asarray(labels.x_SNF[session], np.float64)[known] @ direction_FR
        table = np.column_stack([truth_N[known], score_NR])
        out_DR[d] = np.corrcoef(table, rowvar=False)[0, 1:]
    return out_DR


def predictable(features: FeatureSet) -> FeatureSet:
    """The same with returns that follow one direction in the features for ever, and noise."""
    rng = np.random.default_rng(1)
    direction_F = rng.standard_normal(len(features.features)) / np.sqrt(len(features.features))
    signal_SN = np.asarray(features.x_SNF[:], np.float32) @ direction_F.astype(np.float32)
    noise_SNH = rng.standard_normal(features.forward_return_SNH.shape)
    known = np.isfinite(features.forward_return_SNH)
    returns = np.where(known, signal_SN[..., None] + noise_SNH, np.nan).astype(np.float32)
    return replace(features, forward_return_SNH=returns)


def choice_on_permuted_labels(
    features: FeatureSet, split: Split, permuted: NDArray[np.int64]
) -> PermutationTest:
    """A training in miniature, 16 times: of 20 random directions the one with the best validation IC."""
    series = []
    for seed in range(16):
        labels = _permuted_labels(features, permuted, seed)
        direction_FR = np.random.default_rng(seed).standard_normal((len(features.features), 20))
        on_validation_R = np.nanmean(daily_ic(labels, split.validation, direction_FR), axis=0)
        best = int(on_validation_R.argmax())
        series.append(daily_ic(features, split.test, direction_FR[:, best : best + 1])[:, 0])
    return permutation_test(series, lag=HORIZON)


def test_a_choice_on_labels_that_were_not_permuted_is_caught(world: World) -> None:
    """The planted leak: training labels say nothing, but those that choose say the truth."""
    features, split = predictable(world.features), world.split
    leaking = choice_on_permuted_labels(features, split, split.train)
    assert leaking.verdict == "outside"
    assert leaking.rank_ic > 0
    deciding = np.concatenate([split.train, split.validation])
    honest = choice_on_permuted_labels(features, split, deciding)
    assert honest.verdict == "within"
    assert honest.rank_ic < 0.5 * leaking.rank_ic
