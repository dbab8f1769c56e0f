"""Losses over whole days. Each is smallest when scores and labels have the same order.

All take one day's scores and labels with NaN labels masked out; a batch's loss is the mean over its days
and the weighted mean over horizons. Nothing indexes by a mask, so no step waits for the device.
"""

# Shape suffixes: D days, N stocks of a day, R sampled stocks, H horizons, Q quantiles, M rows.
from collections.abc import Sequence

import torch
from torch import Tensor

from engine.config import LossConfig
from engine.dataset.batch import Batch
from engine.model.atft_gat_fan import RankerOutput

SOFT_RANK_NAMES = 400
"""Stocks of a day that enter the soft ranks, which cost N^2; evenly spaced with a moving offset."""
TEMPERATURE = 0.5
"""Of the soft ranks, in standard deviations of the day's scores."""
MAX_RETURN = 0.5
"""Forward returns are clipped here in the Sharpe term."""
EPSILON = 1e-8


def pinball(quantile_NHQ: Tensor, target_NH: Tensor, levels: Sequence[float]) -> Tensor:
    """Mean quantile loss per horizon ``(H,)``: max(q d, (q - 1) d) with d = target - quantile.

    Koenker & Bassett, Econometrica 46, 1978. NaN targets are left out.
    """
    valid_NH, target_NH = _split_nan(target_NH)
    level_Q = torch.tensor(levels, dtype=quantile_NHQ.dtype).to(quantile_NHQ.device)
    gap_NHQ = target_NH[..., None] - quantile_NHQ
    loss_NH = torch.maximum(level_Q * gap_NHQ, (level_Q - 1.0) * gap_NHQ).mean(dim=-1)
    return (loss_NH * valid_NH).sum(0) / valid_NH.sum(0).clamp_min(1.0)


def pearson(score_NH: Tensor, target_NH: Tensor) -> Tensor:
    """Pearson correlation of score and standardised label per horizon ``(H,)``, in [-1, 1]."""
    valid_NH, target_NH = _split_nan(target_NH)
    return _correlation(score_NH, target_NH, valid_NH)


def soft_spearman(score_NH: Tensor, target_NH: Tensor) -> Tensor:
    """Spearman correlation per horizon ``(H,)`` with ranks that have a gradient.

    Soft rank of stock i: sum over j of sigmoid((s_i - s_j) / tau), ascending like the label's ranks
    (Qin, Liu & Li, Information Retrieval 13, 2010), tau tied to the day's score deviation, so that the
    scale of the scores does not matter. The label's ranks are exact, ties share their mean.
    """
    valid_NH, target_NH = _split_nan(target_NH)
    tau_H = TEMPERATURE * _deviation(score_NH, valid_NH).detach() + EPSILON
    soft_NNH = torch.sigmoid((score_NH[:, None] - score_NH[None, :]) / tau_H)
    rank_NH = (soft_NNH * valid_NH[None]).sum(dim=1)
    order_NNH = 0.5 * (1.0 + torch.sign(target_NH[:, None] - target_NH[None, :]))
    target_rank_NH = (order_NNH * valid_NH[None]).sum(dim=1)
    return _correlation(rank_NH, target_rank_NH, valid_NH)


def portfolio_return(score_NH: Tensor, return_NH: Tensor) -> Tensor:
    """Return of the day's soft long-short portfolio per horizon ``(H,)``.

    Weights are the standardised scores over the sum of their absolute values: gross 1, net 0.
    """
    valid_NH, return_NH = _split_nan(return_NH)
    count_H = valid_NH.sum(0).clamp_min(1.0)
    centred_NH = (score_NH - (score_NH * valid_NH).sum(0) / count_H) * valid_NH
    weight_NH = centred_NH / (centred_NH.abs().sum(0) + EPSILON)
    return (weight_NH * return_NH.clamp(-MAX_RETURN, MAX_RETURN)).sum(0)


