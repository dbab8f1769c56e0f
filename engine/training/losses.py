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
_TEMPERATURE = 0.5
"""Temperature of the soft ranks, in standard deviations of the day's scores."""
_MAX_RETURN = 0.5
"""Forward returns are clipped here in the Sharpe term."""
_EPSILON = 1e-8


def pinball(quantile_NHQ: Tensor, target_NH: Tensor, levels: Sequence[float]) -> Tensor:
    """Mean quantile loss per horizon ``(H,)``: max(q d, (q - 1) d) with d = target - quantile.

    Koenker & Bassett, Econometrica 46, 1978. NaN targets are left out.
    """
    valid_NH, target_NH = _split_nan(target_NH)
    level_Q = torch.tensor(levels, dtype=quantile_NHQ.dtype).to(quantile_NHQ.device)
    gap_NHQ = target_NH[..., None] - quantile_NHQ
    loss_NH = torch.maximum(level_Q * gap_NHQ, (level_Q - 1.0) * gap_NHQ).mean(dim=-1)
    return (loss_NH * valid_NH).sum(0) / valid_NH.sum(0).clamp_min(1.0)


def huber(score_NH: Tensor, target_NH: Tensor) -> Tensor:
    """Mean Huber loss per horizon ``(H,)``: d^2 / 2 up to |d| = 1 deviation of the label, then |d| - 1/2.

    Huber, Annals of Mathematical Statistics 35, 1964. NaN targets are left out.
    """
    valid_NH, target_NH = _split_nan(target_NH)
    loss_NH = torch.nn.functional.smooth_l1_loss(score_NH, target_NH, reduction="none")
    return (loss_NH * valid_NH).sum(0) / valid_NH.sum(0).clamp_min(1.0)


def student_nll(score_NH: Tensor, shape_NH2: Tensor, target_NH: Tensor) -> Tensor:
    """Mean negative log-likelihood per horizon ``(H,)`` of a Student t around the score.

    ``shape_NH2``: scale > 0 in label deviations, and degrees of freedom > 2. Constants included, NaN
    targets left out.
    """
    valid_NH, target_NH = _split_nan(target_NH)
    scale_NH, v_NH = shape_NH2.unbind(-1)
    z_NH = (target_NH - score_NH) / scale_NH
    tail_NH = 0.5 * (v_NH + 1.0) * torch.log1p(z_NH.square() / v_NH)
    constant_NH = torch.lgamma(0.5 * (v_NH + 1.0)) - torch.lgamma(0.5 * v_NH)
    nll_NH = tail_NH - constant_NH + 0.5 * torch.log(torch.pi * v_NH) + torch.log(scale_NH)
    return (nll_NH * valid_NH).sum(0) / valid_NH.sum(0).clamp_min(1.0)


def listnet(score_NH: Tensor, target_NH: Tensor) -> Tensor:
    """Cross-entropy ``[H]`` between the top-one probabilities of labels and scores ``[N, H]``.

    Less its smallest value, the labels' own entropy: 0 when the two agree. NaN labels are left out.
    Cao et al., "Learning to Rank: From Pairwise Approach to Listwise Approach", ICML 2007: the chance to be
    first is softmax over the day. Scores are standardised within the day, as the labels are.
    """
    valid_NH, target_NH = _split_nan(target_NH)
    count_H = valid_NH.sum(0).clamp_min(1.0)
    centred_NH = score_NH - (score_NH * valid_NH).sum(0) / count_H
    score_NH = centred_NH / (_deviation(score_NH, valid_NH) + _EPSILON)
    absent_NH = (valid_NH - 1.0) * 1e4
    log_p_NH = torch.log_softmax(target_NH + absent_NH, dim=0)
    log_q_NH = torch.log_softmax(score_NH + absent_NH, dim=0)
    return (log_p_NH.exp() * valid_NH * (log_p_NH - log_q_NH)).sum(0)


def pearson(score_NH: Tensor, target_NH: Tensor) -> Tensor:
    """Pearson correlation ``[H]`` of score and standardised label ``[N, H]``, in [-1, 1]; NaN left out."""
    valid_NH, target_NH = _split_nan(target_NH)
    return _correlation(score_NH, target_NH, valid_NH)


def soft_spearman(score_NH: Tensor, target_NH: Tensor) -> Tensor:
    """Spearman correlation ``[H]`` of scores and labels ``[N, H]`` with ranks that have a gradient.

    Soft rank of stock i: sum over j of sigmoid((s_i - s_j) / tau), ascending like the label's ranks
    (Qin, Liu & Li, Information Retrieval 13, 2010), tau tied to the day's score deviation, so that the
    scale of the scores does not matter. The label's ranks are exact, ties share their mean.
    """
    valid_NH, target_NH = _split_nan(target_NH)
    tau_H = _TEMPERATURE * _deviation(score_NH, valid_NH).detach() + _EPSILON
    soft_NNH = torch.sigmoid((score_NH[:, None] - score_NH[None, :]) / tau_H)
    rank_NH = (soft_NNH * valid_NH[None]).sum(dim=1)
    return _correlation(rank_NH, _ranks(target_NH, valid_NH), valid_NH)


