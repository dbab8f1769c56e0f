"""Losses over whole days. Each is smallest when scores and labels have the same order.

All take scores ``[N, H]`` and the `_Known` labels of one day, or ``[D, N, H]`` of several at once; a batch's
loss is the mean over its days and the weighted mean over horizons. Nothing indexes by a mask, so no step
waits for the device.
"""

# Shape suffixes: D days, N stocks of a day, R sampled stocks, H horizons, Q quantiles, M rows. Functions of
# ``_NH`` take any number of days in front.
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import embedding, smooth_l1_loss

from engine.config import LossConfig
from engine.dataset.batch import Batch
from engine.model.atft_gat_fan import RankerOutput

_TEMPERATURE = 0.5
"""Temperature of the soft ranks, in standard deviations of the day's scores."""
_MAX_RETURN = 0.5
"""Forward returns are clipped here in the Sharpe term."""
_EPSILON = 1e-8


class _Known(NamedTuple):
    """Labels ``[N, H]``, of which some are unknown."""

    value_NH: Tensor
    """0 where unknown."""
    is_known_NH: Tensor
    """1 or 0."""
    weight_NH: Tensor
    """One over the number of known labels of the day and horizon; 0 where unknown."""


def known(label_NH: Tensor) -> _Known:
    """Labels whose unknown ones are NaN."""
    unknown_NH = torch.isnan(label_NH)
    is_known_NH = (~unknown_NH).to(label_NH.dtype)
    weight_NH = is_known_NH / is_known_NH.sum(-2, keepdim=True).clamp_min(1.0)
    return _Known(label_NH.masked_fill(unknown_NH, 0.0), is_known_NH, weight_NH)


def _pinball(quantile_NHQ: Tensor, target: _Known, levels: Sequence[float]) -> Tensor:
    """Mean quantile loss per horizon ``(H,)``: max(q d, (q - 1) d) with d = target - quantile.

    Koenker & Bassett, Econometrica 46, 1978. NaN targets are left out.
    """
    level_Q = _constant(tuple(levels), quantile_NHQ)
    gap_NHQ = target.value_NH[..., None] - quantile_NHQ
    loss_NH = torch.maximum(level_Q * gap_NHQ, (level_Q - 1.0) * gap_NHQ).mean(dim=-1)
    return _mean(loss_NH, target).squeeze(-2)


def _huber(score_NH: Tensor, target: _Known) -> Tensor:
    """Mean Huber loss per horizon ``(H,)``: d^2 / 2 up to |d| = 1 deviation of the label, then |d| - 1/2.

    Huber, Annals of Mathematical Statistics 35, 1964. NaN targets are left out.
    """
    loss_NH = smooth_l1_loss(score_NH, target.value_NH, reduction="none")
    return _mean(loss_NH, target).squeeze(-2)


def _student_nll(score_NH: Tensor, shape_NH2: Tensor, target: _Known) -> Tensor:
    """Mean negative log-likelihood per horizon ``(H,)`` of a Student t around the score.

    ``shape_NH2``: scale > 0 in label deviations, and degrees of freedom > 2. Constants included, NaN
    targets left out.
    """
    scale_NH, v_NH = shape_NH2.unbind(-1)
    z_NH = (target.value_NH - score_NH) / scale_NH
    tail_NH = 0.5 * (v_NH + 1.0) * torch.log1p(z_NH.square() / v_NH)
    constant_NH = torch.lgamma(0.5 * (v_NH + 1.0)) - torch.lgamma(0.5 * v_NH)
    nll_NH = tail_NH - constant_NH + 0.5 * torch.log(torch.pi * v_NH) + torch.log(scale_NH)
    return _mean(nll_NH, target).squeeze(-2)


def _listnet(score_NH: Tensor, target: _Known) -> Tensor:
    """Cross-entropy ``[H]`` between the top-one probabilities of labels and scores ``[N, H]``.

    Less its smallest value, the labels' own entropy: 0 when the two agree. NaN labels are left out.
    Cao et al., "Learning to Rank: From Pairwise Approach to Listwise Approach", ICML 2007: the chance to be
    first is softmax over the day. Scores are standardised within the day, as the labels are.
    """
    centred_NH = _centred(score_NH, target)
    score_NH = centred_NH / (_deviation(centred_NH, target) + _EPSILON)
    absent_NH = (target.is_known_NH - 1.0) * 1e4
    log_p_NH = torch.log_softmax(target.value_NH + absent_NH, dim=-2)
    log_q_NH = torch.log_softmax(score_NH + absent_NH, dim=-2)
    return (log_p_NH.exp() * target.is_known_NH * (log_p_NH - log_q_NH)).sum(-2)


