from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.config import SplitConfig
from engine.dataset.batch import (
    _TENSORS,
    SOFT_RANK_NAMES,
    Batch,
    _sampled_rows,
    make_batch,
    neighbour_table,
    targets,
)
from engine.dataset.loader import _epoch_steps, prefetch
from engine.dataset.split import inner_folds, refit_split, room_for, single_split, walk_forward
from engine.dataset.windows import DevicePanel
from engine.errors import DataError
from tests.conftest import World


def assert_purged(parts: list[np.ndarray], gap: int) -> None:
    for before, after in pairwise(parts):
        assert before.size
        assert after.size
        assert after[0] - before[-1] > gap


@settings(max_examples=30)
@given(st.integers(20, 90), st.integers(20, 90), st.integers(21, 50), st.integers(5, 30))
def test_no_label_crosses_a_split(
    world: World, validation: int, test: int, embargo: int, window: int
) -> None:
    """The last training label ends at t + 1 + 20; the first validation entry is at t' + 1."""
    config = SplitConfig(
        window=window,
        validation_sessions=validation,
        test_sessions=test,
        embargo_sessions=embargo,
    )
    split = single_split(world.features, config, 10)
    assert_purged([split.train, split.validation, split.test], 20)
    assert split.train[0] >= window - 1
    assert np.isfinite(world.features.forward_return_SNH[split.test, :, 0]).any(axis=1).all()


def test_walk_forward_tests_every_day_once_and_never_after_training(world: World) -> None:
    folds = walk_forward(
        world.features, world.config.split, 10, first_test=None, last_test=None, step_sessions=40
    )
    assert len(folds) > 2
    days = np.concatenate([fold.split.test for fold in folds])
    assert np.array_equal(days, np.unique(days))
    for fold in folds:
        assert_purged([fold.split.train, fold.split.validation, fold.split.test], 20)


@settings(max_examples=20)
@given(st.integers(1, 4), st.integers(20, 50), st.integers(21, 40))
def test_inner_folds_never_touch_a_test_day_or_its_labels(
    world: World, folds: int, length: int, embargo: int
) -> None:
    """The last label of a validation day ends at t + 1 + 20, before the first test day's entry."""
    config = world.config.split.model_copy(update={"embargo_sessions": embargo})
    outer = single_split(world.features, config, 10)
    made = inner_folds(world.features, config, 10, folds=folds, fold_sessions=length)
    for fold in made:
        assert fold.split.test.size == 0
        assert fold.split.validation.size == length
        assert_purged([fold.split.train, fold.split.validation, outer.test], 20)
    days = np.concatenate([fold.split.validation for fold in made])
    assert np.array_equal(days, np.arange(days[0], outer.validation[-1] + 1)), "without a gap"
    trains = [fold.split.train.size for fold in made]
    assert trains == sorted(trains)


@pytest.mark.parametrize(("limit", "expected"), [(0, None), (100, 100)])
def test_a_refit_learns_every_labelled_day_up_to_the_embargo(
    world: World, limit: int, expected: int | None
) -> None:
    """All from the first training day on, or so many of the newest; the test's days are the same."""
    config = world.config.split.model_copy(update={"train_sessions": limit})
    split = single_split(world.features, config, 10)
    longer = refit_split(world.features, split, config, 10)
    first, last = int(world.split.train[0]), int(split.validation[-1])
    days = np.arange(first, last + 1)[-(expected or 10_000) :]
    assert longer.train.tolist() == days.tolist(), "those of the embargo too"
    assert longer.validation.size == 0
    assert longer.test.tolist() == split.test.tolist()
    assert_purged([longer.train, longer.test], 20)


def test_inner_folds_that_do_not_fit_say_what_is_needed(world: World) -> None:
    with pytest.raises(DataError, match="inner folds of 200") as caught:
        inner_folds(world.features, world.config.split, 10, folds=3, fold_sessions=200)
    assert "tune.folds" in caught.value.hint


def test_too_short_a_history_says_what_is_needed(world: World) -> None:
    with pytest.raises(DataError, match="needed") as caught:
        single_split(world.features, SplitConfig(validation_sessions=400, test_sessions=400), 10)
    assert "split.validation_sessions" in caught.value.hint


def test_the_days_that_fit_leave_half_of_the_room_for_training() -> None:
    """248 sessions less 60 and two embargoes of 21 are 146, a quarter of them 36; 181 leave 19."""
    config = SplitConfig()
    assert room_for(248, config).startswith("`--set split.validation_sessions=36 --set split.test_")
    assert "universe.min_history" in room_for(181, config)


