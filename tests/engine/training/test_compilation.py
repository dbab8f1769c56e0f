"""Compiled steps: the same numbers, one graph without a break; no run ends for want of a compiler."""

import re
import shutil
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch._dynamo.exc import TorchDynamoException
from torch._inductor.utils import run_and_get_code

from benchmarks.speed_case import Case, random_batch
from engine.dataset.batch import Batch, make_batch
from engine.model.atft_gat_fan import ATFTGATFAN, build_model
from engine.model.dropout import Dropout
from engine.model.temporal import _lstm_by_formula, _WindowLSTM
from engine.runs.events import Noted
from engine.runs.sink import ListSink
from engine.training.device import Runtime
from engine.training.optimizer import build_optimizer
from engine.training.passes import PassResult, StepPass
from engine.training.step import (
    _MIN_STEPS,
    Stepper,
    _worth_compiling,
    compiled,
    compiled_where_it_pays,
)
from tests.conftest import World
from tests.engine.training.fake_accelerator import Counted

CPU = Runtime(device=torch.device("cpu"), mode="optimized", autocast=False, threads=1)


@pytest.fixture
def model(world: World) -> ATFTGATFAN:
    torch.manual_seed(0)
    return build_model(world.config, len(world.features.features))


def day(world: World, position: int) -> Batch:
    sessions = (int(world.split.train[position]),)
    return make_batch(world.features, world.graphs, sessions, world.config.split.window)


def stepper(world: World, model: ATFTGATFAN, forward_backward: StepPass, sink: ListSink) -> Stepper:
    return Stepper(
        config=world.config,
        model=model,
        runtime=forward_backward.runtime,
        optimizer=build_optimizer(model, learning_rate=1e-3, weight_decay=0.0),
        forward_backward=forward_backward,
        sink=sink,
    )


def test_only_long_runs_on_cuda_compile() -> None:
    gpu = Runtime(device=torch.device("cuda"), mode="optimized", autocast=True, threads=1)
    safe = Runtime(device=torch.device("cuda"), mode="safe", autocast=False, threads=1)
    assert _worth_compiling(gpu, _MIN_STEPS)
    assert not _worth_compiling(gpu, _MIN_STEPS - 1)
    assert not _worth_compiling(safe, 10**9)
    assert not _worth_compiling(CPU, 10**9)


def test_what_does_not_compile_runs_eagerly_and_says_so(world: World) -> None:
    def broken(*_: object) -> None:
        raise TorchDynamoException("no C++ compiler")

    results = {}
    for name in ("eager", "broken"):
        torch.manual_seed(0)
        twin, sink, one = (
            build_model(world.config, len(world.features.features)),
            ListSink(),
            StepPass(CPU),
        )
        pass_ = one if name == "eager" else replace(one, forward_and_loss=broken)  # type: ignore[arg-type]
        step = stepper(world, twin, pass_, sink)
        results[name] = [float(step(day(world, 3), 1e-3, monitor=False).loss)]
        results[name] += [float(p.detach().sum()) for p in twin.parameters()]
        notes = [event.message for event in sink.events if isinstance(event, Noted)]
        assert len(notes) == (name == "broken")
        assert all("torch.compile failed" in note for note in notes)
        assert step.forward_backward == one
    assert results["broken"] == results["eager"]


def test_a_long_run_on_cuda_says_that_it_compiles() -> None:
    gpu = StepPass(replace(CPU, device=torch.device("cuda")))
    sink = ListSink()
    assert compiled_where_it_pays(gpu, _MIN_STEPS - 1, sink) is gpu
    assert sink.events == []
    assert compiled_where_it_pays(gpu, _MIN_STEPS, sink).forward_and_loss != gpu.forward_and_loss
    assert len(sink.events) == 1


def test_the_lstm_by_its_formula_is_the_lstm() -> None:
    torch.manual_seed(0)
    layer, x = _WindowLSTM(4, 6), torch.randn(7, 5, 4, requires_grad=True)
    ours, theirs = _lstm_by_formula(layer, x), layer(x)
    torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-5)
    inputs = [x, *layer.parameters()]
    for a, b in zip(
        torch.autograd.grad(ours.sin().sum(), inputs),
        torch.autograd.grad(theirs.sin().sum(), inputs),
        strict=True,
    ):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