def _pearson(score_NH: Tensor, target: _Known) -> Tensor:
    """Pearson correlation ``[H]`` of score and standardised label ``[N, H]``, in [-1, 1]; NaN left out."""
    return _correlation(score_NH, target.value_NH, target)


def soft_spearman(score_NH: Tensor, target: _Known) -> Tensor:
    """Spearman correlation ``[H]`` of scores and labels ``[N, H]`` with ranks that have a gradient.

    Soft rank of stock i: sum over j of sigmoid((s_i - s_j) / tau), ascending like the label's ranks
    (Qin, Liu & Li, Information Retrieval 13, 2010), tau tied to the day's score deviation, so that the
    scale of the scores does not matter. The label's ranks are exact, ties share their mean.
    """
    centred_NH = _centred(score_NH, target)
    tau_1H = _TEMPERATURE * _deviation(centred_NH.detach(), target) + _EPSILON
    scaled_NH = centred_NH / tau_1H
    soft_NNH = torch.sigmoid(scaled_NH.unsqueeze(-2) - scaled_NH.unsqueeze(-3))
    rank_NH = (soft_NNH * target.is_known_NH.unsqueeze(-3)).sum(dim=-2)
    return _correlation(rank_NH, ranks(target.value_NH, target.is_known_NH), target)


def _portfolio_return(score_NH: Tensor, forward: _Known) -> Tensor:
    """Return ``[H]``, a fraction, of the day's soft long-short portfolio of scores ``[N, H]``.

    Weights are the standardised scores over the sum of their absolute values: gross 1, net 0.
    """
    centred_NH = _centred(score_NH, forward)
    weight_NH = centred_NH / (centred_NH.abs().sum(-2, keepdim=True) + _EPSILON)
    return (weight_NH * forward.value_NH.clamp(-_MAX_RETURN, _MAX_RETURN)).sum(-2)


def _sharpe(return_DH: Tensor) -> Tensor:
    """Mean over deviation ``[H]`` of the days' portfolio returns ``[D, H]``; 0 for one day.

    Not annualised. The deviation has a floor of 1e-3 so that few equal days do not explode it.
    """
    if return_DH.shape[0] < 2:
        return torch.zeros_like(return_DH[0])
    return return_DH.mean(0) / (return_DH.std(0) + 1e-3)


def combined_loss(
    output: RankerOutput, batch: Batch, config: LossConfig, levels: Sequence[float]
) -> tuple[Tensor, dict[str, Tensor]]:
    """Weighted sum of the terms over the days of a batch, and each term's unweighted value: scalars.

    ``base`` pinball or Huber, ``rank_ic`` 1 - soft Spearman, ``cs_ic`` 1 - Pearson, ``sharpe`` minus the
    Sharpe ratio, ``listnet``, ``student_t``; and, where the graph is on, ``attention_entropy``,
    ``edge_penalty`` and ``gate_penalty``. Terms of weight 0 beyond the first four are not computed.
    Where days have weights, each day's terms are multiplied by its own and the Sharpe ratio by their mean.
    ``levels`` are the quantile levels of the heads. Float32 whatever the network computed in.
    """
    quantile_DNHQ = _by_day(output.quantile_MHQ.float(), batch.row_DN)
    score_DNH = quantile_DNHQ[..., levels.index(0.5)]
    sampled_DRH = _by_day(output.score_MH.float(), batch.sample_DR)
    label_M2H = torch.stack([batch.target_MH, batch.y_MH], dim=1)
    label = known(_by_day(label_M2H, batch.row_DN, absent=torch.nan).transpose(1, 2))
    target, forward = (_Known(*(part[:, which] for part in label)) for which in (0, 1))
    sampled = known(_by_day(batch.target_MH, batch.sample_DR, absent=torch.nan))
    daily_DH: dict[str, Tensor] = {}
    if config.base_kind == "huber":
        daily_DH["base"] = _huber(score_DNH, target)
    else:
        daily_DH["base"] = _pinball(quantile_DNHQ, target, levels)
    daily_DH["rank_ic"] = 1.0 - soft_spearman(sampled_DRH, sampled)
    daily_DH["cs_ic"] = 1.0 - _pearson(score_DNH, target)
    if config.listnet:
        daily_DH["listnet"] = _listnet(score_DNH, target)
    if config.student_t and output.student_MH2 is not None:
        shape_DNH2 = _by_day(output.student_MH2.float(), batch.row_DN)
        daily_DH["student_t"] = _student_nll(score_DNH, shape_DNH2, target)
    daily_KDH = torch.stack(list(daily_DH.values()))
    sharpe_H = _sharpe(_portfolio_return(score_DNH, forward))
    if batch.weight_D is not None:
        daily_KDH = daily_KDH * batch.weight_D[:, None]
        sharpe_H = sharpe_H * batch.weight_D.mean()
    weight_H = _constant(
        tuple(w / sum(config.horizon_weights) for w in config.horizon_weights), score_DNH
    )
    value_K = torch.cat([daily_KDH.mean(dim=1), -sharpe_H[None]]) @ weight_H
    terms = dict(zip([*daily_DH, "sharpe"], value_K.unbind(), strict=True))
    terms |= _penalties(output, config)
    total = sum(
        (getattr(config, name) * value for name, value in terms.items()), value_K.new_zeros(())
    )
    return total, {name: value.detach() for name, value in terms.items()}


