"""Training on a make-believe accelerator: `python -m tests.engine.training.fake_accelerator CASES`.

The device has no memory and computes nothing; shapes, types and devices are propagated as on a real one,
so a tensor that stayed on the CPU is an error here as it would be on CUDA, and to read a value, for which a
host would wait, is one too. Operations are counted as they are sent to the device. Registering the device
changes torch for the whole process, hence a process of its own. Prints as JSON, for each case, what it
counted or the error that ended it.
"""

import json
import sys
import traceback
import types
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

from benchmarks.speed_case import Case, random_batch
from engine.config import Config
from engine.dataset.batch import _TENSORS, Batch
from engine.dataset.windows import DevicePanel
from engine.model import dropout
from engine.model.atft_gat_fan import ATFTGATFAN, build_model
from engine.training import passes
from engine.training import step as steps
from engine.training.device import Runtime
from engine.training.optimizer import build_optimizer
from engine.training.passes import StepPass
from engine.training.step import Stepper

DEVICE, _AUTOCAST = "fakegpu", "AutocastPrivateUse1"
_LIBRARIES: list[torch.library.Library] = []
"""What is registered lasts as long as these do."""
CASE = Case(stocks=24, days=4, window=8, features=6, hidden=16, degree=3)
_NOT_SENT = {
    "empty",
    "empty_like",
    "new_empty",
    "empty_strided",
    "detach",
    "lift_fresh",
    "_unsafe_view",
}
"""Make memory or name it: nothing is launched."""


def register() -> None:
    module = types.ModuleType(f"torch.{DEVICE}")
    values = {
        "is_available": lambda: True,
        "device_count": lambda: 1,
        "current_device": lambda: 0,
        "is_initialized": lambda: True,
        "_is_in_bad_fork": lambda: False,
        "manual_seed_all": lambda seed: None,
        "get_amp_supported_dtype": lambda: [torch.bfloat16, torch.float16],
    }
    for name, value in values.items():
        setattr(module, name, value)
    _setup_privateuseone_for_python_backend(DEVICE, module)
    library: Any = torch.library.Library
    everything, products = library("_", "IMPL"), library("aten", "IMPL")
    everything.fallback(torch.library.fallthrough_kernel, _AUTOCAST)
    for name in ("linear", "matmul", "mm", "bmm", "addmm"):
        products.impl(name, _lower(getattr(torch.ops.aten, name)), _AUTOCAST)
    _LIBRARIES.extend([everything, products])


def _lower(product: Any) -> Callable[..., Tensor]:
    """Autocast of a product as CUDA has it: the factors in bfloat16."""

    def run(*args: Any) -> Tensor:
        keys = torch._C.DispatchKeySet(getattr(torch._C.DispatchKey, _AUTOCAST))
        with torch._C._ExcludeDispatchKeyGuard(keys):
            out: Tensor = product(*(a.bfloat16() if isinstance(a, Tensor) else a for a in args))
            return out

    return run


class Counted(TorchDispatchMode):
    """Counts what is sent to the device."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.kernels: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func._schema.name.removeprefix("aten::")
        if not func.is_view and name not in _NOT_SENT and not name.startswith("prim::"):
            self.kernels[name] += 1
        return func(*args, **(kwargs or {}))


class OneLSTM(torch.autograd.Function):
    """Stands for cuDNN's, which is one operation each way; the fake device would take it apart."""

    @staticmethod
    def forward(ctx: Any, x_MTC: Tensor, *weights: Tensor) -> Tensor:
        ctx.save_for_backward(x_MTC, *weights)
        return torch.relu(x_MTC[..., :1].expand(*x_MTC.shape[:2], weights[1].shape[1]))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, ...]:
        first, *weights = (torch.empty_like(kept) for kept in ctx.saved_tensors)
        return (first, *weights) if grad.sum() is not None else ()


def move(model: nn.Module, mode: FakeTensorMode) -> None:
    """What ``model.to(device)`` does: parameters and buffers, and nothing else."""
    for module in model.modules():
        for name, parameter in module._parameters.items():
            if parameter is not None:
                moved = mode.from_tensor(parameter.detach()).to(DEVICE)
                module._parameters[name] = nn.Parameter(moved)
        for name, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[name] = mode.from_tensor(buffer).to(DEVICE)
        if isinstance(module, nn.LSTM):
            module.forward = _lstm_of(module)  # type: ignore[assignment,method-assign]


def _lstm_of(layer: nn.LSTM) -> Callable[[Tensor], Tensor]:
    def forward(x_MTC: Tensor) -> Tensor:
        out: Tensor = OneLSTM.apply(x_MTC, *layer.parameters())  # type: ignore[no-untyped-call]
        return out

    return forward