def test_batch_rows_are_the_days_members_with_their_windows(world: World) -> None:
    sessions, window = (int(world.split.train[5]), int(world.split.train[40])), 8
    batch = make_batch(world.features, world.graphs, sessions, window)
    assert batch.day_ptr[0] == 0
    for d, session in enumerate(sessions):
        rows = slice(batch.day_ptr[d], batch.day_ptr[d + 1])
        members = np.flatnonzero(world.features.member_SN[session])
        assert batch.symbol_M[rows].tolist() == members.tolist()
        expected = world.features.x_SNF[session - window + 1 : session + 1][:, members]
        assert np.array_equal(
            batch.x_MTF[rows].numpy(), expected.transpose(1, 0, 2).astype(np.float32)
        )
        heard = batch.neighbour_MK[rows][batch.heard_MK[rows]]
        assert bool(((heard >= rows.start) & (heard < rows.stop)).all()), "an edge crosses days"
        assert batch.row_DN[d, : rows.stop - rows.start].tolist() == list(range(10**6)[rows])
        assert bool((batch.row_DN[d, rows.stop - rows.start :] == -1).all())


def test_a_device_gathers_the_windows_that_the_host_would(world: World) -> None:
    sessions, cpu = (int(world.split.train[5]), int(world.split.train[40])), torch.device("cpu")
    panel = DevicePanel.of(world.features, 8, cpu, room=2**30)
    assert panel is not None
    given = (world.features, world.graphs, sessions, 8)
    expected, bare = make_batch(*given), make_batch(*given, with_windows=False)
    assert bare.x_MTF.shape == (bare.day_ptr[-1], 0, len(world.features.features))
    filled = panel.filled(bare)
    for name in _TENSORS:
        assert torch.equal(
            getattr(filled, name).nan_to_num(), getattr(expected, name).nan_to_num()
        ), name
    assert filled.x_MTF.dtype == torch.float32
    assert panel.filled(expected) is expected, "inputs that are there stay"
    with prefetch(world.features, world.graphs, [sessions], 8, panel=panel) as batches:
        assert torch.equal(panel.filled(next(batches)).x_MTF, expected.x_MTF)
    assert DevicePanel.of(world.features, 8, cpu, room=1000) is None, "what does not fit stays away"
    with pytest.raises(IndexError, match="session 3 has no window of 8"):
        make_batch(world.features, None, (3,), 8, with_windows=False)


def test_batch_edges_are_those_of_the_graph_between_members(world: World) -> None:
    session = int(world.split.train[40])
    batch = make_batch(world.features, world.graphs, (session,), 8)
    member = world.features.member_SN[session]
    graph = world.graphs.at(session)
    pairs = zip(graph.edge_index_2E.T.tolist(), graph.edge_attr_EK.tolist(), strict=True)
    expected = {(*pair, *attributes) for pair, attributes in pairs if member[pair].all()}
    assert heard_pairs(batch) == expected
    assert len(expected) == batch.n_edges > 0


def heard_pairs(batch: Batch) -> set[tuple[float, ...]]:
    """Source and target on the symbol axis and the attributes of each edge."""
    symbols = batch.symbol_M.tolist()
    return {
        (symbols[int(batch.neighbour_MK[m, k])], symbols[m], *batch.edge_attr_MKP[m, k].tolist())
        for m, k in batch.heard_MK.nonzero().tolist()
    }


def test_neighbour_table_by_hand() -> None:
    """0 hears 2 and 1 in the order given, 2 hears 0, 1 nobody."""
    edges = np.array([[2, 0, 1], [0, 2, 0]])
    table = neighbour_table(edges, np.array([[0.5], [0.25], [-0.5]], dtype=np.float32), 3)
    assert table.row_MK.tolist() == [[2, 1], [1, 1], [0, 2]]
    assert table.heard_MK.tolist() == [[True, True], [False, False], [True, False]]
    assert table.attr_MKP[..., 0].tolist() == [[0.5, -0.5], [0.0, 0.0], [0.25, 0.0]]
    assert table.place_E.tolist() == [0, 4, 1]


