"""Averages of the weights along a phase: what is validated and kept in place of the newest weights."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal, Self

import torch
from torch import Tensor, nn

from engine.config import TrainingConfig


@dataclass(slots=True, kw_only=True)
class WeightAverage:
    """``ema``: moving average with decay d, min(d, (1 + n) / (10 + n)) at its n-th step, so that the
    start does not weigh for ever. ``swa``: plain mean over the steps from a share of the phase on
    (Izmailov et al., UAI 2018, arXiv:1803.05407). ``none``: nothing.
    """

    kind: Literal["none", "ema", "swa"]
    decay: float
    start: float
    """swa: share of the phase's steps that must be behind."""
    count: int = 0
    mean: dict[str, Tensor] = field(default_factory=dict)

    @classmethod
    def of(cls, training: TrainingConfig) -> Self:
        """An average that has seen nothing yet."""
        return cls(kind=training.averaging, decay=training.ema_decay, start=training.swa_start)

    def update(self, model: nn.Module, share: float) -> None:
        """Take in the weights after a step; ``share`` of the phase's steps is done, 0..1."""
        if self.kind == "none" or (self.kind == "swa" and share < self.start):
            return
        self.count += 1
        keep = 1.0 - 1.0 / self.count
        if self.kind == "ema":
            keep = min(self.decay, (1.0 + self.count) / (10.0 + self.count))
        with torch.no_grad():
            for name, weight in model.named_parameters():
                if name in self.mean:
                    self.mean[name].lerp_(weight, 1.0 - keep)
                else:
                    self.mean[name] = weight.detach().clone()

    @contextmanager
    def applied(self, model: nn.Module) -> Iterator[None]:
        """Inside, the model has the averaged weights (its own while there are none yet)."""
        if not self.count:
            yield
            return
        own = {name: weight.detach().clone() for name, weight in model.named_parameters()}
        _copy(self.mean, model)
        try:
            yield
        finally:
            _copy(own, model)

    def restore(self, count: int, mean: Mapping[str, Tensor], model: nn.Module) -> None:
        """Put back the means that were saved, each of its weight's shape, on the devices of the weights."""
        self.count = count
        weights = dict(model.named_parameters())
        self.mean = {name: value.to(weights[name].device) for name, value in mean.items()}


def _copy(values: Mapping[str, Tensor], model: nn.Module) -> None:
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.copy_(values[name])
