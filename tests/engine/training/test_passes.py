"""Gradients by chunks of rows in threads, or by parts read twice, are those of all rows in one piece."""

import threading
import weakref
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from engine.config import Config
from engine.dataset.batch import Batch, make_batch
from engine.model.atft_gat_fan import ATFTGATFAN, build_model
from engine.training import passes
from engine.training.device import Runtime
from engine.training.optimizer import set_trainable
from engine.training.passes import PassResult, StepPass, open_pass
from tests.conftest import World

FAST = Runtime(device=torch.device("cpu"), mode="optimized", autocast=False, threads=2)
HALF = replace(FAST, autocast=True)
EVERY_TERM = {"listnet": 0.2, "gate_penalty": 0.1, "sharpe": 0.5}


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Several chunks for each thread, whatever the size of the day."""
    threads = torch.get_num_threads()
    monkeypatch.setattr(passes, "_MIN_ROWS", 1)
    monkeypatch.setattr(passes, "_CHUNK_ROWS", 29)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def coupled(world: World) -> Config:
    """All terms that couple stocks or days."""
    return world.config.model_copy(update={"loss": world.config.loss.model_copy(update=EVERY_TERM)})


@pytest.fixture
def model(world: World) -> ATFTGATFAN:
    torch.manual_seed(0)
    return build_model(world.config, len(world.features.features)).train()


@pytest.fixture(scope="module")
def batch(world: World) -> Batch:
    sessions = [int(world.split.train[position]) for position in (3, 40, 90)]
    return make_batch(world.features, world.graphs, sessions, world.config.split.window)


WHOLE = StepPass(replace(FAST, device=torch.device("meta")))
"""What is not the CPU takes all rows in one piece."""


def run(
    forward_backward: StepPass,
    model: ATFTGATFAN,
    batch: Batch,
    config: Config,
    seed: int = 5,
    parts: int = 1,
) -> tuple[PassResult, list[Tensor | None]]:
    model.zero_grad()
    result = forward_backward(model, batch, config, seed=seed, parts=parts)
    return result, [None if p.grad is None else p.grad.clone() for p in model.parameters()]


@pytest.mark.parametrize("parts", [1, 2, 5])
@pytest.mark.parametrize(
    ("blocks", "frozen"),
    [
        (None, []),
        (["fan", "san"], []),
        ([], []),
        (None, ["fan", "san", "selection", "temporal", "attention"]),
    ],
)
def test_gradients_equal_those_of_one_piece(
    model: ATFTGATFAN,
    batch: Batch,
    coupled: Config,
    blocks: list[str] | None,
    frozen: list[str],
    parts: int,
) -> None:
    """Dropout, the Sharpe ratio over days and the ranks of a day included."""
    blocks = list(model.available) if blocks is None else blocks
    model.set_blocks(blocks)
    set_trainable(model, blocks, frozen)
    whole, expected = run(WHOLE, model, batch, coupled)
    with open_pass(FAST) as by_rows:
        cut, ours = run(by_rows, model, batch, coupled, parts=parts)
    assert float(cut.loss) == pytest.approx(float(whole.loss), rel=1e-5)
    assert cut.terms.keys() == whole.terms.keys()
    assert cut.output.gates.keys() == whole.output.gates.keys()
    torch.testing.assert_close(cut.output.score_MH, whole.output.score_MH, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(cut.output.selection_F, whole.output.selection_F)
    assert sum(gradient is not None for gradient in expected) > 5
    for a, b in zip(ours, expected, strict=True):
        assert (a is None) == (b is None)
        if a is not None and b is not None:
            torch.testing.assert_close(a, b, atol=1e-6 * max(1.0, float(b.abs().max())), rtol=1e-4)


def test_parts_hold_less_than_the_whole(model: ATFTGATFAN, batch: Batch, coupled: Config) -> None:
    """Bytes that the graph of one piece keeps, against those that it ever keeps at once in parts."""

    def kept(parts: int) -> int:
        most = held = 0

        def keep(tensor: Tensor) -> Tensor:
            nonlocal most, held
            size = tensor.untyped_storage().nbytes()
            held += size
            most = max(most, held)
            weakref.finalize(tensor, release, size)
            return tensor

        def release(size: int) -> None:
            nonlocal held
            held -= size

        with torch.autograd.graph.saved_tensors_hooks(lambda t: keep(t.detach()), lambda t: t):
            run(WHOLE, model, batch, coupled, parts=parts)
        return most

    assert kept(4) < 0.5 * kept(1)


def test_gradients_add_to_what_is_there(model: ATFTGATFAN, batch: Batch, coupled: Config) -> None:
    with open_pass(FAST) as by_rows:
        _, once = run(by_rows, model, batch, coupled)
        by_rows(model, batch, coupled, seed=5)
    for parameter, gradient in zip(model.parameters(), once, strict=True):
        if gradient is not None:
            torch.testing.assert_close(parameter.grad, 2.0 * gradient)


@pytest.mark.parametrize("runtime", [FAST, HALF])
def test_two_runs_with_dropout_have_the_same_masks(
    model: ATFTGATFAN, batch: Batch, coupled: Config, runtime: Runtime
) -> None:
    def repeated(seed: int) -> list[Tensor | None]:
        with open_pass(runtime) as by_rows:
            return run(by_rows, model, batch, coupled, seed)[1]

    first, again, other = repeated(1), repeated(1), repeated(2)
    pairs = [(a, b, c) for a, b, c in zip(first, again, other, strict=True) if a is not None]
    for a, b, _ in pairs:
        assert b is not None
        assert torch.equal(a, b) if not runtime.autocast else distance(a, b) < 0.02
    assert max(distance(a, c) for a, _, c in pairs if c is not None) > 0.5


def distance(a: Tensor, b: Tensor) -> float:
    """Of two gradients, as a share of the first."""
    return float((a - b).norm() / (a.norm() + 1e-12))


def test_gradients_in_bfloat16_point_where_those_in_float32_do(
    model: ATFTGATFAN, batch: Batch, coupled: Config
) -> None:
    """Losses within 1 %, the whole gradient within 3 degrees; parameters and gradients stay float32."""
    flat, losses = {}, {}
    for name, runtime in (("float32", FAST), ("bfloat16", HALF)):
        with open_pass(runtime) as by_rows:
            result, gradients = run(by_rows, model, batch, coupled)
        assert all(p.dtype == torch.float32 for p in model.parameters())
        assert all(g is None or g.dtype == torch.float32 for g in gradients)
        flat[name] = torch.cat([g.flatten() for g in gradients if g is not None])
        losses[name] = float(result.loss)
    assert losses["bfloat16"] == pytest.approx(losses["float32"], rel=0.01)
    assert not torch.equal(flat["bfloat16"], flat["float32"])
    assert float(torch.cosine_similarity(flat["bfloat16"], flat["float32"], dim=0)) > 0.9986


@given(st.integers(1, 5000), st.integers(1, 16))
def test_chunks_cover_every_row_once(n_rows: int, threads: int) -> None:
    chunks = StepPass(replace(FAST, threads=threads))._cut(n_rows)
    assert [row for chunk in chunks for row in range(n_rows)[chunk]] == list(range(n_rows))
    sizes = [chunk.stop - chunk.start for chunk in chunks]
    assert max(sizes) - min(sizes) <= 1
    assert max(sizes) <= passes._CHUNK_ROWS
    assert len(chunks) % min(threads, n_rows) == 0  # MIN_ROWS is 1 here


def test_what_fails_in_a_thread_is_raised_and_the_pass_goes_on(
    model: ATFTGATFAN, batch: Batch, coupled: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    class PlantedError(Exception):
        pass

    entered, read = [], model.read

    def broken(x_MTF: Tensor, mask_MT: Tensor, **precision: bool) -> object:
        entered.append(x_MTF.shape[0])
        if len(entered) == 2:
            raise PlantedError
        return read(x_MTF, mask_MT, **precision)

    with open_pass(FAST) as by_rows:
        monkeypatch.setattr(model, "read", broken)
        with pytest.raises(PlantedError):
            by_rows(model, batch, coupled, seed=5)
        assert sum(entered) == batch.day_ptr[-1]  # nothing is still running
        monkeypatch.undo()
        assert torch.isfinite(by_rows(model, batch, coupled, seed=5).loss)


def test_a_hundred_starts_and_stops_leave_no_thread(
    model: ATFTGATFAN, batch: Batch, coupled: Config
) -> None:
    before = set(threading.enumerate())  # other tests' threads may end meanwhile
    for number in range(100):
        with open_pass(FAST) as by_rows:
            assert by_rows.executor is not None
            if number % 20 == 0:
                by_rows(model, batch, coupled, seed=5)
            assert by_rows.executor.submit(torch.get_num_threads).result() == 1
            assert set(threading.enumerate()) - before
    assert not set(threading.enumerate()) - before


def test_one_thread_reads_the_same_chunks_one_after_the_other(
    model: ATFTGATFAN, batch: Batch, coupled: Config
) -> None:
    with open_pass(replace(FAST, mode="safe", threads=1)) as alone:
        assert alone.executor is None
        assert len(alone._cut(batch.day_ptr[-1])) > 1
        _, ours = run(alone, model, batch, coupled)
    _, expected = run(WHOLE, model, batch, coupled)
    for a, b in zip(ours, expected, strict=True):
        if a is not None and b is not None:
            torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)


def test_an_accelerator_and_small_days_go_in_one_piece(
    model: ATFTGATFAN, batch: Batch, coupled: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    n_rows = batch.day_ptr[-1]
    with open_pass(replace(FAST, device=torch.device("cuda"))) as one_piece:
        assert one_piece.executor is None
        assert one_piece._cut(n_rows) == [slice(0, n_rows)]
    monkeypatch.setattr(passes, "_MIN_ROWS", n_rows)
    monkeypatch.setattr(passes, "_CHUNK_ROWS", n_rows)
    with open_pass(FAST) as by_rows:
        assert by_rows._cut(n_rows) == [slice(0, n_rows)]
        assert torch.isfinite(by_rows(model, batch, coupled, seed=5).loss)
