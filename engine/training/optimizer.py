"""AdamW parameter groups and the one-cycle learning rate, as a pure function of the step."""

import math
from collections.abc import Collection

import torch
from torch import nn

from engine.model.atft_gat_fan import ATFTGATFAN

WARM_UP_SHARE = 0.3
START_DIVISOR, END_DIVISOR = 25.0, 1e4
"""Peak over first, and first over last learning rate, as in Smith & Topin (arXiv:1708.07120)."""


def one_cycle(step: int, total: int, peak: float) -> float:
    """Learning rate of ``step`` (0-based) out of ``total``: cosine up to ``peak``, cosine down."""
    first = peak / START_DIVISOR
    last = first / END_DIVISOR
    top = max(1.0, WARM_UP_SHARE * total) - 1.0
    if step <= top:
        return _cosine(first, peak, step / top if top > 0 else 1.0)
    return _cosine(peak, last, min(1.0, (step - top) / max(1.0, total - 1.0 - top)))


def _cosine(start: float, stop: float, share: float) -> float:
    return stop + (start - stop) * (1.0 + math.cos(math.pi * share)) / 2.0


def set_trainable(
    model: ATFTGATFAN, blocks: Collection[str], frozen: Collection[str]
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
    model: nn.Module, *, learning_rate: float, weight_decay: float, fused: bool = False
) -> torch.optim.AdamW:
    """AdamW over the trainable parameters; vectors and scalars (biases, norms, gates) do not decay.

    ``fused``: one kernel for all of an update (always on CUDA); its sums round in another order.
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    on_cuda = parameters[0].device.type == "cuda"
    return torch.optim.AdamW(groups, lr=learning_rate, betas=(0.9, 0.99), fused=fused or on_cuda)


def set_learning_rate(optimizer: torch.optim.Optimizer, value: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = value
