"""One optimiser step on whole days: forward, loss, backward, clip, update. It never waits for the device.

With torch.compile forward and loss are one graph without a break; the LSTM is one operation of it. On the
CPU it does not pay: measured at 1,000 stocks, window 20, 110 features, 64 channels, 10 to 150 s of
compilation won 5 % of a step at most. It is never needed: where it fails, the step goes on eagerly and says
so.
"""

# Shape suffixes: N stocks of one date.
import datetime as dt
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from engine.config import Config
from engine.dataset.batch import Batch
from engine.dataset.windows import DevicePanel, sent
from engine.errors import EnvironmentProblem, GateError
from engine.model.atft_gat_fan import ATFTGATFAN
from engine.model.dropout import new_seed
from engine.runs.events import Noted
from engine.runs.sink import EventSink, NullSink
from engine.training.device import Runtime, is_out_of_memory
from engine.training.losses import ranks
from engine.training.optimizer import set_learning_rate
from engine.training.passes import PassResult, StepPass, forward_and_loss

_MOST_PARTS = 64
_MIN_NAMES = 10
"""Stocks of a day from which a RankIC is defined."""

_MIN_STEPS = 2_000
"""Optimiser steps from which the minutes of compilation come back on CUDA, at some 30 ms won per step."""


def _is_compile_error(error: Exception) -> bool:
    """Whether tracing, code generation or a missing compiler ended a step.

    Who compiles has loaded the compiler's errors; to load them for all others takes 1.3 s of the processor.
    """
    errors = sys.modules.get("torch._dynamo.exc")
    return errors is not None and isinstance(error, errors.TorchDynamoException)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFigures:
    """What one optimiser step showed."""

    loss: float
    terms: dict[str, float]
    """Unweighted values of the loss terms."""
    norm: dict[str, float]
    """Gradient norm per block before clipping; empty unless monitored."""
    alpha: dict[str, float]
    """Gates, 0..1. ``bypass`` is the share of the projected stream."""
    clipped: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """The same and more as scalars on the device; to read one is to wait for it."""

    loss: Tensor
    terms: dict[str, Tensor]
    norm: dict[str, Tensor]
    alpha: dict[str, Tensor]
    clipped: Tensor
    finite: Tensor
    """Whether loss and gradient were; the weights stayed as they were if not."""
    rank_ic: Tensor
    """RankIC of the step's first day, dropout on: enough for the gap between training and validation."""

    def read(self) -> StepFigures:
        """All at once, so that the host waits once."""
        tables = (self.terms, self.norm, self.alpha)
        scalars = [
            self.loss,
            self.clipped,
            *(value for table in tables for value in table.values()),
        ]
        loss, clipped, *values = torch.stack([s.detach().float() for s in scalars]).tolist()
        left = iter(values)
        terms, norm, alpha = ({name: next(left) for name in table} for table in tables)
        return StepFigures(loss=loss, terms=terms, norm=norm, alpha=alpha, clipped=bool(clipped))