@settings(max_examples=25)
@given(st.integers(1, 3000), st.integers(0, 5000))
def test_sampled_rows_are_at_most_400_and_inside_the_day(n: int, session: int) -> None:
    ((rows),) = _sampled_rows((0, n), (session,)).tolist()
    assert 0 < len(rows) <= SOFT_RANK_NAMES
    assert rows[0] >= 0
    assert rows[-1] < n


def test_target_is_the_rank_of_the_label_and_unknown_stays_unknown(world: World) -> None:
    batch = make_batch(world.features, None, (int(world.split.test[-1]),), 8)
    assert torch.isnan(batch.target_MH[:, 3]).all(), (
        "the 20-session label of the last day is not known"
    )
    known = torch.isfinite(batch.y_MH[:, 0])
    a, b = batch.y_MH[known, 0], batch.target_MH[known, 0]
    assert torch.equal(a.argsort(), b.argsort())
    assert batch.n_edges == 0


def test_steps_visit_each_day_at_most_once_and_depend_on_the_epoch_only() -> None:
    train = np.arange(100, 203)
    steps = _epoch_steps(train, stride=2, days_per_step=4, seed=1, epoch=3)
    assert steps == _epoch_steps(train, stride=2, days_per_step=4, seed=1, epoch=3)
    assert steps != _epoch_steps(train, stride=2, days_per_step=4, seed=1, epoch=4)
    days = [day for step in steps for day in step]
    assert len(set(days)) == len(days)
    assert len({day % 2 for day in days}) == 1
    every = _epoch_steps(train, stride=1, days_per_step=5, seed=1, epoch=0)
    assert sorted(day for step in every for day in step) == train.tolist()


def test_prefetch_keeps_order_hands_over_errors_and_ends_early(world: World) -> None:
    steps = [(int(s),) for s in world.split.train[:6]]
    with prefetch(world.features, world.graphs, steps, 8) as batches:
        assert [batch.sessions for batch in batches] == steps
    with (
        pytest.raises(IndexError, match="no window"),
        prefetch(world.features, None, [steps[0], (3,)], 8) as batches,
    ):
        list(batches)
    with prefetch(world.features, None, steps * 20, 8) as batches:
        next(batches)


def test_neutral_targets_have_nothing_left_of_the_exposure() -> None:
    """A return that is the exposure plus a small signal: the target ranks the signal, not the exposure."""
    rng = np.random.default_rng(0)
    exposure_NK, signal_N = rng.normal(size=(400, 1)), rng.normal(size=400)
    return_NH = (0.03 * exposure_NK[:, 0] + 0.005 * signal_N)[:, None]
    plain = targets(return_NH, exposure_NK[:, :0])[:, 0]
    neutral = targets(return_NH, exposure_NK)[:, 0]
    assert np.corrcoef(plain, exposure_NK[:, 0])[0, 1] > 0.95
    assert abs(np.corrcoef(neutral, exposure_NK[:, 0])[0, 1]) < 0.05
    assert np.corrcoef(neutral, signal_N)[0, 1] > 0.8 > np.corrcoef(plain, signal_N)[0, 1]


def test_targets_by_hand_and_unknown_returns_stay_unknown() -> None:
    return_NH = np.array([[0.01, np.nan], [0.03, 0.1], [0.02, np.nan]])
    got = targets(return_NH, np.empty((3, 0)))
    np.testing.assert_allclose(
        got[:, 0], [-0.967, 0.967, 0.0], atol=1e-3
    )  # quantiles 1/6, 5/6, 1/2
    assert np.isnan(got[[0, 2], 1]).all()
    assert got[1, 1] == pytest.approx(0.0, abs=1e-6)
    # Two known stocks and one exposure leave nothing to fit: the labels are those without it.
    few = targets(return_NH[:2], np.array([[1.0], [2.0]]))
    np.testing.assert_array_equal(few, targets(return_NH[:2], np.empty((2, 0))))


def test_batches_are_neutral_to_what_the_feature_set_names(world: World) -> None:
    session = int(world.split.train[-1])
    neutral = make_batch(replace(world.features, neutral=("beta_60",)), world.graphs, (session,), 8)
    f = world.features.features.index("beta_60")
    known = torch.isfinite(neutral.target_MH[:, 1])
    pair = torch.stack([neutral.target_MH[known, 1], neutral.x_MTF[known, -1, f]])
    assert abs(float(torch.corrcoef(pair)[0, 1])) < 0.1
    assert torch.equal(
        neutral.y_MH.nan_to_num(), make_batch(world.features, None, (session,), 8).y_MH.nan_to_num()
    )
