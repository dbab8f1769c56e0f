"""What the monitors read off a model and its scores: no side effects, no hooks."""

# Shape suffixes: N stocks of one date, F features, U different values.
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

_MIN_NAMES = 10


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
    """The ``count`` largest variable-selection weights of ``[F]`` by feature name, largest first."""
    return {names[i]: float(weight_F[i]) for i in np.argsort(-weight_F, kind="stable")[:count]}


def rank_ic(score_N: Tensor, return_N: Tensor) -> Tensor:
    """Spearman correlation of score ``[N]`` and forward return ``[N]`` of one date, in [-1, 1]; no gradient.

    Ties share their mean rank. Stocks with a NaN return are left out; fewer than 10 left give NaN.
    """
    valid_N = torch.isfinite(score_N) & torch.isfinite(return_N)
    score_N, return_N = score_N[valid_N], return_N[valid_N]
    if score_N.numel() < _MIN_NAMES:
        return score_N.new_full((), torch.nan)
    a_N, b_N = _mean_ranks(score_N), _mean_ranks(return_N)
    a_N, b_N = a_N - a_N.mean(), b_N - b_N.mean()
    value: Tensor = (a_N @ b_N) / (a_N.norm() * b_N.norm())
    return value


def _mean_ranks(values_N: Tensor) -> Tensor:
    """Ranks from 1 in float64; equal values share their mean rank."""
    _, inverse_N, count_U = torch.unique(values_N, return_inverse=True, return_counts=True)
    last_U = count_U.cumsum(0).double()
    ranks_N: Tensor = (last_U - (count_U - 1) / 2.0)[inverse_N]
    return ranks_N