@dataclass(slots=True, kw_only=True)
class Stepper:
    """Holds what every step needs; the learning rate comes with each call."""

    config: Config
    model: ATFTGATFAN
    runtime: Runtime
    optimizer: torch.optim.AdamW
    forward_backward: StepPass
    panel: DevicePanel | None = None
    """Gathers the inputs of batches that come without."""
    sink: EventSink = field(default_factory=NullSink)
    parts: int = 1
    """Into how many parts the rows of a step are cut; doubled when the device runs out of memory."""
    _unsettled: list[tuple[tuple[dt.date, ...], StepResult]] = field(default_factory=list)

    def __call__(self, batch: Batch, rate: float, *, monitor: bool) -> StepResult:
        """Update the weights by one step, unless loss or gradient is not finite: `settle` tells."""
        self.runtime.hold_threads()
        self.model.train()
        set_learning_rate(self.optimizer, rate)
        moved = sent(batch, self.runtime.device, self.panel)
        done = self._gradients(moved, new_seed())
        norms = gradient_norms(self.model.module_groups()) if monitor else {}
        clip = self.config.training.gradient_clip
        parameters = [p for p in self.model.parameters() if p.grad is not None]
        norm = torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
        torch.nn.utils.clip_grads_with_norm_(parameters, clip, norm)
        finite = torch.isfinite(norm) & torch.isfinite(done.loss)
        # The fused update looks at this, as it does for a gradient scaler, and leaves everything as it is.
        self.optimizer.found_inf = (~finite).float()  # type: ignore[attr-defined]
        self.optimizer.step()
        h = self.config.labels.horizons.index(self.config.training.score_horizon)
        first = slice(0, batch.day_ptr[1])
        result = StepResult(
            loss=done.loss,
            terms=done.terms,
            norm=norms,
            alpha={name: gate.detach() for name, gate in done.output.gates.items()},
            clipped=norm > clip,
            finite=finite,
            rank_ic=_rank_ic(done.output.score_MH[first, h], moved.y_MH[first, h]),
        )
        self._unsettled.append((batch.dates, result))
        return result

    def settle(self) -> list[float]:
        """Wait for the steps since the last call; the RankIC of each.

        Raises GateError, with the days, for the first of them whose loss or gradient was not finite.
        """
        steps, self._unsettled = self._unsettled, []
        if not steps:
            return []
        pairs = torch.stack([torch.stack([r.finite.double(), r.rank_ic]) for _, r in steps])
        for (dates, result), (finite, _) in zip(steps, pairs.tolist(), strict=True):
            if not finite:
                days = ", ".join(map(str, dates))
                raise GateError(
                    f"loss {float(result.loss)} or its gradient is not finite (days {days})",
                    hint="lower training.learning_rate; `train --resume` goes on from the last checkpoint",
                )
        return [rank_ic for _, rank_ic in pairs.tolist()]

    def _gradients(self, batch: Batch, seed: int) -> PassResult:
        """Eagerly if it does not compile, in parts if the device's memory does not hold the whole."""
        while True:
            self.optimizer.zero_grad(set_to_none=True)
            try:
                return self.forward_backward(
                    self.model, batch, self.config, seed=seed, parts=self.parts
                )
            except RuntimeError as error:
                if _is_compile_error(error):
                    reason = str(error).strip().partition("\n")[0]
                    self.sink.emit(
                        Noted(message=f"torch.compile failed, going on without it: {reason}")
                    )
                    self.forward_backward = self.forward_backward.eager()
                elif not is_out_of_memory(error):
                    raise
                elif self.parts >= _MOST_PARTS:
                    raise EnvironmentProblem(
                        f"out of memory, even with the rows of a step in {self.parts} parts",
                        hint="lower training.days_per_step, model.hidden or the number of stocks",
                    ) from error
                else:
                    self.parts *= 2
            # Here the failed attempt is gone, and with its error every tensor that it had made.
            self.runtime.release()


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
    torch._dynamo.config.allow_rnn = True  # only its weights are read, see `engine.model.temporal`
    form = torch.compile(forward_and_loss, fullgraph=True, dynamic=True, backend=backend)
    return replace(step_pass, forward_and_loss=form)


def compiled_where_it_pays(step_pass: StepPass, planned_steps: int, sink: EventSink) -> StepPass:
    """`compiled`, with a note, where it pays."""
    if not _worth_compiling(step_pass.runtime, planned_steps):
        return step_pass
    sink.emit(Noted(message="compiling the network: the first steps take longer"))
    return compiled(step_pass)


def gradient_norms(groups: Mapping[str, nn.Module]) -> dict[str, Tensor]:
    """L2 norm of each block's gradient, before clipping. Blocks without any gradient are left out."""
    norms: dict[str, Tensor] = {}
    for name, module in groups.items():
        parts = [p.grad.detach() for p in module.parameters() if p.grad is not None]
        if parts:
            norms[name] = torch.nn.utils.get_total_norm(parts)
    return norms


def _rank_ic(score_N: Tensor, return_N: Tensor) -> Tensor:
    """Spearman correlation of score ``[N]`` and forward return ``[N]`` of one date, in [-1, 1]; no gradient.

    Ties share their mean rank. Stocks with a NaN return are left out; fewer than 10 left give NaN. Nothing
    waits for the device.
    """
    pair_N2 = torch.stack([score_N.detach(), return_N], dim=1).double()
    is_known_N1 = (~pair_N2.isnan().any(dim=1, keepdim=True)).double()
    rank_N2, count = ranks(pair_N2, is_known_N1), is_known_N1.sum()
    centred_N2 = (rank_N2 - (rank_N2 * is_known_N1).sum(dim=0) / count) * is_known_N1
    square_22 = centred_N2.T @ centred_N2
    value = square_22[0, 1] / (square_22[0, 0] * square_22[1, 1]).sqrt()
    return torch.where(count >= _MIN_NAMES, value, torch.nan)
