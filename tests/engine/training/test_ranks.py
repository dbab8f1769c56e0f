"""Several ranks, here threads with a gloo group of their own: the gradient is that of one process."""

import datetime as dt
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
import torch.distributed as dist
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from engine.config import Config
from engine.dataset.batch import Batch, make_batch
from engine.dataset.windows import windows
from engine.errors import UsageError
from engine.model.atft_gat_fan import ATFTGATFAN, RowState, build_model
from engine.runs.sink import NullSink
from engine.training.control import TrainingStopped
from engine.training.device import Runtime, apply_mode
from engine.training.machine import MachineProbe
from engine.training.optimizer import set_trainable
from engine.training.passes import StepPass
from engine.training.progress import Progress
from engine.training.ranks import Begin, End, RankLost, Ranks, shares
from engine.training.scoring import ScoredDays
from engine.training.snapshots import Snapshots
from engine.training.trainer import Trainer
from tests.conftest import World

ALONE = Runtime(device=torch.device("cpu"), mode="safe", autocast=False, threads=1)
COUPLED = {"listnet": 0.2, "gate_penalty": 0.1, "sharpe": 0.5}


@contextmanager
def threads(count: int) -> Iterator[list[Ranks]]:
    """As many ranks as asked for, joined."""
    store = torch._C._distributed_c10d.HashStore()

    def join(rank: int) -> Ranks:
        group = dist.ProcessGroupGloo(store, rank, count, dt.timedelta(seconds=60))
        return Ranks(cast("dist.ProcessGroup", group))

    with ThreadPoolExecutor(count) as pool:
        yield list(pool.map(join, range(count)))


@pytest.fixture(scope="module")
def coupled(world: World) -> Config:
    """All terms that couple stocks or days."""
    return world.config.model_copy(update={"loss": world.config.loss.model_copy(update=COUPLED)})


@pytest.fixture(scope="module")
def batches(world: World) -> list[Batch]:
    days = [[int(world.split.train[at]) for at in step] for step in ((3, 40, 90, 7), (60, 8))]
    return [make_batch(world.features, world.graphs, d, world.config.split.window) for d in days]


@pytest.fixture
def model(world: World) -> ATFTGATFAN:
    torch.manual_seed(0)
    return build_model(world.config, len(world.features.features)).train()


def gradients(
    runtime: Runtime, model: ATFTGATFAN, batch: Batch, config: Config, parts: int = 1
) -> tuple[float, list[Tensor | None]]:
    model.zero_grad()
    loss = StepPass(runtime)(model, batch, config, seed=5, parts=parts).loss
    return float(loss), [None if p.grad is None else p.grad.clone() for p in model.parameters()]


@contextmanager
def followed(
    world: World, model: ATFTGATFAN, count: int
) -> Iterator[tuple[Runtime, list[Future[int]]]]:
    """The runtime of rank 0, while the others read rows with weights that are not its own."""
    with threads(count) as ranks, ThreadPoolExecutor(count) as pool:
        others = []
        for rank in ranks[1:]:
            other = deepcopy(model)
            torch.nn.init.zeros_(other.embedding.weight)
            step_pass = StepPass(replace(ALONE, ranks=rank))
            window = world.config.split.window
            others.append(pool.submit(step_pass.follow, other, world.features, window))
        yield replace(ALONE, ranks=ranks[0]), others
        ranks[0].end()


def assert_same(ours: list[Tensor | None], expected: list[Tensor | None]) -> None:
    assert sum(gradient is not None for gradient in expected) > 5
    for a, b in zip(ours, expected, strict=True):
        assert (a is None) == (b is None)
        if a is not None and b is not None:
            torch.testing.assert_close(a, b, atol=1e-6 * max(1.0, float(b.abs().max())), rtol=1e-6)


@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize("count", [2, 4])
def test_gradients_of_ranks_equal_those_of_one_process(
    world: World,
    model: ATFTGATFAN,
    batches: list[Batch],
    coupled: Config,
    count: int,
    parts: int,
) -> None:
    """Dropout, the Sharpe ratio over days and the ranks of a day included; two steps of other days."""
    expected = [gradients(ALONE, model, batch, coupled) for batch in batches]
    assert any(float(g.abs().max()) > 1e-3 for g in expected[0][1] if g is not None)
    with followed(world, model, count) as (first, others):
        first.ranks.expect([batch.sessions for batch in batches])
        for batch, (loss, gradient) in zip(batches, expected, strict=True):
            ours, cut = gradients(first, model, batch, coupled, parts)
            assert ours == pytest.approx(loss, rel=1e-6)
            assert_same(cut, gradient)
    assert [other.result() for other in others] == [2] * (count - 1)


def test_blocks_that_are_off_or_frozen_are_so_on_every_rank(
    world: World, model: ATFTGATFAN, batches: list[Batch], coupled: Config
) -> None:
    model.set_blocks(["fan", "gat"])
    set_trainable(model, ["fan", "gat"], ["fan"])
    _, expected = gradients(ALONE, model, batches[0], coupled)
    with followed(world, model, 2) as (first, _):
        _, ours = gradients(first, model, batches[0], coupled)
    assert_same(ours, expected)


