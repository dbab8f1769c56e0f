"""What the monitors read off a model and its scores: no side effects, no hooks."""

# Shape suffixes: N stocks of one date, F features.
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from engine.training.losses import ranks

_MIN_NAMES = 10


def gradient_norms(groups: Mapping[str, nn.Module]) -> dict[str, Tensor]:
    """L2 norm of each block's gradient, before clipping. Blocks without any gradient are left out."""
    norms: dict[str, Tensor] = {}
    for name, module in groups.items():
        parts = [p.grad.detach() for p in module.parameters() if p.grad is not None]
        if parts:
            norms[name] = torch.nn.utils.get_total_norm(parts)
    return norms


def top_features(
    weight_F: NDArray[np.float32], names: tuple[str, ...], count: int = 12
) -> dict[str, float]:
    """The ``count`` largest variable-selection weights of ``[F]`` by feature name, largest first."""
    return {names[i]: float(weight_F[i]) for i in np.argsort(-weight_F, kind="stable")[:count]}


def rank_ic(score_N: Tensor, return_N: Tensor) -> Tensor:
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
