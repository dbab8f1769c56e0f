"""What is maximised, worked by hand; what is reported on the way."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.runs.events import EpochEvaluated, FoldStarted, Noted
from engine.tuning.space import objective
from engine.tuning.study import TrialProgress, _TrialReport
from tests.engine.runs.samples import evaluated


def test_by_hand_with_and_without_overlapping_labels() -> None:
    """Days .1 .3 .2 .4: mean .25, deviations -.15 .05 -.05 .15, variance .0125, first covariance -.00375."""
    folds = [np.array([0.1, 0.3]), np.array([math.nan, 0.2, 0.4])]
    plain = objective(folds, horizon=0)
    assert plain.n_dates == 4
    assert plain.rank_ic == pytest.approx(0.25)
    assert plain.rank_ic_se == pytest.approx(math.sqrt(0.0125 / 4))
    assert plain.value == pytest.approx(0.25 - math.sqrt(0.0125 / 4))
    lagged = objective(folds, horizon=1)
    # Covariance of neighbours: (-.0075 - .0025 - .0075) / 4 = -.004375, weight 1 - 1/2, twice.
    assert lagged.rank_ic_se == pytest.approx(math.sqrt((0.0125 - 0.004375) / 4))


@given(
    st.lists(st.floats(-1, 1), min_size=4, max_size=60),
    st.integers(1, 3),
    st.floats(-0.5, 0.5),
)
def test_cutting_into_folds_changes_nothing_and_a_shift_shifts(
    days: list[float], cut: int, shift: float
) -> None:
    series = np.array(days)
    whole = objective([series], horizon=3)
    parts = objective([series[:cut], series[cut:]], horizon=3)
    assert parts == whole
    moved = objective([series + shift], horizon=3)
    assert moved.value == pytest.approx(whole.value + shift, abs=1e-9)
    assert whole.value <= whole.rank_ic


def test_no_defined_day_has_no_value() -> None:
    assert math.isnan(objective([np.full(30, math.nan)], horizon=5).value)


def epoch(number: int, rank_ic: float) -> EpochEvaluated:
    from msgspec.structs import replace

    return replace(evaluated(number, 0), rank_ic=rank_ic)


def test_reports_are_the_mean_over_folds_of_the_best_so_far() -> None:
    progress = TrialProgress(epochs_per_fold=4)
    events = [
        FoldStarted(fold=0, folds=2, seed=1),
        epoch(0, 0.01),
        epoch(1, 0.03),
        Noted(message="x"),
        epoch(2, 0.02),
        FoldStarted(fold=1, folds=2, seed=1),
        epoch(0, -0.01),
        epoch(1, 0.05),
    ]
    seen = [report for event in events if (report := progress.advance(event))]
    assert [report.step for report in seen] == [0, 1, 2, 4, 5]
    assert [report.value for report in seen] == pytest.approx([0.01, 0.03, 0.03, 0.01, 0.04])


def test_an_epoch_repeated_after_a_kill_is_reported_once() -> None:
    progress = TrialProgress(epochs_per_fold=4)
    events = [
        FoldStarted(fold=0, folds=1, seed=1),
        epoch(0, 0.01),
        epoch(0, 0.01),
        epoch(1, math.nan),
    ]
    assert [progress.advance(event) for event in events] == [
        None,
        _TrialReport(0, 0.01),
        None,
        None,
    ]
