"""Compiled blocks: the same numbers, only inside a step, and no run that ends for want of a compiler."""

import shutil
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from engine.dataset.batch import Batch, make_batch
from engine.model.atft_gat_fan import ATFTGATFAN
from engine.model.build import build_model
from engine.model.dropout import Dropout
from engine.runs.events import Noted
from engine.runs.sink import ListSink
from engine.training.compilation import BLOCKS, MIN_STEPS, CompiledBlocks, worth_compiling
from engine.training.device import Runtime
from engine.training.losses import combined_loss
from engine.training.optimizer import build_optimizer
from engine.training.passes import WholePass
from engine.training.step import Stepper
from tests.conftest import World

CPU = Runtime(device=torch.device("cpu"), mode="optimized", autocast=False, threads=1)


@pytest.fixture
def model(world: World) -> ATFTGATFAN:
    torch.manual_seed(0)
    return build_model(world.config, len(world.features.features))


def day(world: World, position: int) -> Batch:
    sessions = (int(world.split.train[position]),)
    return make_batch(world.features, world.graphs, sessions, world.config.split.window)


def stepper(world: World, model: ATFTGATFAN, sink: ListSink, backend: Any) -> Stepper:
    return Stepper(
        config=world.config,
        features=world.features,
        graphs=world.graphs,
        model=model,
        runtime=CPU,
        optimizer=build_optimizer(model, learning_rate=1e-3, weight_decay=0.0),
        forward_backward=WholePass(CPU),
        compiled=CompiledBlocks(model, backend=backend) if backend else None,
        sink=sink,
    )


def test_only_long_runs_on_cuda_compile() -> None:
    gpu = Runtime(device=torch.device("cuda"), mode="optimized", autocast=True, threads=1)
    safe = Runtime(device=torch.device("cuda"), mode="safe", autocast=False, threads=1)
    assert worth_compiling(gpu, MIN_STEPS)
    assert not worth_compiling(gpu, MIN_STEPS - 1)
    assert not worth_compiling(safe, 10**9)
    assert not worth_compiling(CPU, 10**9)


def test_what_does_not_compile_runs_eagerly_and_says_so(world: World, model: ATFTGATFAN) -> None:
    def broken(graph: Any, inputs: Any) -> Any:
        raise OSError("no C++ compiler")

    results = {}
    for name, backend in (("eager", None), ("broken", broken)):
        torch.manual_seed(0)
        twin = build_model(world.config, len(world.features.features))
        sink = ListSink()
        step = stepper(world, twin, sink, backend)
        results[name] = [step(day(world, 3), 1e-3, halves=False, monitor=False).loss]
        results[name] += [float(p.detach().sum()) for p in twin.parameters()]
        notes = [event.message for event in sink.events if isinstance(event, Noted)]
        assert len(notes) == (name == "broken")
        assert all("torch.compile failed" in note for note in notes)
        assert step.compiled is None
    # The failed attempt may have drawn dropout masks: finite and close, not equal.
    assert results["broken"] == pytest.approx(results["eager"], rel=0.2, abs=0.2)


def test_blocks_are_compiled_inside_a_step_only(model: ATFTGATFAN) -> None:
    names = list(model.state_dict())
    compiled = CompiledBlocks(model, backend="eager")
    with compiled.active():
        assert all(model.get_submodule(name)._compiled_call_impl is not None for name in BLOCKS)
    assert all(model.get_submodule(name)._compiled_call_impl is None for name in BLOCKS)
    assert list(model.state_dict()) == names


@pytest.mark.slow
@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_compiled_equals_eager_for_days_of_any_size(
    world: World, model: ATFTGATFAN, block: str
) -> None:
    for module in model.modules():
        if isinstance(module, (nn.Dropout, Dropout)):
            module.p = 0.0
    model.train()
    compiled = CompiledBlocks(model, (block,))

    def evaluate(batch: Batch) -> list[Tensor]:
        model.zero_grad()
        output = model(batch)
        loss, _ = combined_loss(output, batch, world.config.loss, world.config.model.quantiles)
        loss.backward()  # type: ignore[no-untyped-call]
        grads = [p.grad.clone() for p in model.parameters() if p.grad is not None]
        return [output.score_MH.detach(), *grads]

    for position in (3, 40, 90):
        eager = evaluate(day(world, position))
        with compiled.active():
            fast = evaluate(day(world, position))
        assert len(eager) == len(fast)
        for a, b in zip(fast, eager, strict=True):
            torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_compiled_bf16_step_on_cuda_is_near_the_eager_one(world: World) -> None:
    losses = []
    for fast in (False, True):
        torch.manual_seed(0)
        model = build_model(world.config, len(world.features.features)).to("cuda")
        runtime = Runtime(device=torch.device("cuda"), mode="optimized", autocast=fast, threads=1)
        step = Stepper(
            config=world.config, features=world.features, graphs=world.graphs, model=model,
            runtime=runtime, forward_backward=WholePass(runtime),
            optimizer=build_optimizer(model, learning_rate=1e-3, weight_decay=0.0),
            compiled=CompiledBlocks(model) if fast else None,
        )  # fmt: skip
        batch = day(world, 3).pin() if fast else day(world, 3)
        losses.append(step(batch, 1e-3, halves=False, monitor=False).loss)
    assert losses[1] == pytest.approx(losses[0], rel=0.1)