def test_out_of_memory_on_one_rank_is_so_on_all(
    world: World, model: ATFTGATFAN, batches: list[Batch], coupled: Config,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Rank 0 hears of it, and the next attempt, in parts, gives the same gradient."""
    _, expected = gradients(ALONE, model, batches[0], coupled)
    read, refused = ATFTGATFAN.read, list[int]()

    def short(self: ATFTGATFAN, x_MTF: Tensor, mask_MT: Tensor, *, half: bool) -> RowState:
        if self is not model and not refused:
            refused.append(x_MTF.shape[0])
            raise torch.OutOfMemoryError("planted")
        return read(self, x_MTF, mask_MT, half=half)

    monkeypatch.setattr(ATFTGATFAN, "read", short)
    with followed(world, model, 2) as (first, _):
        with pytest.raises(torch.OutOfMemoryError, match="another rank"):
            gradients(first, model, batches[0], coupled)
        _, ours = gradients(first, model, batches[0], coupled, parts=2)
    assert refused
    assert_same(ours, expected)


def test_windows_are_the_rows_of_the_batch(world: World, batches: list[Batch]) -> None:
    batch = batches[0]
    n_rows = batch.day_ptr[-1]
    for rows in (slice(0, 1), slice(5, n_rows - 3), slice(batch.day_ptr[1], batch.day_ptr[2])):
        x_MTF, mask_MT = windows(world.features, batch.sessions, world.config.split.window, rows)
        assert torch.equal(x_MTF, batch.x_MTF[rows])
        assert torch.equal(mask_MT, batch.mask_MT[rows])


@given(st.integers(1, 5000), st.integers(1, 16))
def test_shares_cover_every_row_once(n_rows: int, count: int) -> None:
    pieces = shares(n_rows, count)
    assert [row for piece in pieces for row in range(n_rows)[piece]] == list(range(n_rows))
    sizes = [piece.stop - piece.start for piece in pieces]
    assert len(sizes) == count
    assert max(sizes) - min(sizes) <= 1


def test_what_is_said_is_heard_and_too_many_ranks_are_refused() -> None:
    with threads(2) as (first, second), ThreadPoolExecutor(1) as pool:
        heard = pool.submit(second.hear)
        first.tell(Begin(features="a", settings="é"))
        assert heard.result() == Begin(features="a", settings="é")
        heard = pool.submit(second.hear)
        first.end()
        assert heard.result() == End()
        with pytest.raises(UsageError, match="a step of 1 rows for 2 ranks"):
            second.share(1)


def test_a_rank_that_has_ended_is_an_error_in_words() -> None:
    with threads(2) as ranks:
        first = ranks.pop(0)
        ranks.clear()  # the second one's connections are closed with it
        with pytest.raises(RankLost, match="another rank of this training has ended"):
            first.anywhere(True)


@dataclass
class After:
    """Asks for a stop when it was looked at so often."""

    looks: int

    @property
    def requested(self) -> bool:
        self.looks -= 1
        return self.looks < 0


def trained(
    world: World, config: Config, directory: Path, count: int, *, stop: After, resume: bool = False
) -> ScoredDays | None:
    """Scores of the test days by a training of so many ranks; None if it was stopped."""
    runtime = apply_mode("safe", torch.device("cpu"), config.training.seed)
    model = build_model(config, len(world.features.features))
    with followed(world, model, count) as (first, _):
        trainer = Trainer(
            config=config,
            features=world.features,
            graphs=world.graphs,
            split=world.split,
            model=model,
            runtime=replace(runtime, ranks=first.ranks),
            sink=NullSink(),
            stop=stop,
            snapshots=Snapshots(directory=directory, identity={}),
            machine=MachineProbe(directory),
            progress=Progress(),
        )
        try:
            trainer.run(resume=resume)
        except TrainingStopped:
            return None
        return trainer.score(world.split.test)


@pytest.mark.slow
def test_scores_are_those_of_one_process_and_any_number_goes_on(
    world: World, coupled: Config, tmp_path: Path
) -> None:
    """All phases, with the Sharpe term; a training that two began and one or three end."""
    never = After(10**9)
    alone = trained(world, coupled, tmp_path / "1", 1, stop=never)
    assert alone is not None
    assert np.concatenate(alone.score_DNH).std() > 1e-2
    assert trained(world, coupled, tmp_path / "2-1", 2, stop=After(9)) is None
    assert trained(world, coupled, tmp_path / "1-3", 1, stop=After(9)) is None
    for name, count, resume in (("2", 2, False), ("2-1", 1, True), ("1-3", 3, True)):
        found = trained(world, coupled, tmp_path / name, count, stop=never, resume=resume)
        assert found is not None
        for ours_NH, theirs_NH in zip(found.score_DNH, alone.score_DNH, strict=True):
            assert np.abs(ours_NH - theirs_NH).max() < 1e-5
