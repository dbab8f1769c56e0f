"""The counterfactual graphs of a batch: without an edge, and with random neighbours."""

import torch

from engine.dataset.batch import Batch, make_batch
from tests.conftest import World

WINDOW = 8
Heard = dict[int, list[tuple[int, tuple[float, ...]]]]


def heard(batch: Batch) -> Heard:
    """Row of a stock -> the rows that it hears, each with the attributes of the edge, in order."""
    found: Heard = {}
    for target, place in batch.heard_MK.nonzero().tolist():
        edge = (
            int(batch.neighbour_MK[target, place]),
            tuple(batch.edge_attr_MKP[target, place].tolist()),
        )
        found.setdefault(target, []).append(edge)
    return found


def batch_of(world: World, *places: int) -> Batch:
    sessions = [int(world.split.train[place]) for place in places]
    return make_batch(world.features, world.graphs, sessions, WINDOW)


def assert_only_edges_differ(one: Batch, other: Batch) -> None:
    assert (one.dates, one.sessions, one.day_ptr) == (other.dates, other.sessions, other.day_ptr)
    for name in ("symbol_M", "x_MTF", "mask_MT", "y_MH", "target_MH"):
        assert getattr(one, name) is getattr(other, name), name


def test_without_edges_nobody_hears_anybody(world: World) -> None:
    batch = batch_of(world, 5, 40)
    alone = batch.without_edges()
    assert batch.n_edges > 0
    assert alone.n_edges == 0
    assert heard(alone) == {}
    assert_only_edges_differ(batch, alone)


def test_random_neighbours_keep_numbers_and_attributes_and_stay_within_the_day(
    world: World,
) -> None:
    batch = batch_of(world, 5, 40)
    other = batch.with_random_neighbours(3)
    assert_only_edges_differ(batch, other)
    before, after = heard(batch), heard(other)
    assert after.keys() == before.keys()
    moved = 0
    for target, edges in after.items():
        sources = [source for source, _ in edges]
        assert [attr for _, attr in edges] == [attr for _, attr in before[target]]
        assert len(set(sources)) == len(sources), "all different"
        assert target not in sources, "never the stock itself"
        moved += sources != [source for source, _ in before[target]]
        day = sum(target >= start for start in batch.day_ptr[1:])
        assert all(batch.day_ptr[day] <= source < batch.day_ptr[day + 1] for source in sources)
    assert moved > 0.9 * len(after)


def test_a_draw_depends_on_seed_and_session_alone(world: World) -> None:
    alone = batch_of(world, 40)
    drawn = heard(alone.with_random_neighbours(3))
    assert heard(alone.with_random_neighbours(3)) == drawn
    assert heard(alone.with_random_neighbours(4)) != drawn
    together = batch_of(world, 5, 40)
    start, stop = together.day_ptr[1:]
    shifted = {
        target - start: [(source - start, attr) for source, attr in edges]
        for target, edges in heard(together.with_random_neighbours(3)).items()
        if start <= target < stop
    }
    assert shifted == drawn


def test_every_other_stock_is_drawn_equally_often(world: World) -> None:
    """Over 400 seeds the neighbours of one stock: all others, none more than thrice the mean."""
    batch = batch_of(world, 40)
    target = max(heard(batch), key=lambda row: len(heard(batch)[row]))
    rows = batch.day_ptr[-1]
    counts = torch.zeros(rows)
    for seed in range(400):
        for source, _ in heard(batch.with_random_neighbours(seed))[target]:
            counts[source] += 1
    others = torch.cat([counts[:target], counts[target + 1 :]])
    assert counts[target] == 0
    assert others.min() > 0
    assert others.max() < 3 * others.mean()


def test_a_batch_without_edges_has_no_random_ones(world: World) -> None:
    batch = make_batch(world.features, None, (int(world.split.train[5]),), WINDOW)
    assert batch.n_edges == 0
    assert batch.with_random_neighbours(1).n_edges == 0
