"""RankIC of one date on the device."""

# Shape suffixes: N stocks of one date.
import torch
from torch import Tensor

_MIN_NAMES = 10


def rank_ic(score_N: Tensor, return_N: Tensor) -> Tensor:
    """Spearman correlation of score and forward return on one date, in [-1, 1]; no gradient.

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
