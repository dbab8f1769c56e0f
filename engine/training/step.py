"""One optimiser step on whole days: forward, loss, backward, clip, update."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

import torch
from torch import Tensor

from engine.config import Config
from engine.dataset.batch import Batch, make_batch
from engine.errors import GateError
from engine.features.feature_set import FeatureSet
from engine.graph.graph import GraphSeries
from engine.model.atft_gat_fan import ATFTGATFAN
from engine.runs.events import Noted
from engine.runs.sink import EventSink, NullSink
from engine.training import probes
from engine.training.compilation import CompiledBlocks, CompileError
from engine.training.device import Runtime, is_out_of_memory
from engine.training.optimizer import set_learning_rate
from engine.training.passes import Pass


@dataclass(slots=True, kw_only=True)
class StepResult:
    """What one optimiser step showed."""

    loss: float = 0.0
    terms: dict[str, float] = field(default_factory=dict)
    """Unweighted values of the loss terms."""
    rank_ic: float = float("nan")
    """RankIC of the step's first day, dropout on: enough for the gap between training and validation."""
    norm: dict[str, float] = field(default_factory=dict)
    """Gradient norm per block before clipping; empty unless monitored."""
    alpha: dict[str, float] = field(default_factory=dict)
    clipped: bool = False
    halved: bool = False
    """The device ran out of memory and the days went through in two halves."""


@dataclass(slots=True, kw_only=True)
class Stepper:
    """Holds what every step needs; the learning rate and the micro-batches come with each call."""

    config: Config
    features: FeatureSet
    graphs: GraphSeries | None
    model: ATFTGATFAN
    runtime: Runtime
    optimizer: torch.optim.AdamW
    forward_backward: Pass
    compiled: CompiledBlocks | None = None
    """Used by the pass; given up, with a note, where it does not compile."""
    sink: EventSink = field(default_factory=NullSink)

    def __call__(self, batch: Batch, rate: float, *, halves: bool, monitor: bool) -> StepResult:
        """Update the weights by one step. ``halves``: the days go through the network in two parts.

        Raises GateError, before the update, when loss or gradient is not finite.
        """
        self.runtime.hold_threads()
        self.model.train()
        set_learning_rate(self.optimizer, rate)
        result = self._attempt(batch, halves=halves)
        if monitor:
            result.norm = probes.gradient_norms(self.model.module_groups())
        clip = self.config.training.gradient_clip
        norm = float(torch.nn.utils.clip_grad_norm_(self.model.parameters(), clip))
        result.clipped = norm > clip
        if not (torch.isfinite(torch.tensor([norm, result.loss]))).all():
            days = ", ".join(str(date) for date in batch.dates)
            raise GateError(
                f"loss {result.loss} or gradient norm {norm} is not finite (days {days})",
                hint="lower training.learning_rate; `train --resume` goes on from the last checkpoint",
            )
        self.optimizer.step()
        return result

    def _attempt(self, batch: Batch, *, halves: bool) -> StepResult:
        """Eagerly if it does not compile, in halves if the device's memory does not hold the whole."""
        try:
            return self._gradients(batch, halves=halves)
        except CompileError as error:
            self.compiled = None
            reason = str(error).strip().partition("\n")[0]
            self.sink.emit(Noted(message=f"torch.compile failed, going on without it: {reason}"))
            return self._attempt(batch, halves=halves)
        except RuntimeError as error:
            if halves or len(batch.sessions) < 2 or not is_out_of_memory(error):
                raise
            result = self._gradients(batch, halves=True)
            result.halved = True
            return result

    def _compiled(self) -> AbstractContextManager[None]:
        return self.compiled.active() if self.compiled else nullcontext()

    def _gradients(self, batch: Batch, *, halves: bool) -> StepResult:
        self.optimizer.zero_grad(set_to_none=True)
        result = StepResult()
        for part in self._parts(batch, halves=halves):
            share = len(part.sessions) / len(batch.sessions)
            moved = part.to(self.runtime.device)
            with self._compiled():
                done = self.forward_backward(self.model, moved, self.config, share)
            result.loss += float(done.loss) * share
            for name, value in done.terms.items():
                result.terms[name] = result.terms.get(name, 0.0) + float(value) * share
        result.alpha = probes.gate_shares(done.output.gates)
        result.rank_ic = self._rank_ic(part, done.output.score_MH)
        return result

    def _parts(self, batch: Batch, *, halves: bool) -> Iterator[Batch]:
        if not halves or len(batch.sessions) < 2:
            yield batch
            return
        middle = len(batch.sessions) // 2
        for sessions in (batch.sessions[:middle], batch.sessions[middle:]):
            yield make_batch(self.features, self.graphs, sessions, self.config.split.window)

    def _rank_ic(self, batch: Batch, score_MH: Tensor) -> float:
        h = self.config.labels.horizons.index(self.config.training.score_horizon)
        stop = batch.day_ptr[1]
        score_N = score_MH[:stop, h].detach().float().cpu()
        return float(probes.rank_ic(score_N, batch.y_MH[:stop, h].cpu()))
