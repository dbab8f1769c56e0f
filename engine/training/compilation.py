"""torch.compile for training steps: whether it pays, and what is compiled.

Forward and loss are one graph without a break; the LSTM is one operation of it. On the CPU it does not pay:
measured at 1,000 stocks, window 20, 110 features, 64 channels, 10 to 150 s of compilation won 5 % of a step
at most. It is never needed: where it fails, the step goes on eagerly and says so.
"""

from dataclasses import replace

import torch
from torch._dynamo.exc import TorchDynamoException

from engine.runs.events import Noted
from engine.runs.sink import EventSink
from engine.training.device import Runtime
from engine.training.passes import StepPass, forward_and_loss

_MIN_STEPS = 2_000
"""Optimiser steps from which the minutes of compilation come back on CUDA, at some 30 ms won per step."""

CompileError = TorchDynamoException
"""Tracing, code generation and a missing compiler alike."""


def _worth_compiling(runtime: Runtime, planned_steps: int) -> bool:
    """Whether so many optimiser steps win back the minutes of compilation."""
    return (
        runtime.ranks.size == 1
        and runtime.fast
        and runtime.device.type == "cuda"
        and planned_steps >= _MIN_STEPS
    )


def compiled(step_pass: StepPass, *, backend: str = "inductor") -> StepPass:
    """The same pass with forward and loss compiled, for any number of rows."""
    torch._dynamo.config.allow_rnn = True  # only its weights are read: `lstm_by_formula`
    form = torch.compile(forward_and_loss, fullgraph=True, dynamic=True, backend=backend)
    return replace(step_pass, forward_and_loss=form)


def compiled_where_it_pays(step_pass: StepPass, planned_steps: int, sink: EventSink) -> StepPass:
    """`compiled`, with a note, where it pays."""
    if not _worth_compiling(step_pass.runtime, planned_steps):
        return step_pass
    sink.emit(Noted(message="compiling the network: the first steps take longer"))
    return compiled(step_pass)
