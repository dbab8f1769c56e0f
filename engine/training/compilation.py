"""torch.compile for training steps: which blocks, whether it pays, and what happens where it cannot.

On the CPU it does not pay. Measured at 1,000 stocks, window 20, 110 features, 64 channels: no gain for the
GAT and the attention, 5 % of the step for the gated residual network, 10 to 150 s of compilation each; the
whole network compiled was slower than eager, because generated code draws dropout masks value by value.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch._dynamo.exc import TorchDynamoException

from engine.runs.events import Noted
from engine.runs.sink import EventSink
from engine.training.device import Runtime

BLOCKS = ("fan", "san", "selection", "temporal", "attention", "gat")
MIN_STEPS = 2_000
"""Optimiser steps from which the minutes of compilation come back on CUDA, at some 30 ms won per step."""

CompileError = TorchDynamoException
"""Tracing, code generation and a missing compiler alike."""


def worth_compiling(runtime: Runtime, planned_steps: int) -> bool:
    """Whether so many optimiser steps win back the minutes of compilation."""
    return runtime.fast and runtime.device.type == "cuda" and planned_steps >= MIN_STEPS


def compiled_blocks(
    model: nn.Module, runtime: Runtime, planned_steps: int, sink: EventSink
) -> "CompiledBlocks | None":
    """The network's compiled blocks where they pay, with a note; else None."""
    if not worth_compiling(runtime, planned_steps):
        return None
    sink.emit(Noted(message="compiling the network: the first steps take longer"))
    return CompiledBlocks(model)


class CompiledBlocks:
    """The blocks of a network, each with a compiled form that is used inside `active`.

    Outside (scoring, start-up assertions) the same modules run eagerly, so a score never depends on the
    compiler; parameters and their names, hence checkpoints, are the same in both. The number of rows is
    symbolic: days of different size do not compile anew.
    """

    def __init__(
        self, model: nn.Module, names: tuple[str, ...] = BLOCKS, *, backend: str | Any = "inductor"
    ) -> None:
        modules = (model.get_submodule(name) for name in names if hasattr(model, name))
        self._forms: list[tuple[nn.Module, Callable[..., Any]]] = [
            (module, torch.compile(module._call_impl, dynamic=True, backend=backend))
            for module in modules
        ]

    @contextmanager
    def active(self) -> Iterator[None]:
        """Inside, the blocks run in their compiled form."""
        try:
            for module, form in self._forms:
                module._compiled_call_impl = form
            yield
        finally:
            for module, _ in self._forms:
                module._compiled_call_impl = None