def portfolio_return(score_NH: Tensor, return_NH: Tensor) -> Tensor:
    """Return ``[H]``, a fraction, of the day's soft long-short portfolio of scores ``[N, H]``.

    Weights are the standardised scores over the sum of their absolute values: gross 1, net 0.
    """
    valid_NH, return_NH = _split_nan(return_NH)
    count_H = valid_NH.sum(0).clamp_min(1.0)
    centred_NH = (score_NH - (score_NH * valid_NH).sum(0) / count_H) * valid_NH
    weight_NH = centred_NH / (centred_NH.abs().sum(0) + _EPSILON)
    return (weight_NH * return_NH.clamp(-_MAX_RETURN, _MAX_RETURN)).sum(0)


def sharpe(return_DH: Tensor) -> Tensor:
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
    ``levels`` are the quantile levels of the heads.
    """
    score_MH, target_MH = output.score_MH.float(), batch.target_MH
    quantile_MHQ = output.quantile_MHQ.float()
    rows: dict[str, list[Tensor]] = {}

    def add(name: str, value_H: Tensor) -> None:
        rows.setdefault(name, []).append(value_H)

    daily = []
    for start, stop, session in zip(batch.day_ptr, batch.day_ptr[1:], batch.sessions, strict=False):
        day = slice(start, stop)
        score_NH, target_NH = score_MH[day], target_MH[day]
        if config.base_kind == "huber":
            add("base", huber(score_NH, target_NH))
        else:
            add("base", pinball(quantile_MHQ[day], target_NH, levels))
        sample = sample_rows(start, stop, session)
        add("rank_ic", 1.0 - soft_spearman(score_MH[sample], target_MH[sample]))
        add("cs_ic", 1.0 - pearson(score_NH, target_NH))
        daily.append(portfolio_return(score_NH, batch.y_MH[day]))
        if config.listnet:
            add("listnet", listnet(score_NH, target_NH))
        if config.student_t and output.student_MH2 is not None:
            shape_NH2 = output.student_MH2[day].float()
            add("student_t", student_nll(score_NH, shape_NH2, target_NH))
    weight_H = torch.tensor(config.horizon_weights, dtype=score_MH.dtype).to(score_MH.device)
    weight_H = weight_H / weight_H.sum()
    terms = {name: (torch.stack(values).mean(0) * weight_H).sum() for name, values in rows.items()}
    terms["sharpe"] = -(sharpe(torch.stack(daily)) * weight_H).sum()
    terms |= _penalties(output, config)
    total = sum(
        (getattr(config, name) * value for name, value in terms.items()), score_MH.new_zeros(())
    )
    return total, {name: value.detach() for name, value in terms.items()}


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


def sample_rows(start: int, stop: int, session: int) -> slice:
    """At most `SOFT_RANK_NAMES` evenly spaced rows of a day; the offset moves with the session."""
    stride = max(1, -(-(stop - start) // SOFT_RANK_NAMES))
    return slice(start + session % stride, stop, stride)


def _split_nan(values_NH: Tensor) -> tuple[Tensor, Tensor]:
    """1 / 0 mask of finite entries, and the values with 0 for the others."""
    finite_NH = torch.isfinite(values_NH)
    return finite_NH.to(values_NH.dtype), torch.where(finite_NH, values_NH, 0.0)


def _ranks(values_NH: Tensor, valid_NH: Tensor) -> Tensor:
    """Number of valid entries below each valid one, and half of those equal to it; no gradient.

    Invalid entries sort behind all others, where no valid one counts them.
    """
    key_HN = torch.where(valid_NH > 0, values_NH, torch.inf).T.contiguous()
    sorted_HN = key_HN.sort(dim=1).values
    below_HN = torch.searchsorted(sorted_HN, key_HN)
    up_to_HN = torch.searchsorted(sorted_HN, key_HN, right=True)
    return 0.5 * (below_HN + up_to_HN).T.to(values_NH.dtype)


def _deviation(values_NH: Tensor, valid_NH: Tensor) -> Tensor:
    count_H = valid_NH.sum(0).clamp_min(1.0)
    mean_H = (values_NH * valid_NH).sum(0) / count_H
    return (((values_NH - mean_H).square() * valid_NH).sum(0) / count_H + _EPSILON**2).sqrt()


def _correlation(a_NH: Tensor, b_NH: Tensor, valid_NH: Tensor) -> Tensor:
    """Pearson correlation over valid entries; 0 where a side is constant or nothing is valid."""
    count_H = valid_NH.sum(0).clamp_min(1.0)
    a_NH = (a_NH - (a_NH * valid_NH).sum(0) / count_H) * valid_NH
    b_NH = (b_NH - (b_NH * valid_NH).sum(0) / count_H) * valid_NH
    scale_H = ((a_NH.square()).sum(0) * (b_NH.square()).sum(0) + _EPSILON**2).sqrt()
    return (a_NH * b_NH).sum(0) / scale_H