def _by_day(values_MX: Tensor, row_DN: Tensor, *, absent: float | None = None) -> Tensor:
    """Values of the rows ``[M, ...]`` as ``[D, N, ...]``; a place without a row has ``absent`` or row 0's.

    Where labels are NaN, what stands in the other tables does not count, and row 0 is a number like others.
    """
    flat_DNX = embedding(row_DN.clamp_min(0), values_MX.flatten(1))
    table_DNX = flat_DNX.view(*row_DN.shape, *values_MX.shape[1:])
    if absent is None:
        return table_DNX
    is_row_DN = (row_DN >= 0).view(*row_DN.shape, *[1] * (values_MX.ndim - 1))
    return torch.where(is_row_DN, table_DNX, absent)


def _penalties(output: RankerOutput, config: LossConfig) -> dict[str, Tensor]:
    r"""What the graph is asked to do besides ranking; empty while it is off or nothing is asked.

    ``attention_entropy``: 0 = each stock hears one neighbour, 1 = all alike. ``edge_penalty``: mean of
    w (1 - \|rho\|) over a stock's neighbours, the attention that weak edges get. ``gate_penalty``:
    (alpha - 1/2)^2 of the bypass, so that neither stream is shut out.
    """
    found: dict[str, Tensor] = {}
    if output.attention is not None:
        found["attention_entropy"] = output.attention.entropy
        found["edge_penalty"] = output.attention.weak_share
    if config.gate_penalty and "bypass" in output.gates:
        found["gate_penalty"] = (output.gates["bypass"] - 0.5).square()
    return {name: value for name, value in found.items() if getattr(config, name)}


def _constant(values: tuple[float, ...], like: Tensor) -> Tensor:
    """The values in float32 where ``like`` is; outside compiled code the same tensor each time."""
    return (_new if torch.compiler.is_compiling() else _kept)(values, like.device)


def _new(values: tuple[float, ...], device: torch.device) -> Tensor:
    return torch.tensor(values, dtype=torch.float32).to(device)


_kept = lru_cache(_new)
"""On its device once and for all: each copy would wait for it."""


def ranks(values_NH: Tensor, valid_NH: Tensor) -> Tensor:
    """Ranks ``[N, H]`` within the day, from 1/2, of values ``[N, H]`` where ``valid_NH`` is 1; no gradient.

    The number of valid entries below each valid one, and half of those equal to it. Invalid entries sort
    behind all others, where no valid one counts them.
    """
    key_HN = torch.where(valid_NH > 0, values_NH, torch.inf).transpose(-1, -2).contiguous()
    sorted_HN = key_HN.sort(dim=-1).values
    below_HN = torch.searchsorted(sorted_HN, key_HN)
    up_to_HN = torch.searchsorted(sorted_HN, key_HN, right=True)
    return 0.5 * (below_HN + up_to_HN).transpose(-1, -2).to(values_NH.dtype)


def _mean(values_NH: Tensor, labels: _Known) -> Tensor:
    """Mean over the stocks whose label is known, ``[1, H]``; 0 where none is."""
    return (values_NH * labels.weight_NH).sum(-2, keepdim=True)


def _centred(values_NH: Tensor, labels: _Known) -> Tensor:
    """Less their mean, and 0 where the label is unknown."""
    return (values_NH - _mean(values_NH, labels)) * labels.is_known_NH


def _deviation(centred_NH: Tensor, labels: _Known) -> Tensor:
    """Of centred values over the stocks whose label is known, ``[1, H]``."""
    return (_mean(centred_NH.square(), labels) + _EPSILON**2).sqrt()


def _correlation(a_NH: Tensor, b_NH: Tensor, labels: _Known) -> Tensor:
    """Pearson correlation where the label is known; 0 where a side is constant or nothing is known."""
    a_NH, b_NH = _centred(a_NH, labels), _centred(b_NH, labels)
    scale_H = (a_NH.square().sum(-2) * b_NH.square().sum(-2) + _EPSILON**2).sqrt()
    return (a_NH * b_NH).sum(-2) / scale_H
