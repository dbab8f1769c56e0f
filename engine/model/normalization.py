"""FAN and SAN: adaptive normalisation of each look-back window, at the input of the network.

Both work on one sample at a time (never on the batch), fill every position, and blend the normalised
window with the raw one by a learned share that starts near 0, so that the network begins as if they
were not there. What they take out is not lost: a small network turns it into channels that are added to
the encoder's state.
"""

# Shape suffixes: M rows, T sessions, F features, L frequencies, G slices, C channels.
import math

import torch
from torch import Tensor, nn

from engine.model.layers import MixingGate

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
        spectrum_M2LF = torch.unflatten(_over_time(self.forward_2LT, x_MTF), 1, (2, -1))
        with torch.no_grad():  # which frequencies are kept is a step function
            keep_MLF = _keep_strongest(spectrum_M2LF, self.k)
        return _over_time(self.inverse_T2L, (spectrum_M2LF * keep_MLF[:, None]).flatten(1, 2))

    def forward(self, x_MTF: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        dominant_MTF = self.dominant(x_MTF)
        share = self.share()
        summary_M2F = torch.cat([dominant_MTF[:, -1], dominant_MTF.mean(dim=1)], dim=-1)
        out_MTF = torch.addcmul(x_MTF, dominant_MTF, share, value=-1.0)
        return out_MTF, share * self.message(summary_M2F), share


class SliceAdaptiveNorm(nn.Module):
    """Remove mean and deviation of each slice of the window and model them apart.

    After Liu et al., "Adaptive Normalization for Non-stationary Time Series Forecasting: A Temporal
    Slice Perspective" (SAN), NeurIPS 2023. Slices are consecutive, cover the window and differ in length
    by at most one. out = x + share * ((x - mean) / sqrt(variance + EPSILON) - x). The statistics are
    constants to the gradient of a training, as in RevIN (Kim et al., ICLR 2022).

    Shapes: ``x_MTF`` -> ``(M, T, F)`` and ``(M, C)``, the message of the statistics.
    """

    pool_GT: Tensor
    EPSILON = 0.05
    """Inputs are normal scores; a slice that hardly moves is not blown up to unit size."""

    def __init__(self, window: int, n_features: int, channels: int, slices: int) -> None:
        super().__init__()
        parts = torch.tensor_split(torch.arange(window), min(slices, window))
        self.lengths = [part.numel() for part in parts]
        pool_GT = torch.block_diag(*(torch.full((1, n), 1.0 / n) for n in self.lengths))  # type: ignore[no-untyped-call]
        self.register_buffer("pool_GT", pool_GT, persistent=False)
        self.share = MixingGate(_START_SHARE)
        self.message = nn.Sequential(
            nn.Linear(2 * n_features, channels), nn.ELU(), nn.Linear(channels, channels)
        )

    def forward(self, x_MTF: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        share = self.share()
        # In training alone: an explanation asks for the whole slope.
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.training):
            mean_MGF = _over_time(self.pool_GT, x_MTF)
            square_MGF = _over_time(self.pool_GT, x_MTF.square())
            variance_MGF = (square_MGF - mean_MGF.square()).clamp_min(0.0)
            scale_MGF = (variance_MGF + self.EPSILON).sqrt()
        # x + share ((x - mean) / scale - x) as one slope and one level for each slice
        slope_MGF = 1.0 - share + share / scale_MGF
        level_MGF = -share * (mean_MGF / scale_MGF)
        slices = torch.split(x_MTF, self.lengths, dim=1)
        out_MTF = torch.cat(
            [
                torch.addcmul(level_MGF[:, g, None], x_MtF, slope_MGF[:, g, None])
                for g, x_MtF in enumerate(slices)
            ],
            dim=1,
        )
        summary_M2F = torch.cat([mean_MGF[:, -1], scale_MGF[:, -1]], dim=-1)
        return out_MTF, share * self.message(summary_M2F), share


def _over_time(map_ST: Tensor, x_MTF: Tensor) -> Tensor:
    """``(M, S, F)``: the same map of the sessions for every row, a third of the time of `matmul`'s."""
    return torch.bmm(map_ST.expand(x_MTF.shape[0], -1, -1), x_MTF)


def _keep_strongest(spectrum_M2LF: Tensor, k: int) -> Tensor:
    """True where a frequency's power is at least the ``k``-th largest of the window: ``(M, L, F)``.

    ``best`` holds the k largest so far, in order, and each new power is passed down it: a fifth of the time
    of `topk` for a few of a few dozen.
    """
    power_MLF = torch.addcmul(
        spectrum_M2LF[:, 0].square(), spectrum_M2LF[:, 1], spectrum_M2LF[:, 1]
    )
    best: list[Tensor] = []
    for passed_MF in power_MLF.unbind(dim=1):
        for rank, held_MF in enumerate(best):
            best[rank] = torch.maximum(held_MF, passed_MF)
            if rank < k - 1:
                passed_MF = torch.minimum(held_MF, passed_MF)
        if len(best) < k:
            best.append(passed_MF)
    return power_MLF >= best[-1][:, None]


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
