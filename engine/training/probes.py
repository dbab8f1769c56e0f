"""What the monitors read off a model: no side effects, no hooks."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn


def gradient_norms(groups: Mapping[str, nn.Module]) -> dict[str, float]:
    """L2 norm of each block's gradient, before clipping. Blocks without any gradient are left out."""
    norms: dict[str, float] = {}
    for name, module in groups.items():
        parts = [p.grad.detach() for p in module.parameters() if p.grad is not None]
        if parts:
            norms[name] = float(torch.linalg.vector_norm(torch.stack([g.norm() for g in parts])))
    return norms


def gate_shares(gates: Mapping[str, Tensor]) -> dict[str, float]:
    """Mean of each gate, 0..1. ``bypass`` is the share of the projected stream."""
    return {name: float(value.detach().mean()) for name, value in gates.items()}


def top_features(
    weight_F: NDArray[np.float32], names: tuple[str, ...], count: int = 12
) -> dict[str, float]:
    """The ``count`` largest variable-selection weights by feature name, largest first."""
    return {names[i]: float(weight_F[i]) for i in np.argsort(-weight_F, kind="stable")[:count]}