def sharpe(return_DH: Tensor) -> Tensor:
    """Mean over deviation of the days' portfolio returns per horizon ``(H,)``; 0 for one day.

    Not annualised. The deviation has a floor of 1e-3 so that few equal days do not explode it.
    """
    if return_DH.shape[0] < 2:
        return torch.zeros_like(return_DH[0])
    return return_DH.mean(0) / (return_DH.std(0) + 1e-3)


def combined_loss(
    output: RankerOutput, batch: Batch, config: LossConfig, levels: Sequence[float]
) -> tuple[Tensor, dict[str, Tensor]]:
    """Weighted sum of the terms over the days of a batch, and each term's unweighted value.

    ``base`` pinball, ``rank_ic`` 1 - soft Spearman, ``cs_ic`` 1 - Pearson, ``sharpe`` minus the Sharpe
    ratio. ``levels`` are the quantile levels of the heads.
    """
    score_MH, target_MH = output.score_MH.float(), batch.target_MH
    quantile_MHQ = output.quantile_MHQ.float()
    base, rank, cs, daily = [], [], [], []
    for start, stop, session in zip(batch.day_ptr, batch.day_ptr[1:], batch.sessions, strict=False):
        day = slice(start, stop)
        base.append(pinball(quantile_MHQ[day], target_MH[day], levels))
        cs.append(pearson(score_MH[day], target_MH[day]))
        rows = sample_rows(start, stop, session)
        rank.append(soft_spearman(score_MH[rows], target_MH[rows]))
        daily.append(portfolio_return(score_MH[day], batch.y_MH[day]))
    weight_H = torch.tensor(config.horizon_weights, dtype=score_MH.dtype).to(score_MH.device)
    weight_H = weight_H / weight_H.sum()
    terms = {
        "base": (torch.stack(base).mean(0) * weight_H).sum(),
        "rank_ic": ((1.0 - torch.stack(rank).mean(0)) * weight_H).sum(),
        "cs_ic": ((1.0 - torch.stack(cs).mean(0)) * weight_H).sum(),
        "sharpe": -(sharpe(torch.stack(daily)) * weight_H).sum(),
    }
    total = sum(
        (getattr(config, name) * value for name, value in terms.items()), score_MH.new_zeros(())
    )
    return total, {name: value.detach() for name, value in terms.items()}


def sample_rows(start: int, stop: int, session: int) -> slice:
    """At most `SOFT_RANK_NAMES` evenly spaced rows of a day; the offset moves with the session."""
    stride = max(1, -(-(stop - start) // SOFT_RANK_NAMES))
    return slice(start + session % stride, stop, stride)


def _split_nan(values_NH: Tensor) -> tuple[Tensor, Tensor]:
    """1 / 0 mask of finite entries, and the values with 0 for the others."""
    finite_NH = torch.isfinite(values_NH)
    return finite_NH.to(values_NH.dtype), torch.where(finite_NH, values_NH, 0.0)


def _deviation(values_NH: Tensor, valid_NH: Tensor) -> Tensor:
    count_H = valid_NH.sum(0).clamp_min(1.0)
    mean_H = (values_NH * valid_NH).sum(0) / count_H
    return (((values_NH - mean_H).square() * valid_NH).sum(0) / count_H + EPSILON**2).sqrt()


def _correlation(a_NH: Tensor, b_NH: Tensor, valid_NH: Tensor) -> Tensor:
    """Pearson correlation over valid entries; 0 where a side is constant or nothing is valid."""
    count_H = valid_NH.sum(0).clamp_min(1.0)
    a_NH = (a_NH - (a_NH * valid_NH).sum(0) / count_H) * valid_NH
    b_NH = (b_NH - (b_NH * valid_NH).sum(0) / count_H) * valid_NH
    scale_H = ((a_NH.square()).sum(0) * (b_NH.square()).sum(0) + EPSILON**2).sqrt()
    return (a_NH * b_NH).sum(0) / scale_H
