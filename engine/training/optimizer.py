"""AdamW parameter groups, the one-cycle learning rate as a pure function of the step, and averages of the
weights along a phase: what is validated and kept in place of the newest weights.
"""

import math
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal, Protocol, Self

import torch
from torch import Tensor, nn

from engine.config import TrainingConfig

_WARM_UP_SHARE = 0.3
_SCALE = "scale"
"""Key of a parameter group: its factor on the step's learning rate."""
_START_DIVISOR, _END_DIVISOR = 25.0, 1e4
"""Peak over first, and first over last learning rate, as in Smith & Topin (arXiv:1708.07120)."""


def one_cycle(step: int, total: int, peak: float) -> float:
    """Learning rate of ``step`` (0-based) out of ``total``: cosine up to ``peak``, cosine down."""
    first = peak / _START_DIVISOR
    last = first / _END_DIVISOR
    top = max(1.0, _WARM_UP_SHARE * total) - 1.0
    if step <= top:
        return _cosine(first, peak, step / top if top > 0 else 1.0)
    return _cosine(peak, last, min(1.0, (step - top) / max(1.0, total - 1.0 - top)))


def _cosine(start: float, stop: float, share: float) -> float:
    return stop + (start - stop) * (1.0 + math.cos(math.pi * share)) / 2.0


class _Blocks(Protocol):
    """What the optimiser needs of a network: its modules by block name."""

    def module_groups(self) -> dict[str, nn.Module]:
        """Name of each block, and its modules."""


def set_trainable(
    model: _Blocks, blocks: Collection[str], frozen: Collection[str]
) -> dict[str, int]:
    """Give gradient to the blocks that are on and not frozen (heads always); parameters per block."""
    trainable: dict[str, int] = {}
    for name, module in model.module_groups().items():
        on = name == "heads" or (name in blocks and name not in frozen)
        for parameter in module.parameters():
            parameter.requires_grad_(on)
        if on:
            trainable[name] = sum(parameter.numel() for parameter in module.parameters())
    return trainable


def build_optimizer(
    model: _Blocks,
    *,
    learning_rate: float,
    weight_decay: float,
    gate_scale: float = 1.0,
    trained: Collection[str] = (),
    trained_scale: float = 1.0,
) -> torch.optim.AdamW:
    """AdamW over the trainable parameters; vectors and scalars (biases, norms, gates) do not decay.

    Blocks named in ``trained`` (weights that an earlier phase found) move at ``trained_scale`` times the
    learning rate, so that a new block settles in before it disturbs them. Gates, which are the scalars,
    move at ``gate_scale`` times the rate: Adam moves a number by its rate at most, whatever its gradient, and
    the logit of a gate has to go a long way. One kernel makes the whole update.
    """
    groups = []
    old, new = _by_age(model, trained)
    for parameters, scale in ((new, 1.0), (old, trained_scale)):
        for ndims, decay, rate in (
            ((2, 3), weight_decay, scale),
            ((1,), 0.0, scale),
            ((0,), 0.0, scale * gate_scale),
        ):
            chosen = [p for p in parameters if p.ndim in ndims]
            if chosen:
                groups.append({"params": chosen, "weight_decay": decay, _SCALE: rate})
    return torch.optim.AdamW(groups, lr=learning_rate, betas=(0.9, 0.99), fused=True)


def _by_age(
    model: _Blocks, trained: Collection[str]
) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Trainable parameters of the blocks in ``trained``, and those of the others."""
    old: list[nn.Parameter] = []
    new: list[nn.Parameter] = []
    for name, module in model.module_groups().items():
        chosen = [p for p in module.parameters() if p.requires_grad]
        (old if name in trained else new).extend(chosen)
    return old, new


def set_learning_rate(optimizer: torch.optim.Optimizer, value: float) -> None:
    """``value`` for each group, times the group's own scale."""
    for group in optimizer.param_groups:
        group["lr"] = value * group.get(_SCALE, 1.0)


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