class NoSeed(dropout.StepMasks):
    """The fake device has no generator; what is sent to a real one is the same."""

    def _draw(self, call: int, like: Tensor) -> Tensor:
        words = torch.empty(
            -(-self.n_rows * like.shape[-1] // 4), dtype=torch.int64, device=like.device
        )
        return (
            words.random_().view(torch.int16)[: self.n_rows * like.shape[-1]].view(self.n_rows, -1)
        )


@contextmanager
def on_device(config: Config) -> Iterator[tuple[ATFTGATFAN, Batch]]:
    """A network that lives on the device and a batch that does not yet."""
    torch.utils._foreach_utils._foreach_supported_types.append(FakeTensor)
    passes.StepMasks = NoSeed  # type: ignore[attr-defined]
    steps.new_seed = lambda: 1  # type: ignore[attr-defined] # drawn on the host, where it is a number at once
    model, batch = build_model(config, CASE.features), random_batch(CASE, config)
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        move(model, mode)
        fields: dict[str, Any] = {name: mode.from_tensor(getattr(batch, name)) for name in _TENSORS}
        yield model, replace(batch, **fields)


def stepper_of(config: Config, model: ATFTGATFAN, *, half: bool) -> Stepper:
    runtime = Runtime(device=torch.device(DEVICE), mode="optimized", autocast=half, threads=1)
    return Stepper(
        config=config,
        model=model,
        runtime=runtime,
        forward_backward=StepPass(runtime),
        optimizer=build_optimizer(model, learning_rate=1e-3, weight_decay=0.01),
    )


def on_the_device(tensors: Iterable[Tensor]) -> None:
    away = {str(tensor.device) for tensor in tensors} - {f"{DEVICE}:0", DEVICE}
    assert not away, f"left behind on another device: {away}"


def step(case: str) -> dict[str, object]:
    """One step after the first, which makes the optimiser's state: what was sent, and that all is there."""
    config = CASE.config()
    with on_device(config) as (model, batch):
        stepper = stepper_of(config, model, half=case == "bf16")
        if case == "attribute":
            offset = torch.zeros(config.model.hidden)
            model.embedding.register_forward_hook(lambda module, given, out: out + offset)
        if case == "panel":
            stepper.panel, batch = inputs_on_the_device(batch)
        stepper(batch, 1e-3, monitor=False)
        if case == "parts":
            model.gat.register_forward_pre_hook(_once(torch.OutOfMemoryError("out of memory")))
        if case == "wait":
            model.embedding.register_forward_hook(lambda module, given, out: out * float(out.sum()))
        with Counted() as counted:
            result = stepper(batch, 1e-3, monitor=case == "monitor")
    on_the_device(p.grad for p in model.parameters() if p.grad is not None)
    tables = (result.terms, result.norm, result.alpha)
    on_the_device(
        [result.loss, result.finite, result.rank_ic, *(v for t in tables for v in t.values())]
    )
    assert result.loss.dtype == torch.float32
    return {"parts": stepper.parts, "kernels": counted.kernels.total()}


def inputs_on_the_device(batch: Batch) -> tuple[DevicePanel, Batch]:
    """The panel that holds the inputs, in half precision, and the batch without them."""
    x_SNF = torch.zeros(CASE.window + 2, CASE.stocks, CASE.features, dtype=torch.float16)
    mode = batch.x_MTF.fake_mode  # type: ignore[attr-defined]
    tables = x_SNF, x_SNF[..., 0] == 0, torch.zeros(batch.day_ptr[-1], dtype=torch.int64)
    x_SNF, is_member_SN, first_M = (mode.from_tensor(table) for table in tables)
    panel = DevicePanel(x_SNF.to(DEVICE), is_member_SN.to(DEVICE), CASE.window)
    bare = replace(batch, x_MTF=batch.x_MTF[:, :0], mask_MT=batch.mask_MT[:, :0], first_M=first_M)
    return panel, bare


def _once(error: Exception) -> Callable[..., None]:
    left = [error]

    def fail(module: nn.Module, given: Any) -> None:
        if left:
            raise left.pop()

    return fail


def score() -> dict[str, object]:
    """Reading and ranking in eval mode, as validation and inference do it."""
    with on_device(CASE.config()) as (model, batch), torch.inference_mode(), Counted() as counted:
        output = model.eval()(batch.to(DEVICE))
    assert output.attention is not None
    on_the_device([output.score_MH, output.selection_F, output.attention.entropy])
    assert output.score_MH.dtype == torch.float32
    return {"kernels": counted.kernels.total()}


def told(case: str) -> dict[str, object]:
    try:
        return score() if case == "score" else step(case)
    except (RuntimeError, AssertionError):  # torch's and ours: some cases are there to fail
        return {"error": traceback.format_exc()}


if __name__ == "__main__":
    register()
    sys.stdout.write(json.dumps({case: told(case) for case in sys.argv[1:]}) + "\n")
