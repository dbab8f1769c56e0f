"""FAN and SAN: adaptive normalisation of each look-back window, at the input of the network.

Both work on one sample at a time (never on the batch), fill every position, and blend the normalised
window with the raw one by a learned share that starts near 0, so that the network begins as if they
were not there. What they take out is not lost: a small network turns it into channels that are added to
the encoder's state.
"""

# Shape suffixes: M rows, T sessions, F features, L frequencies, G slices, C channels.
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from engine.model.layers import MixingGate
from engine.model.window_kernels import keep_strongest, slice_norm, slice_norm_backward

_START_SHARE = 0.05


class FrequencyAdaptiveNorm(nn.Module):
    """Take the ``k`` strongest frequencies of each feature's window out and model them apart.

    Ye et al., "Frequency Adaptive Normalization For Non-stationary Time Series Forecasting", NeurIPS
    2024, arXiv:2409.20371. With X = DFT(x) and K the k largest |X|: dominant = IDFT(X on K), residual =
    x - dominant; out = x - share * dominant. The DFT is a product with a fixed real basis: for windows
    of a few dozen sessions that is faster than an FFT and works on every device and dtype.

    Shapes: ``x_MTF`` -> ``(M, T, F)`` and ``(M, C)``, the message of the dominant part.
    """

    forward_2LT: Tensor
    inverse_T2L: Tensor

    def __init__(self, window: int, n_features: int, channels: int, k: int) -> None:
        super().__init__()
        n_frequencies = window // 2 + 1
        self.k = min(k, n_frequencies)
        forward_2LT, inverse_T2L = _fourier_basis(window)
        self.register_buffer("forward_2LT", forward_2LT, persistent=False)
        self.register_buffer("inverse_T2L", inverse_T2L, persistent=False)
        self.share = MixingGate(_START_SHARE)
        self.message = nn.Sequential(
            nn.Linear(2 * n_features, channels), nn.ELU(), nn.Linear(channels, channels)
        )

    def split(self, x_MTF: Tensor) -> tuple[Tensor, Tensor]:
        """Residual and dominant part, ``[M, T, F]`` each; their sum is the input."""
        dominant_MTF = self.dominant(x_MTF)
        return x_MTF - dominant_MTF, dominant_MTF

    def dominant(self, x_MTF: Tensor) -> Tensor:
        """``[M, T, F]``: the window's ``k`` strongest frequencies, back in time."""
        spectrum_M2LF = torch.unflatten(self.forward_2LT @ x_MTF, 1, (2, -1))
        with torch.no_grad():  # which frequencies are kept is a step function
            keep_MLF = _keep_strongest(spectrum_M2LF, self.k)
        dominant_MTF: Tensor = self.inverse_T2L @ (spectrum_M2LF * keep_MLF[:, None]).flatten(1, 2)
        return dominant_MTF

    def forward(self, x_MTF: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        with torch.autocast(x_MTF.device.type, enabled=False):
            dominant_MTF = self.dominant(x_MTF.float())
        share = self.share()
        summary_M2F = torch.cat([dominant_MTF[:, -1], dominant_MTF.mean(dim=1)], dim=-1)
        out_MTF = torch.addcmul(x_MTF, dominant_MTF, share, value=-1.0)
        return out_MTF, share * self.message(summary_M2F), share


class SliceAdaptiveNorm(nn.Module):
    """Remove mean and deviation of each slice of the window and model them apart.

    After Liu et al., "Adaptive Normalization for Non-stationary Time Series Forecasting: A Temporal
    Slice Perspective" (SAN), NeurIPS 2023. Slices are consecutive, cover the window and differ in length
    by at most one. out = x + share * ((x - mean) / sqrt(variance + EPSILON) - x).

    Shapes: ``x_MTF`` -> ``(M, T, F)`` and ``(M, C)``, the message of the statistics.
    """

    EPSILON = 0.05
    """Inputs are normal scores; a slice that hardly moves is not blown up to unit size."""

    def __init__(self, window: int, n_features: int, channels: int, slices: int) -> None:
        super().__init__()
        parts = torch.tensor_split(torch.arange(window), min(slices, window))
        self.lengths = tuple(part.numel() for part in parts)
        self.share = MixingGate(_START_SHARE)
        self.message = nn.Sequential(
            nn.Linear(2 * n_features, channels), nn.ELU(), nn.Linear(channels, channels)
        )

    def forward(self, x_MTF: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        share = self.share()
        out_MTF, mean_MF, scale_MF = _SliceNorm.apply(  # type: ignore[no-untyped-call]
            x_MTF, share, self.lengths, self.EPSILON
        )
        summary_M2F = torch.cat([mean_MF, scale_MF], dim=-1)
        return out_MTF, share * self.message(summary_M2F), share


class _SliceNorm(torch.autograd.Function):
    """``x + s (n - x)`` with ``n = (x - mean) / scale`` per slice; mean and scale of the last slice.

    Written out because autograd keeps and walks a dozen tensors of the window's size where three do: with
    A = sum_t g and B = sum_t g n over a slice of ``len`` sessions, the gradient of x is
    ``(1 - s) g + s / scale (g - A / len - n B / len)`` and that of s is ``sum (1 - scale) B - mean A``.
    """

    @staticmethod
    def forward(
        ctx: Any, x_MTF: Tensor, share: Tensor, lengths: tuple[int, ...], epsilon: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        ctx.lengths = lengths
        if x_MTF.device.type == "cpu" and x_MTF.dtype == torch.float32:
            return _SliceNorm._forward_by_rows(ctx, x_MTF, share, epsilon)
        normal_MTF = torch.empty_like(x_MTF)
        means, scales = [], []
        for x_MtF, normal_MtF in _slices(lengths, x_MTF, normal_MTF):
            mean_M1F = x_MtF.mean(dim=1, keepdim=True)
            torch.sub(x_MtF, mean_M1F, out=normal_MtF)
            scale_M1F = (normal_MtF.square().mean(dim=1, keepdim=True) + epsilon).sqrt()
            normal_MtF.div_(scale_M1F)
            means.append(mean_M1F)
            scales.append(scale_M1F)
        mean_MGF, scale_MGF = torch.cat(means, dim=1), torch.cat(scales, dim=1)
        ctx.save_for_backward(normal_MTF, mean_MGF, scale_MGF, share)
        out_MTF = torch.lerp(x_MTF, normal_MTF, share)
        return out_MTF, mean_MGF[:, -1].clone(), scale_MGF[:, -1].clone()

    @staticmethod
    def _forward_by_rows(
        ctx: Any, x_MTF: Tensor, share: Tensor, epsilon: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        x_MTF = x_MTF.detach().contiguous()
        M, _, F = x_MTF.shape
        normal_MTF, out_MTF = torch.empty_like(x_MTF), torch.empty_like(x_MTF)
        mean_MGF = x_MTF.new_empty(M, len(ctx.lengths), F)
        scale_MGF = torch.empty_like(mean_MGF)
        slice_norm(
            x_MTF.numpy(),
            _starts(ctx.lengths),
            np.float32(epsilon),
            np.float32(share),
            normal_MTF.numpy(),
            mean_MGF.numpy(),
            scale_MGF.numpy(),
            out_MTF.numpy(),
        )
        ctx.save_for_backward(normal_MTF, mean_MGF, scale_MGF, share)
        return out_MTF, mean_MGF[:, -1].clone(), scale_MGF[:, -1].clone()

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, grad_MTF: Tensor, mean_grad_MF: Tensor, scale_grad_MF: Tensor
    ) -> tuple[Tensor | None, Tensor, None, None]:
        normal_MTF, mean_MGF, scale_MGF, share = ctx.saved_tensors
        wanted = ctx.needs_input_grad[0]
        if wanted and grad_MTF.device.type == "cpu" and grad_MTF.dtype == torch.float32:
            dx_MTF = torch.empty_like(normal_MTF)
            share_slope = slice_norm_backward(
                grad_MTF.contiguous().numpy(),
                normal_MTF.numpy(),
                mean_MGF.numpy(),
                scale_MGF.numpy(),
                _starts(ctx.lengths),
                np.float32(share),
                mean_grad_MF.contiguous().numpy(),
                scale_grad_MF.contiguous().numpy(),
                dx_MTF.numpy(),
            )
            return dx_MTF, share.new_tensor(share_slope), None, None
        dx_MTF = torch.empty_like(normal_MTF) if wanted else grad_MTF
        slices = _slices(ctx.lengths, grad_MTF, normal_MTF, dx_MTF)
        A_sums, B_sums = [], []
        for g, (grad_MtF, normal_MtF, dx_MtF) in enumerate(slices):
            length = ctx.lengths[g]
            A_M1F = grad_MtF.sum(dim=1, keepdim=True)
            B_M1F = (grad_MtF * normal_MtF).sum(dim=1, keepdim=True)
            A_sums.append(A_M1F)
            B_sums.append(B_M1F)
            if not wanted:
                continue
            rate_M1F = share / scale_MGF[:, g : g + 1]
            level_M1F, slope_M1F = -rate_M1F * A_M1F / length, -rate_M1F * B_M1F / length
            if g == len(ctx.lengths) - 1:
                level_M1F += mean_grad_MF[:, None] / length
                slope_M1F += scale_grad_MF[:, None] / length
            torch.mul(grad_MtF, rate_M1F + (1.0 - share), out=dx_MtF)
            dx_MtF.addcmul_(normal_MtF, slope_M1F).add_(level_M1F)
        A_MGF, B_MGF = torch.cat(A_sums, dim=1), torch.cat(B_sums, dim=1)
        share_grad = ((1.0 - scale_MGF) * B_MGF - mean_MGF * A_MGF).sum()
        return dx_MTF if wanted else None, share_grad, None, None


def _starts(lengths: tuple[int, ...]) -> NDArray[np.int64]:
    return np.cumsum([0, *lengths])


def _slices(lengths: tuple[int, ...], *tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    return zip(*(torch.split(tensor, list(lengths), dim=1) for tensor in tensors), strict=True)


def _keep_strongest(spectrum_M2LF: Tensor, k: int) -> Tensor:
    """1 where a frequency is among the window's ``k`` strongest, else 0: ``(M, L, F)``."""
    if spectrum_M2LF.device.type == "cpu":
        keep_MLF = torch.empty_like(spectrum_M2LF[:, 0])
        keep_strongest(spectrum_M2LF.detach().numpy(), k, keep_MLF.numpy())
        return keep_MLF
    power_MLF = spectrum_M2LF.square().sum(dim=1)
    return torch.ge(power_MLF, _kth_largest(power_MLF, k), out=torch.empty_like(power_MLF))


def _kth_largest(values_MLF: Tensor, k: int) -> Tensor:
    """The ``k``-th largest of L, ``(M, 1, F)``: sixteen times faster than `topk` for a few of a few dozen.

    ``best`` holds the k largest so far, in order; each new value is passed down it.
    """
    best: list[Tensor] = []
    for value_MF in values_MLF.unbind(dim=1):
        for rank, held_MF in enumerate(best):
            best[rank], value_MF = (
                torch.maximum(held_MF, value_MF),
                torch.minimum(held_MF, value_MF),
            )
        if len(best) < k:
            best.append(value_MF)
    return best[-1][:, None]


def _fourier_basis(window: int) -> tuple[Tensor, Tensor]:
    """Real DFT ``[2L, T]`` (cosines, then sines) and its inverse ``[T, 2L]``, float32."""
    t = torch.arange(window, dtype=torch.float64)
    frequency = torch.arange(window // 2 + 1, dtype=torch.float64)
    angle_LT = 2.0 * math.pi * frequency[:, None] * t[None, :] / window
    forward_2LT = torch.cat([angle_LT.cos(), angle_LT.sin()])
    weight_L = torch.full((frequency.numel(),), 2.0, dtype=torch.float64)
    weight_L[0] = 1.0
    if window % 2 == 0:
        weight_L[-1] = 1.0
    inverse_T2L = (forward_2LT * weight_L.repeat(2)[:, None] / window).T
    return forward_2LT.float(), inverse_T2L.float().contiguous()