def gradients(world: World, model: ATFTGATFAN, one: StepPass, batch: Batch) -> list[Tensor]:
    model.zero_grad()
    done = one(model, batch, world.config, seed=1)
    found = [p.grad.clone() for p in model.parameters() if p.grad is not None]
    return [done.loss, done.output.score_MH.detach(), *found]


def same_compiled(world: World, model: ATFTGATFAN, backend: str) -> None:
    """Forward and loss in one graph (or it would be an error), for days of any size."""
    for module in model.modules():
        if isinstance(module, (nn.Dropout, Dropout)):
            module.p = 0.0
    whole = StepPass(CPU)
    fast = compiled(whole, backend=backend)
    for position in (3, 90):
        eager = gradients(world, model, whole, day(world, position))
        mine = gradients(world, model, fast, day(world, position))
        for a, b in zip(mine, eager, strict=True):
            if backend == "eager":
                torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)
            # Rounding may keep another of two equal frequencies of a stock, or pass a kink of a slope: on
            # one processor two stocks of 48 had scores 1e-4 away, and the gate of `fan` a slope 1e-5 away.
            assert float((a - b).norm()) <= 1e-3 * float(b.norm()) + 5e-5


def test_forward_and_loss_are_one_graph_with_the_same_numbers(
    world: World, model: ATFTGATFAN
) -> None:
    same_compiled(world, model, "eager")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_generated_code_gives_the_same_numbers(world: World, model: ATFTGATFAN) -> None:
    same_compiled(world, model, "inductor")


_CALLS = re.compile(r"^ +(?:extern_kernels\.\w+|cpp_fused\w*|torch\.ops\.[\w.]+)\(", re.MULTILINE)
"""A product of a library, a loop that was generated, an operation that is neither."""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_a_compiled_step_of_four_days_sends_less_than_500_kernels() -> None:
    """Preset `base`: forward, loss and backward as generated (for the CPU; for CUDA the same fusions by
    Triton), the LSTM by its formula; clipping, update and figures eagerly, as they are always.
    """
    case = Case(stocks=24, days=4, window=20, features=6, hidden=16, degree=3)
    config = case.config()
    model, batch = build_model(config, case.features).train(), random_batch(case, config)
    fast = compiled(StepPass(CPU))
    done, codes = run_and_get_code(lambda: fast(model, batch, config, seed=1))
    generated = sum(len(_CALLS.findall(code)) for code in codes)
    gradients = {p: p.grad for p in model.parameters() if p.grad is not None}

    def given(*_: object, **__: object) -> PassResult:
        for parameter, gradient in gradients.items():
            parameter.grad = gradient
        return done

    step = Stepper(
        config=config,
        model=model,
        runtime=CPU,
        optimizer=build_optimizer(model, learning_rate=1e-3, weight_decay=0.0),
        forward_backward=given,  # type: ignore[arg-type]
    )
    step(batch, 1e-3, monitor=False)
    with Counted() as rest:
        step(batch, 1e-3, monitor=False)
    assert len(codes) == 2, "forward and backward, each without a break"
    assert 100 < generated + rest.kernels.total() < 500


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_compiled_bf16_step_on_cuda_is_near_the_eager_one(world: World) -> None:
    losses = []
    for fast in (False, True):
        torch.manual_seed(0)
        model = build_model(world.config, len(world.features.features)).to("cuda")
        runtime = Runtime(device=torch.device("cuda"), mode="optimized", autocast=fast, threads=1)
        one = compiled(StepPass(runtime)) if fast else StepPass(runtime)
        batch = day(world, 3).pin() if fast else day(world, 3)
        step = stepper(world, model, one, ListSink())
        losses.append(float(step(batch, 1e-3, monitor=False).loss))
    assert losses[1] == pytest.approx(losses[0], rel=0.1)
