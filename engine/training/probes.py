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
    valid_N = torch.isfinite(score_N) & torch.isfinite(return_N)
    a_N, b_N = (_centred_ranks(values_N, valid_N) for values_N in (score_N.detach(), return_N))
    value = (a_N @ b_N) / (a_N.square().sum() * b_N.square().sum()).sqrt()
    return torch.where(valid_N.sum() >= _MIN_NAMES, value, torch.nan)


def _centred_ranks(values_N: Tensor, valid_N: Tensor) -> Tensor:
    """Mean ranks of the valid values less their mean, float64; 0 for the others."""
    valid_N1 = valid_N[:, None].double()
    rank_N = ranks(values_N[:, None], valid_N1)[:, 0].double()
    weight_N = valid_N1[:, 0]
    return (rank_N - (rank_N * weight_N).sum() / weight_N.sum().clamp_min(1.0)) * weight_N
